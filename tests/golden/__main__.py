"""Compares the golden files with the formats of today, or writes them; see the package's docstring."""

from __future__ import annotations

import sys

from . import FOLDER, changed, files, model

names = changed()
if sys.argv[1:] == ["--write"]:
    for name in names:
        (FOLDER / name).write_bytes(files()[name])
    if not (FOLDER / model.FILE).exists():
        model.write(FOLDER / model.FILE)
print("\n".join(names) or "nothing differs")
