"""Open Bandit: what a fashion shop showed to whom at which place, with the probability of showing it, and the clicks.

The folder holds a folder for each policy that chose (``random`` or ``bts``), and in it one for each campaign with its
file of impressions. Nobody is named: users are those who share all four features. Items of different campaigns are
different ones.

References
----------
Saito, Aihara, Matsutani, Narita: Open Bandit Dataset and Pipeline: Towards Realistic and Reproducible Off-Policy
Evaluation. NeurIPS 2021, datasets and benchmarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from contracts.events import Click, Impression, Item
from evaluation.rows import Dropped, Row
from evaluation.shown import Showing
from evaluation.tabular import milliseconds, table

POLICIES = ("random", "bts")
CAMPAIGNS = ("all", "men", "women")
_FEATURES = tuple(f"user_feature_{number}" for number in range(4))
_COLUMNS = ("timestamp", "item_id", "position", "click", "propensity_score", *_FEATURES)


class OpenBandit:
    """The folder of Open Bandit; its impressions in the order of time, each with its click behind it.

    Parameters
    ----------
    folder : Path
    files : tuple of Path
        Its files of impressions, see :func:`files_of`.
    """

    def __init__(self, folder: Path, files: tuple[Path, ...]) -> None:
        self.name = folder.absolute().name
        self.files = files

    @property
    def size(self) -> int:
        """Number of impressions, clicks and lines that cannot be used."""
        showings, dropped = self._rows
        return len(showings) + sum(showing.clicked for showing in showings) + len(dropped)

    def events(self) -> Iterator[Row]:
        """Yield the lines that cannot be used, then each impression as a list of one item, and its click."""
        showings, dropped = self._rows
        yield from dropped
        for number, showing in enumerate(showings):
            user, item, time, list_id = showing.user, showing.item, showing.time, f"{showing.arm}.{number}"
            yield Impression(user, [item], list_id, time, [showing.propensity or 0.0], showing.arm)
            if showing.clicked:
                yield Click(user, item, time, list_id=list_id)

    def items(self) -> Iterator[Item]:
        """Yield nothing: what is known of the items is hashed."""
        return iter(())

    def showings(self) -> list[Showing]:
        """Return every item shown, in the order of time, with its place, which an impression cannot say."""
        return self._rows[0]

    @cached_property
    def _rows(self) -> tuple[list[Showing], list[Dropped]]:
        showings: list[Showing] = []
        dropped: list[Dropped] = []
        for path in self.files:
            campaign, policy = path.parent.name, path.parent.parent.name
            with table(path, _COLUMNS) as rows:
                for line, row in rows:
                    shown = _showing(line, row, campaign, policy)
                    if isinstance(shown, Showing):
                        showings.append(shown)
                    else:
                        dropped.append(shown)
        showings.sort(key=lambda shown: shown.time)
        return showings, dropped


def files_of(folder: Path) -> tuple[Path, ...]:
    """Return the files of impressions in a folder of Open Bandit, none if it is not one."""
    names = [folder / policy / campaign / f"{campaign}.csv" for policy in POLICIES for campaign in CAMPAIGNS]
    found = (path for name in names for path in (name, name.with_name(f"{name.name}.zst")))
    return tuple(path for path in found if path.is_file())


def _showing(line: int, row: dict[str, str], campaign: str, policy: str) -> Showing | Dropped:
    try:
        return Showing(
            time=milliseconds(row["timestamp"]),
            user="-".join(row[feature][:8] for feature in _FEATURES),
            item=f"{campaign}-{int(row['item_id'])}",
            place=int(row["position"]),
            clicked=bool(int(row["click"])),
            propensity=float(row["propensity_score"]),
            arm=policy,
        )
    except ValueError as error:
        return Dropped.of("malformed", line, ",".join(row[column] for column in _COLUMNS).encode(), str(error))
