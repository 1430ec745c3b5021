"""Pairs are counted exactly while there is room, and by the replacement law when there is none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scorers.cooccurrence import _TRIES, SLOTS, UNITS, WINDOW, Cooccurrence

ROWS = 12


class Stream:
    """Events as the scorer takes them."""

    def __init__(self, events: list[tuple[int, float, list[int]]]) -> None:
        self.events = events
        self.rows = np.array([row for row, _, _ in events], np.int32)
        self.weights = np.array([weight for _, weight, _ in events], np.float32)
        self.history = np.array([row for _, _, history in events for row in history], np.int32)
        self.starts = np.cumsum([0, *(len(history) for _, _, history in events)]).astype(np.int64)

    def learn(self, pairs: Cooccurrence, seed: int = 0) -> None:
        pairs.learn(self.rows, self.weights, self.history, self.starts, seed)


class Counts:
    """The same in dicts: (item, neighbour) → units."""

    def __init__(self, stream: Stream) -> None:
        self.after, self.before, self.totals = Counter[tuple[int, int]](), Counter[tuple[int, int]](), Counter[int]()
        self.followed = Counter[int]()
        for row, weight, history in stream.events:
            for lag, earlier in enumerate(history[:WINDOW], start=1):
                units = int(np.float32(weight) * (UNITS // lag))
                if earlier in (-1, row) or units == 0:
                    continue
                self.after[earlier, row] += units
                self.before[row, earlier] += units
                self.followed[earlier] += units
                self.totals[earlier] += units
                self.totals[row] += units


def pairs_of(pairs: Cooccurrence, counts: np.ndarray) -> dict[tuple[int, int], int]:
    """Return (item, neighbour) → units, without zeros; every neighbour must have one slot only."""
    found: dict[tuple[int, int], int] = {}
    for row in range(len(pairs.used)):
        neighbours = pairs.neighbours[row, : pairs.used[row]].tolist()
        assert len(set(neighbours)) == len(neighbours)
        found |= {(row, other): int(units) for other, units in zip(neighbours, counts[row], strict=False) if units}
    return found


histories = st.lists(st.integers(-1, ROWS - 1), max_size=WINDOW + 4)
streams = st.lists(st.tuples(st.integers(0, ROWS - 1), st.sampled_from([0.0, 0.25, 1.0, 3.0]), histories), max_size=40)


@given(streams)
def test_counts_are_exact_below_the_number_of_slots(events: list[tuple[int, float, list[int]]]) -> None:
    stream, pairs = Stream(events), Cooccurrence(ROWS)
    stream.learn(pairs)
    expected = Counts(stream)
    assert pairs_of(pairs, pairs.after) == dict(expected.after)
    assert pairs_of(pairs, pairs.before) == dict(expected.before)
    assert pairs.totals.tolist() == [[expected.followed[row], expected.totals[row]] for row in range(ROWS)]


@given(streams, st.data())
def test_counts_do_not_depend_on_batches(events: list[tuple[int, float, list[int]]], data: st.DataObject) -> None:
    whole, parts = Cooccurrence(ROWS), Cooccurrence(ROWS)
    Stream(events).learn(whole)
    while events:
        size = data.draw(st.integers(1, len(events)))
        Stream(events[:size]).learn(parts, seed=len(events))
        events = events[size:]
    for name, array in whole.state(ROWS).items():
        assert np.array_equal(array, parts.state(ROWS)[name])


def full() -> Cooccurrence:
    """Return counts in which all slots of row 0 are taken, each neighbour's units its row number."""
    pairs = Cooccurrence(2 * SLOTS)
    pairs.neighbours[0] = np.arange(1, SLOTS + 1)
    pairs.after[0] = np.arange(1, SLOTS + 1)
    pairs.before[0] = 2 * pairs.after[0]
    pairs.used[0] = SLOTS
    return pairs


