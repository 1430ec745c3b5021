"""Free words to a list."""
