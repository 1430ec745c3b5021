"""``python -m commands``: the same as ``headrace``."""

from commands.main import main

main()