@pytest.mark.parametrize("seed", range(20))
def test_a_newcomer_takes_the_weakest_of_some_random_slots_and_inherits_its_counts(seed: int) -> None:
    before, pairs, newcomer = full(), full(), SLOTS + 7
    Stream([(newcomer, 1.0, [0])]).learn(pairs, seed)
    (slot,) = np.flatnonzero(pairs.neighbours[0] == newcomer)
    kept = np.arange(SLOTS) != slot
    assert pairs.used[0] == SLOTS
    assert pairs.after[0, slot] == before.after[0, slot] + UNITS
    assert pairs.before[0, slot] == before.before[0, slot]
    for name in ("neighbours", "after", "before"):
        assert np.array_equal(getattr(pairs, name)[0, kept], getattr(before, name)[0, kept])


def test_mostly_weak_neighbours_give_way() -> None:
    gone = []
    for seed in range(300):
        pairs = full()
        Stream([(SLOTS + 7, 1.0, [0])]).learn(pairs, seed)
        gone.append(int(np.flatnonzero(pairs.neighbours[0] == SLOTS + 7)[0]))
    # The least of eight uniform numbers has mean 1/9 and is hardly ever above a half.
    assert np.mean(gone) / SLOTS == pytest.approx(1 / (_TRIES + 1), abs=0.02)
    assert np.mean(np.array(gone) > SLOTS / 2) < 0.02


def test_a_neighbour_that_has_a_slot_keeps_it() -> None:
    pairs = full()
    Stream([(5, 1.0, [0])]).learn(pairs)
    assert pairs.after[0, 4] == 5 + UNITS
    assert pairs.neighbours[0].tolist() == list(range(1, SLOTS + 1))


def test_frequent_neighbours_survive_a_flood_of_rare_ones() -> None:
    pairs, draw = Cooccurrence(5000), np.random.default_rng(0)
    for seed in range(40):
        rare = draw.integers(100, 5000, 100)
        events = [(int(row), 1.0, [0]) for row in rare] + [(row, 1.0, [0]) for row in range(1, 11)]
        Stream(events).learn(pairs, seed)
    assert pairs.used[0] == SLOTS
    assert set(range(1, 11)) <= set(pairs.neighbours[0].tolist())


def test_full_counters_stay_full() -> None:
    pairs, most = Cooccurrence(3), 2**31 - 10
    both_ways = Stream([(2, 1.0, [1]), (1, 1.0, [2])])
    both_ways.learn(pairs)
    for row in (1, 2):
        # About 850,000 visits to the one straight after the other fill 31 bits.
        pairs.after[row, 0] = pairs.before[row, 0] = most
        pairs.totals[row] = most, 2 * most
    for _ in range(3):
        both_ways.learn(pairs)
    for row in (1, 2):
        assert pairs.after[row, 0] >= most
        assert pairs.before[row, 0] >= most
        assert pairs.similar(row, 1)[1][0] == pytest.approx(1.0, rel=1e-3)


def test_similar_is_the_cosine_of_the_counts() -> None:
    draw = np.random.default_rng(0)
    events = [(int(draw.integers(ROWS)), 1.0, draw.integers(ROWS, size=3).tolist()) for _ in range(80)]
    stream, pairs = Stream(events), Cooccurrence(ROWS)
    stream.learn(pairs)
    expected = Counts(stream)
    for row in range(ROWS):
        cosine = {
            other: (expected.after[row, other] + expected.before[row, other])
            / np.sqrt(float(expected.totals[row]) * expected.totals[other])
            for other in {b for a, b in (*expected.after, *expected.before) if a == row}
        }
        best = sorted(cosine, key=lambda other: (-cosine[other], other))
        rows, scores = pairs.similar(row, 5)
        assert rows.tolist() == best[:5]
        np.testing.assert_allclose(scores, [cosine[other] for other in best[:5]], rtol=1e-6)


def test_an_item_without_neighbours_is_similar_to_none() -> None:
    rows, scores = Cooccurrence(3).similar(1, 5)
    assert (len(rows), len(scores)) == (0, 0)
