"""Options that benchmarks share."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.parts.place import ROOT

movielens_option = click.option(
    "--movielens",
    type=click.Path(path_type=Path),
    default=ROOT.parent / "shared" / "data" / "ml-1m",
    help="Folder of MovieLens 1M.",
)
