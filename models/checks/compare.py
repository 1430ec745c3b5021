"""Where two states differ, bit by bit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

_PLAIN = (str, bytes, int, float, bool, type(None))


def differences(one: object, other: object, path: str = "state") -> list[str]:
    """Return the places at which two states of a model differ; none when they are the same to the last bit.

    Pickles are compared by what they hold: their bytes also say which parts were one object in memory, and that may
    change when a model is restored.
    """
    return _differences(one, other, path, {})


def _differences(one: Any, other: Any, path: str, met: dict[tuple[int, int], Any]) -> list[str]:
    if one is other or (id(one), id(other)) in met:
        return []
    if type(one) is not type(other):
        return [path]
    if isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        return [] if same else [path]
    if isinstance(one, bytes) and one != other and one[:1] == other[:1] == b"\x80":
        # A state holds pickles that its own model wrote.
        return _differences(pickle.loads(one), pickle.loads(other), path, met)
    if isinstance(one, _PLAIN) or hasattr(one, "__qualname__"):
        return [] if one == other or (one != one and other != other) else [path]
    met[id(one), id(other)] = one, other  # kept, so that no other objects get their ids
    if isinstance(one, dict):
        if list(one) != list(other):
            return [path]
        return [line for key in one for line in _differences(one[key], other[key], f"{path}.{key}", met)]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [path]
        pairs = enumerate(zip(one, other, strict=True))
        return [line for index, (a, b) in pairs for line in _differences(a, b, f"{path}[{index}]", met)]
    return _differences(_parts(one), _parts(other), path, met)


def _parts(value: Any) -> Any:
    """Return what an object is made of, as a pickle would write it down."""
    parts = value.__reduce_ex__(4)
    if isinstance(parts, str):
        return parts
    # Iterators over items, of lists and dicts in disguise.
    return [list(part) if hasattr(part, "__next__") else part for part in parts]
