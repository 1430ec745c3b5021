"""What goes with recent items, and candidates in the order in which they suit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.lists.candidates import ordered
from serving.lists.recommend import Source
from serving.lists.session import DECAY, session
from serving.reading.values import ItemList

ids = st.sampled_from([f"i{number}" for number in range(8)])
near = st.none() | st.lists(st.tuples(ids, st.floats(0.01, 1)), max_size=6, unique_by=lambda pair: pair[0]).map(
    lambda pairs: ItemList([item for item, _ in pairs], [score for _, score in pairs], 1000)
)


@given(st.lists(ids, max_size=8), st.dictionaries(ids, near))
def test_a_score_is_the_recency_weighted_sum_and_recent_items_are_left_out(
    recent: list[str], known: dict[str, ItemList | None]
) -> None:
    source = session(recent, [known.get(item) for item in recent])
    expected: dict[str, float] = {}
    for k, item in enumerate(dict.fromkeys(reversed(recent))):
        listed = known.get(item)
        for other, score in zip(listed.items, listed.scores, strict=True) if listed else ():
            if other not in recent:
                expected[other] = expected.get(other, 0.0) + DECAY**k * score
    assert dict(zip(source.items, source.scores, strict=True)) == {k: round(v, 4) for k, v in expected.items()}
    assert list(source.scores) == sorted(source.scores, reverse=True)


def test_a_reason_names_the_recent_items_that_weigh_most() -> None:
    source = session(["old", "new"], [ItemList(["x"], [0.9], 5), ItemList(["x", "y"], [0.8, 0.1], 3)])
    assert source.entry(0).reasons == ["similar", "new", "old"]
    assert source.entry(1).reasons == ["similar", "new"]
    assert source.time == 3


@given(st.lists(ids, max_size=12), st.lists(ids, unique=True), st.dictionaries(ids, st.integers(-3, 3)))
def test_candidates_come_by_the_list_then_by_the_vectors_then_as_they_came(
    candidates: list[str], listed: list[str], tastes: dict[str, int]
) -> None:
    own = Source("personal", listed, [1.0] * len(listed), [["together", "z"]])
    vectors = {item: np.array([taste, 7], np.float32) for item, taste in tastes.items()}
    source = ordered(candidates, own, np.array([1, 0], np.float32), vectors)
    assert sorted(source.items) == sorted(set(candidates))

    def standing(item: str) -> tuple[int, float]:
        if item in listed:
            return 0, listed.index(item)
        return (1, -tastes[item]) if item in tastes else (2, candidates.index(item))

    assert [standing(item) for item in source.items] == sorted(standing(item) for item in set(candidates))


def test_vectors_of_another_length_count_as_none() -> None:
    user = np.array([1, 0], np.float32)
    assert ordered(["a", "b"], None, user, {"b": np.ones(3, np.float32)}).items == ["a", "b"]
    assert ordered(["a", "b"], None, user, {"b": np.ones(2, np.float32)}).items == ["b", "a"]
