"""Compares the golden files with the formats of today, or writes them; see the package's docstring."""

from __future__ import annotations

import sys

from . import FOLDER, changed, files

names = changed()
if sys.argv[1:] == ["--write"]:
    for name in names:
        (FOLDER / name).write_bytes(files()[name])
print("\n".join(names) or "nothing differs")
