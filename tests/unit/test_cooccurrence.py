"""Pairs are counted exactly while there is room, and by the replacement law when there is none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kernel import kernel
from models.scorers.cooccurrence import _HEADROOM, _LEAST, _REACH, _SIZES, MOST, UNITS, WINDOW, Cooccurrence
from models.scorers.cooccurrence import has_room as room_for_one
from models.scorers.cooccurrence import learn as learn_one

ROWS = 12


@kernel
def _learn(rows, weights, history, starts, first, p):  # type: ignore[no-untyped-def]
    for event in range(first, len(rows)):
        if not room_for_one(p):
            return event
        learn_one(rows[event], weights[event], history[starts[event] : starts[event + 1]], p)
    return len(rows)


class Stream:
    """Events as the scorer takes them: row, weight, history newest first."""

    def __init__(self, events: list[tuple[int, float, list[int]]]) -> None:
        self.events = events
        self.rows = np.array([row for row, _, _ in events], np.int32)
        self.weights = np.array([weight for _, weight, _ in events], np.float32)
        self.history = np.array([row for _, _, history in events for row in history], np.int32)
        self.starts = np.cumsum([0, *(len(history) for _, _, history in events)]).astype(np.int64)

    def learn(self, pairs: Cooccurrence) -> None:
        done = 0
        while done < len(self.rows):
            done = _learn(self.rows, self.weights, self.history, self.starts, done, pairs.arrays(len(pairs.rooms)))
            pairs.make_room()


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


def table(pairs: Cooccurrence, row: int) -> dict[int, tuple[int, int]]:
    """Return an item's neighbours: row → times after, before; each must have one place only."""
    places = range(int(pairs.starts[row]), int(pairs.starts[row] + pairs.rooms[row]))
    taken = [place for place in places if pairs.neighbours[place] != row]
    found = {int(pairs.neighbours[at]): (int(pairs.after[at]), int(pairs.before[at])) for at in taken}
    assert len(found) == len(taken)
    assert not any(pairs.after[at] or pairs.before[at] for at in places if pairs.neighbours[at] == row)
    return found


def pairs_of(pairs: Cooccurrence, direction: int) -> dict[tuple[int, int], int]:
    """Return (item, neighbour) → units, without zeros."""
    tables = {row: table(pairs, row) for row in range(len(pairs.rooms))}
    return {(row, x): n[direction] for row, found in tables.items() for x, n in found.items() if n[direction]}


def tiles(pairs: Cooccurrence) -> list[tuple[int, int]]:
    """Return (start, room) of every table in the pool: in use, and given back."""
    tables = [(int(start), int(room)) for start, room in zip(pairs.starts, pairs.rooms, strict=True) if room]
    for size in range(_SIZES):
        free = int(pairs.pool[1 + size])
        while free >= 0:
            tables.append((free, _LEAST << size))
            free = int(pairs.neighbours[free]) * _LEAST
    return sorted(tables)


def check_pool(pairs: Cooccurrence) -> None:
    """Tables neither overlap nor leave gaps."""
    end = 0
    for start, room in tiles(pairs):
        assert start == end
        end += room
    assert end == pairs.pool[0] <= len(pairs.neighbours)


def crowd(rows: int, n: int, seed: int, lately: int = 4) -> Stream:
    """Return events of all rows in turn at random, with short histories."""
    draw = np.random.default_rng(seed)
    return Stream([(int(draw.integers(rows)), 1.0, draw.integers(0, rows, lately).tolist()) for _ in range(n)])


histories = st.lists(st.integers(-1, ROWS - 1), max_size=WINDOW + 4)
streams = st.lists(st.tuples(st.integers(0, ROWS - 1), st.sampled_from([0.0, 0.25, 1.0, 3.0]), histories), max_size=40)


@given(streams)
def test_counts_are_exact_while_tables_are_not_full(events: list[tuple[int, float, list[int]]]) -> None:
    stream, pairs = Stream(events), Cooccurrence(ROWS)
    stream.learn(pairs)
    expected = Counts(stream)
    assert pairs_of(pairs, 0) == dict(expected.after)
    assert pairs_of(pairs, 1) == dict(expected.before)
    assert pairs.totals.tolist() == [[expected.followed[row], expected.totals[row]] for row in range(ROWS)]
    check_pool(pairs)


@given(streams, st.data())
def test_counts_do_not_depend_on_batches(events: list[tuple[int, float, list[int]]], data: st.DataObject) -> None:
    whole, parts = Cooccurrence(ROWS), Cooccurrence(ROWS)
    Stream(events).learn(whole)
    while events:
        size = data.draw(st.integers(1, len(events)))
        Stream(events[:size]).learn(parts)
        events = events[size:]
    for name, array in whole.state(ROWS).items():
        assert np.array_equal(array, parts.state(ROWS)[name])


@pytest.mark.parametrize("neighbours", [5, 8, 20, 60, 120])
def test_tables_double_and_keep_their_counts(neighbours: int) -> None:
    stream, pairs = crowd(neighbours + 1, 6000, neighbours), Cooccurrence(neighbours + 1)
    stream.learn(pairs)
    expected = Counts(stream)
    assert pairs_of(pairs, 0) == dict(expected.after)
    assert pairs_of(pairs, 1) == dict(expected.before)
    assert set(pairs.rooms.tolist()) <= {_LEAST << size for size in range(_SIZES)}
    assert (pairs.rooms >= neighbours).all()
    check_pool(pairs)


