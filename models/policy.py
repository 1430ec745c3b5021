"""The list policy: what stands between the best-scored items and the list that is shown.

Three rules, each off at zero, applied in one greedy pass from the top of a list to its end:

- at most so many items of one category, or of one brand, on a page. It is strict: a list ends where nothing that is
  left may follow, so that no page ever holds more;
- diversity: maximal marginal relevance, the next item is the one with the largest
  ``(1 − λ) · relevance − λ · max cosine to what stands above it``, relevance being the score brought to 0 … 1 over the
  candidates and the cosine that of the output embeddings (Carbonell, Goldstein);
- exploration: of every page, a share of the places goes to items with few events, the best-scored of them first. A
  page that holds as many by their own merit is left as it is. Places lie in the lower half of a page, never on top;
  which ones, and whether the last of them is given at all, is drawn from the seed, the user and the position of the
  model. So a page has at most ``⌈page · share⌉`` of them, and ``page · share`` on average.

Only candidates are placed: what the user has had and what is withheld has the score ``EXCLUDED``, and comes in by no
rule. Scores stay the blend's own, so they fall from item to item except where a rule moved one.

References
----------
Carbonell, Goldstein: The Use of MMR, Diversity-Based Reranking. SIGIR 1998, eq. 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from models.kernel import draw, draw_below, inline
from models.selection import EXCLUDED

MOST_EXPLORED = 0.2
_SURPLUS = 4  # so many times the list are candidates where a rule may pass items over
# Of more items with few events, the newest and a draw of the others are looked at, so that a list costs the same.
_NEWEST = 64
_AMONG = 512


class Rules(NamedTuple):
    """A policy on the items of one moment, as one argument for the kernels."""

    surplus: int  # so many times a list's length are its candidates
    page: int
    limits: NDArray[np.int32]  # (kinds,) items of one group on a page, at most; 0 = any number
    groups: NDArray[np.int32]  # (rows, kinds) the group of each item, -1 = none
    diversity: np.float32
    share: float
    few: NDArray[np.int32]  # rows of the items with few events, oldest first
    is_few: NDArray[np.bool_]  # (rows,), or empty where nothing is explored
    salts: NDArray[np.uint64]  # (users,) what the draws of each list start from


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of the list policy.

    Attributes
    ----------
    page : int
        Items of a page: what a reader shows at once.
    per_category, per_brand : int
        Items of one category (an item's first), or of one brand, on a page, at most; 0 = any number.
    diversity : float
        λ of maximal marginal relevance, 0 … 1; 0 = the order of the scores.
    explore_share : float
        Share of the places for items with few events, at most 0.2; 0 = none.
    explore_below : int
        An item with fewer events than this has few.
    similar_in_category : bool
        Whether an item's neighbours are of its own category only; not a rule of users' lists.

    Raises
    ------
    ValueError
        When a value lies outside its range.
    """

    page: int = 10
    per_category: int = 0
    per_brand: int = 0
    diversity: float = 0.0
    explore_share: float = 0.02
    explore_below: int = 10
    similar_in_category: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("page", 1, 1000),
            ("per_category", 0, 1000),
            ("per_brand", 0, 1000),
            ("diversity", 0.0, 1.0),
            ("explore_share", 0.0, MOST_EXPLORED),
            ("explore_below", 0, 2**31),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"policy: {name} is {value!r}, it must lie within {low} and {high}")

    @property
    def explores(self) -> bool:
        """Whether places are given to items with few events."""
        return self.explore_share > 0.0 and self.explore_below > 0

    def rules(
        self,
        groups: NDArray[np.int32],
        events: NDArray[np.int64],
        withheld: NDArray[np.bool_],
        salts: NDArray[np.uint64],
    ) -> Rules:
        """Return the policy on the items of this moment.

        Parameters
        ----------
        groups : ndarray of int32, shape (2, rows)
            Category and brand of each item, as numbers; -1 = none.
        events : ndarray of int64, shape (rows,)
            Events of each item.
        withheld : ndarray of bool, shape (rows,)
        salts : ndarray of uint64, shape (users,)
            See :func:`salts`; may be empty where nothing is explored.
        """
        is_few, few = np.zeros(0, np.bool_), np.zeros(0, np.int32)
        if self.explores:
            is_few = (events < self.explore_below) & ~withheld
            few = np.flatnonzero(is_few).astype(np.int32)
        share = self.explore_share if len(few) else 0.0
        limits = np.array([self.per_category, self.per_brand], np.int32)
        surplus = _SURPLUS if limits.any() or self.diversity > 0.0 else 1
        # One layout however many items there are: another one would be compiled anew, at the first click of a shop.
        by_item = np.ascontiguousarray(groups.T)
        return Rules(surplus, self.page, limits, by_item, np.float32(self.diversity), share, few, is_few, salts)


NO_POLICY = Policy(explore_share=0.0)
"""The best-scored items in the order of their scores."""


def salts(users: Sequence[str], seed: int, position: int) -> NDArray[np.uint64]:
    """Return what the draws of users' lists start from, shape (b,): another at every position of the model."""
    key = int(draw(np.uint64(seed), np.uint64(position)))
    return np.fromiter((xxhash.xxh3_64_intdigest(user, key) for user in users), np.uint64, len(users))


