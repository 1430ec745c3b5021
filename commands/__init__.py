"""The command line: one short file per command, imported when it is called."""