def test_places_that_tables_grew_out_of_are_taken_again() -> None:
    pairs = Cooccurrence(400)
    crowd(100, 20_000, 0).learn(pairs)  # these have all others for neighbours: none is content with its first table
    free, end = sum(room == _LEAST for _, room in tiles(pairs)), int(pairs.pool[0])
    assert free > 50
    for row in range(100, 100 + free, 2):
        Stream([(row, 1.0, [row + 1])]).learn(pairs)  # two new tables
    assert (pairs.rooms[100 : 100 + free - free % 2] == _LEAST).all()
    assert pairs.pool[0] <= end + _LEAST
    check_pool(pairs)


def test_memory_is_bounded_by_the_number_of_items() -> None:
    pairs, draw = Cooccurrence(1000), np.random.default_rng(0)
    ends = []
    for _ in range(8):
        # Ten items that everybody has, among very many neighbours.
        Stream([(int(draw.integers(1000)), 1.0, draw.integers(0, 10, 3).tolist()) for _ in range(8000)]).learn(pairs)
        ends.append(int(pairs.pool[0]))
        check_pool(pairs)
    assert pairs.rooms.max() == MOST
    assert ends[-1] < 1.01 * ends[3] < 2 * int(pairs.rooms.sum()) <= 2 * 1000 * MOST
    assert len(pairs.neighbours) < 2 * (ends[-1] + _HEADROOM)


@pytest.mark.parametrize("seed", range(5))
def test_no_units_get_lost_when_neighbours_give_way(seed: int) -> None:
    pairs, draw = Cooccurrence(3000), np.random.default_rng(seed)
    Stream([(int(draw.integers(1, 3000)), 1.0, [0]) for _ in range(20_000)]).learn(pairs)
    assert pairs.rooms[0] == MOST
    after, before = np.array(list(table(pairs, 0).values())).sum(axis=0)
    assert [after, after + before] == pairs.totals[0].tolist()


def full() -> Cooccurrence:
    """Return counts in which all places of row 0 are taken, by 1 … 512 in some order, with all different units."""
    pairs = Cooccurrence(2 * MOST)
    pairs.rooms[0], pairs.pool[0] = MOST, MOST
    draw = np.random.default_rng(0)
    pairs.neighbours[:MOST] = draw.permutation(MOST) + 1
    pairs.after[:MOST] = draw.permutation(MOST) + 1
    pairs.before[:MOST] = 2 * pairs.after[:MOST]
    return pairs


@pytest.mark.parametrize("newcomer", range(MOST + 7, MOST + 27))
def test_a_newcomer_takes_the_weakest_place_within_reach_and_inherits_its_counts(newcomer: int) -> None:
    before, pairs = full(), full()
    Stream([(newcomer, 1.0, [0])]).learn(pairs)
    (place,) = np.flatnonzero(pairs.neighbours[:MOST] == newcomer)
    kept = np.arange(MOST) != place
    assert pairs.rooms[0] == MOST
    assert pairs.after[place] == before.after[place] + UNITS
    assert pairs.before[place] == before.before[place]
    for name in ("neighbours", "after", "before"):
        assert np.array_equal(getattr(pairs, name)[:MOST][kept], getattr(before, name)[:MOST][kept])
    first = newcomer * 0x9E3779B1 >> 15
    within = [(first + step) % MOST for step in range(_REACH)]
    assert place == min(within, key=lambda at: before.after[at])


def test_frequent_neighbours_survive_a_flood_of_rare_ones() -> None:
    pairs, draw = Cooccurrence(5000), np.random.default_rng(0)
    for _ in range(40):
        rare = draw.integers(100, 5000, 100)
        Stream([(int(row), 1.0, [0]) for row in rare] + [(row, 1.0, [0]) for row in range(1, 11)]).learn(pairs)
    assert pairs.rooms[0] == MOST
    assert set(range(1, 11)) <= set(table(pairs, 0))


def test_full_counters_stay_full() -> None:
    pairs, most = Cooccurrence(3), 2**31 - 10
    both_ways = Stream([(2, 1.0, [1]), (1, 1.0, [2])])
    both_ways.learn(pairs)
    for row in (1, 2):
        # About 850,000 visits to the one straight after the other fill 31 bits.
        (at,) = np.flatnonzero(pairs.after[pairs.starts[row] :][:_LEAST]) + pairs.starts[row]
        pairs.after[at] = pairs.before[at] = most
        pairs.totals[row] = most, 2 * most
    for _ in range(3):
        both_ways.learn(pairs)
    for row, other in ((1, 2), (2, 1)):
        assert min(table(pairs, row)[other]) >= most
        assert pairs.neighbours_of(row)[1][0] == pytest.approx(1.0, rel=1e-3)


def test_neighbours_come_with_the_cosine_of_the_counts() -> None:
    stream, pairs = crowd(ROWS, 80, 0, lately=3), Cooccurrence(ROWS)
    stream.learn(pairs)
    expected = Counts(stream)
    for row in range(ROWS):
        cosine = {
            other: (expected.after[row, other] + expected.before[row, other])
            / np.sqrt(float(expected.totals[row]) * expected.totals[other])
            for other in {b for a, b in (*expected.after, *expected.before) if a == row}
        }
        rows, scores = pairs.neighbours_of(row)
        assert dict(zip(rows.tolist(), scores.tolist(), strict=True)) == pytest.approx(cosine, rel=1e-6)


def test_an_item_without_neighbours_has_none() -> None:
    rows, scores = Cooccurrence(3).neighbours_of(1)
    assert (len(rows), len(scores)) == (0, 0)


@pytest.mark.parametrize("n", [3, 900, 4000])
def test_a_restored_model_that_grew_goes_on_alike(n: int) -> None:
    one, other = Cooccurrence(300), Cooccurrence(900)
    crowd(300, n, 1).learn(one)
    other.restore(one.state(300))
    one.grow(900)
    for each in (one, other):
        crowd(900, 4000, 2).learn(each)
        check_pool(each)
    for name, array in one.state(900).items():
        assert np.array_equal(array, other.state(900)[name])
