"""What a regime makes: items with titles and categories, and who had which of them when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

START_MS = 1_735_689_600_000
"""When every simulation begins: 2025-01-01, 00:00 UTC."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_SYLLABLES = (
    "ba", "be", "bo", "da", "de", "do", "fa", "fi", "ga", "go", "ha", "ka", "ki", "ko", "la", "le", "li", "lo", "ma",
    "me", "mi", "mo", "na", "ne", "no", "pa", "pe", "ra", "re", "ri", "ro", "sa", "se", "so", "ta", "te", "to", "va",
    "vi", "za",
)  # fmt: skip
_OF_TOPIC = 30  # words that only titles of one topic use
_COMMON = 200  # words that all titles use


class Size(NamedTuple):
    """How large a simulation is."""

    users: int
    events: int


@dataclass
class World:
    """A simulation, as columns.

    Attributes
    ----------
    user, item : ndarray of int64, shape (n,)
    time : ndarray of int64, shape (n,)
        ms since the epoch, ascending.
    rating : ndarray of float64, shape (n,), or None
        None where people do not rate.
    topic : ndarray of int64, shape (items,)
        Each item's, which is its category.
    created : ndarray of int64, shape (items,), or None
        ms since the epoch; None where all items are there from the beginning.
    titles : list of str
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.int64]
    rating: NDArray[np.float64] | None
    topic: NDArray[np.int64]
    created: NDArray[np.int64] | None
    titles: list[str]


def titles(topic: NDArray[np.int64], draw: np.random.Generator) -> list[str]:
    """Return four words for each item, three of them of its topic: what content can learn from."""
    topics = int(topic.max()) + 1
    # Words of three syllables: 64,000, of which each topic has some of its own.
    codes = draw.permutation(len(_SYLLABLES) ** 3)[: topics * _OF_TOPIC + _COMMON]
    words = np.array(["".join(_SYLLABLES[code // 40**place % 40] for place in range(3)) for code in codes.tolist()])
    own = topic[:, None] * _OF_TOPIC + draw.integers(_OF_TOPIC, size=(len(topic), 3))
    common = topics * _OF_TOPIC + draw.integers(_COMMON, size=(len(topic), 1))
    return [" ".join(words).capitalize() for words in words[np.hstack([own, common])].tolist()]


def zipf(n: int, exponent: float) -> NDArray[np.float64]:
    """Return the probabilities of ``n`` things whose popularity falls with a power of their rank."""
    weights = np.arange(1, n + 1) ** -exponent
    return np.asarray(weights / weights.sum())


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors of length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
