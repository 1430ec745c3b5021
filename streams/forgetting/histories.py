"""Users' states as JSON that people and other systems can read, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from contracts.events import TYPES, Click, Rating, identity, item_key
from contracts.learning import HISTORY
from models.attributes import features
from models.seen import MAX_SEEN
from models.user_state import UserState


class Entry(msgspec.Struct, omit_defaults=True, gc=False):
    """One event of a history.

    Parameters
    ----------
    item : str
        Its id, or ``#`` and 16 hexadecimal digits: the key of an item whose id is not known any more.
    time : int
        ms since the epoch.
    type : str
    rating : float, optional
    identity : str, optional
        Of the event, where it follows neither from an ``id`` nor from the other fields: 16 hexadecimal digits.
    id : str, optional
        The event's own identity, in files of other systems.
    """

    item: str | int
    time: int = 0
    type: str = "click"
    rating: float | None = None
    identity: str | None = None
    id: str | int | None = None


class History(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of a user.

    Parameters
    ----------
    user : str
    history : list of Entry
        Oldest first.
    earlier : list of str
        Items that he has had before, which the history does not name any more, oldest first.
    attributes : list or dict
        Their hashes, as ``#`` and 8 hexadecimal digits; or, in files of other systems, name → value.
    """

    user: str | int
    history: list[Entry]
    earlier: list[str | int] = []
    attributes: list[str] | dict[str, str | float | bool] = []


def history_of(user: str, state: UserState, names: Mapping[int, str]) -> History:
    """Return a state as a history; ``names`` are ids of items by their keys."""

    def name(key: int) -> str:
        return names.get(key) or f"#{key:016x}"

    columns = (state.keys, state.times, state.identities, state.kinds, state.values)
    entries = []
    for key, time, identity_, kind, value in zip(*(column.tolist() for column in columns), strict=True):
        entry = Entry(name(key), time, TYPES[kind], None if np.isnan(value) else value)
        if identity_ != _identity(entry):
            entry.identity = f"{identity_:016x}"
        entries.append(entry)
    in_history = set(state.keys.tolist())
    earlier: list[str | int] = [name(key) for key in state.seen.tolist() if key not in in_history]
    return History(user, entries, earlier, [f"#{each:08x}" for each in state.attributes.tolist()])


def state_of(history: History, generation: int = 0, offsets: tuple[int, int] = (-1, -1)) -> UserState:
    """Return a history as a state.

    Events count as they would from Kafka: in their order, a repeat once, an immediate repeat of the item not at all.

    Raises
    ------
    ValueError
        When a type is unknown, or digits are none.
    """
    entries, identities = _counted(history.history)
    keys = [key_of(entry.item) for entry in entries]
    earlier = [key_of(item) for item in history.earlier]
    seen = list(dict.fromkeys((*earlier, *keys)))[-MAX_SEEN:]
    recent = slice(-HISTORY, None)
    return UserState(
        events=len(entries),
        offsets=offsets,
        quota=(0, 0),
        silenced=0,
        keys=np.array(keys[recent], np.uint64),
        times=np.array([entry.time for entry in entries[recent]], np.int64),
        identities=np.array(identities[recent], np.uint64),
        kinds=np.array([_kind(entry) for entry in entries[recent]], np.uint8),
        values=np.array([_value(entry) for entry in entries[recent]], np.float32),
        attributes=_attributes(history.attributes),
        seen=np.array(seen, np.uint64),
        generation=generation,
    )


def event_of(user: str, entry: Entry) -> Click | Rating:
    """Return an entry as the event that it was."""
    item, own = str(entry.item), None if entry.id is None else str(entry.id)
    if entry.rating is not None:
        return Rating(user, item, entry.rating, entry.time, own)
    return Click(user, item, entry.time, entry.type, id=own)


def key_of(item: str | int) -> int:
    """Return the key of an item's id, or the key that ``#hex`` says."""
    text = str(item)
    return int(text[1:], 16) if is_key(text) else item_key(text)


def is_key(item: str) -> bool:
    """Return whether it is ``#`` and the 16 digits of a key, and no id."""
    return len(item) == 17 and item.startswith("#") and all(digit in "0123456789abcdef" for digit in item[1:])


def _counted(history: list[Entry]) -> tuple[list[Entry], list[int]]:
    counted: list[Entry] = []
    identities: dict[int, None] = {}
    for entry in history:
        own = int(entry.identity, 16) if entry.identity else _identity(entry)
        if own in identities or (counted and counted[-1].item == entry.item):
            continue
        identities[own] = None
        counted.append(entry)
    return counted, list(identities)


def _identity(entry: Entry) -> int:
    return identity(event_of("", entry))


def _kind(entry: Entry) -> int:
    if entry.type not in TYPES:
        raise ValueError(f"{entry.type!r} is none of {', '.join(TYPES)}")
    return TYPES.index("rating" if entry.rating is not None else entry.type)


def _value(entry: Entry) -> float:
    return np.nan if entry.rating is None else entry.rating


def _attributes(given: list[str] | dict[str, str | float | bool]) -> Any:
    if isinstance(given, dict):
        return features(given)
    return np.array([int(each.removeprefix("#"), 16) for each in given], np.uint32)