@inline
def arrange(picked, best, all_scores, outputs, rules, salt, rows, scores):
    """Make one list; return its length.

    Parameters
    ----------
    picked, best : ndarray of int32 and of float32, shape (m,)
        The best-scored candidates and their scores, best first.
    all_scores : ndarray of float32, shape (rows,)
        Scores of all items, ``EXCLUDED`` where one is no candidate.
    outputs : ndarray of float32, shape (rows, d)
        What items are compared by.
    rules : Rules
    salt : uint64
        What the draws start from.
    rows, scores : ndarray of int32 and of float32, shape (n,)
        Result; -1 and 0 beyond the list's end are the caller's.
    """
    placed = np.zeros(len(picked), np.bool_)
    closest, inverse_norms = _start_diversity(picked, outputs, rules)
    free = rules.diversity == 0.0 and not rules.limits.any()
    first = 0
    length = 0
    explored_from, explored_to, explored = 0, 0, 0
    while length < len(rows):
        start = length - length % rules.page
        if length == start:
            explored_from, explored_to = _places(start, rules, salt)
            explored = 0
        row = -1
        if explored_from <= length < explored_to:
            explored += 1
            if _few_on_page(rows[start:length], rules) < explored:
                row = _explore(all_scores, rules, salt, rows, start, length)
        if row < 0:
            if free:
                index = first if first < len(picked) else -1
            else:
                index = _next(picked, best, placed, first, closest, rules, rows[start:length])
            if index < 0:
                break
            row = picked[index]
        rows[length] = row
        scores[length] = all_scores[row]
        length += 1
        for index in range(first, len(picked)):
            if picked[index] == row:
                placed[index] = True
                break
        while first < len(picked) and placed[first]:
            first += 1
        if rules.diversity > 0.0:
            _come_closer(row, picked, outputs, closest, inverse_norms)
    return length


@inline
def _places(start, rules, salt):
    """Return the first and the end of the places on a page that go to items with few events."""
    wanted = rules.page * rules.share
    n = int(wanted)
    chance = np.float64(draw(salt, np.uint64(2 * start)) >> np.uint64(11)) * 2.0**-53
    n += chance < wanted - n
    lower = rules.page - rules.page // 2
    at = start + rules.page - lower + draw_below(salt, np.uint64(2 * start + 1), lower - n + 1)
    return at, at + n


@inline
def _few_on_page(page, rules):
    n = 0
    for row in page:
        n += rules.is_few[row]
    return n


@inline
def _explore(all_scores, rules, salt, rows, start, length):
    """Return the best-scored item with few events that may stand here, -1 where there is none."""
    few = rules.few
    found = -1
    score = EXCLUDED
    own = draw(salt, np.uint64(2**32))
    for index in range(min(len(few), _AMONG)):
        row = few[len(few) - 1 - index]
        if index >= _NEWEST and len(few) > _AMONG:
            row = few[draw_below(own, np.uint64(index), len(few))]
        if all_scores[row] > score and _fits(row, rules, rows[start:length]):
            twice = False
            for position in range(length):
                twice |= rows[position] == row
            if not twice:
                found, score = row, all_scores[row]
    return found


@inline
def _fits(row, rules, page):
    """Return whether an item may follow what stands on its page so far."""
    for kind in range(len(rules.limits)):
        limit, group = rules.limits[kind], -1
        if limit > 0:
            group = rules.groups[row, kind]
        if group >= 0:
            n = 0
            for other in page:
                n += rules.groups[other, kind] == group
            if n >= limit:
                return False
    return True


@inline
def _next(picked, best, placed, first, closest, rules, page):
    """Return the position of the candidate that comes next by merit, -1 where none may."""
    found = -1
    largest = np.float32(0.0)
    reach = max(best[0] - best[-1], np.float32(1e-9)) if len(best) else np.float32(1.0)
    for index in range(first, len(picked)):
        if placed[index]:
            continue
        value = np.float32(0.0)
        if rules.diversity > 0.0:
            relevance = (best[index] - best[-1]) / reach
            value = (np.float32(1.0) - rules.diversity) * relevance - rules.diversity * closest[index]
        if (found < 0 or value > largest) and _fits(picked[index], rules, page):
            found, largest = index, value
            if rules.diversity == 0.0:
                break
    return found


@inline
def _start_diversity(picked, outputs, rules):
    n = len(picked) if rules.diversity > 0.0 else 0
    inverse_norms = np.zeros(n, np.float32)
    for index in range(n):
        inverse_norms[index] = _inverse_norm(outputs[picked[index]])
    return np.full(n, np.float32(-1.0)), inverse_norms


@inline
def _come_closer(row, picked, outputs, closest, inverse_norms):
    """Note for every candidate how close the item placed last is to it."""
    own = _inverse_norm(outputs[row])
    for index in range(len(picked)):
        dot = np.float32(0.0)
        for d in range(outputs.shape[1]):
            dot += outputs[picked[index], d] * outputs[row, d]
        closest[index] = max(closest[index], dot * inverse_norms[index] * own)


@inline
def _inverse_norm(vector):
    square = np.float32(0.0)
    for value in vector:
        square += value * value
    return np.float32(1.0) / np.sqrt(square) if square > 0.0 else np.float32(0.0)
