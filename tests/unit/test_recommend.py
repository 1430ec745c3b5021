"""What may be shown, and in which order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.lists.recommend import FALLBACKS, Recommendation, Wishes, personal, pick, shared
from serving.reading.values import ItemList, ItemRecord, UserList

ids = st.sampled_from([f"i{number}" for number in range(12)])
lists = st.lists(ids, max_size=12)  # with duplicates, as a broken writer might store them


def user_list(items: list[str], reasons: list[list[str]] | None = None, ratings: list[float] | None = None) -> UserList:
    return UserList(items, falling(items), "7.42", 1000, reasons or [], ratings)


def item_list(items: list[str]) -> ItemList:
    return ItemList(items, falling(items), 1000)


def recommend(
    stored: UserList | None,
    fallbacks: dict[str, ItemList],
    withheld: set[str],
    wishes: Wishes,
    records: dict[str, ItemRecord] | None = None,
) -> tuple[str, list[Recommendation]]:
    sources = [personal(stored)] if stored else [shared(name, listed) for name, listed in fallbacks.items()]
    return pick(sources, withheld, wishes, records)


def falling(items: list[str]) -> list[float]:
    return [1 / (rank + 1) for rank in range(len(items))]


stored_lists = st.none() | st.builds(
    user_list,
    lists,
    st.lists(st.lists(ids, max_size=3).map(lambda earlier: ["together", *earlier]), max_size=12),
    st.none() | st.lists(st.floats(1, 5), max_size=12),
)
fallback_lists = st.dictionaries(st.sampled_from(FALLBACKS), lists.map(item_list))


@given(stored_lists, fallback_lists, st.frozensets(ids), st.sets(ids), st.integers(1, 20), st.integers(0, 5))
def test_nothing_is_shown_twice_nor_excluded_nor_withheld_nor_beyond_n(
    stored: UserList | None,
    fallbacks: dict[str, ItemList],
    exclude: frozenset[str],
    withheld: set[str],
    n: int,
    offset: int,
) -> None:
    _, entries = recommend(stored, fallbacks, withheld, Wishes(n, offset, exclude))
    shown = [entry.item for entry in entries]
    assert len(shown) == len(set(shown)) <= n
    assert not (exclude | withheld) & set(shown)


@given(stored_lists, fallback_lists, st.frozensets(ids), st.sets(ids), st.integers(1, 20))
def test_places_stay_empty_only_when_nothing_is_left_to_show(
    stored: UserList | None, fallbacks: dict[str, ItemList], exclude: frozenset[str], withheld: set[str], n: int
) -> None:
    _, shown = recommend(stored, fallbacks, withheld, Wishes(n, exclude=exclude))
    everyones = {item for listed in fallbacks.values() for item in listed.items}
    candidates = set(stored.items) if stored else everyones
    assert len(shown) == min(n, len(candidates - exclude - withheld))


@given(st.lists(ids, unique=True), fallback_lists, st.frozensets(ids), st.integers(1, 20))
def test_the_users_own_order_is_kept(
    own: list[str], fallbacks: dict[str, ItemList], exclude: frozenset[str], n: int
) -> None:
    _, shown = recommend(user_list(own), fallbacks, set(), Wishes(n, exclude=exclude))
    wanted = [item for item in own if item not in exclude][:n]
    assert [entry.item for entry in shown] == wanted


@given(stored_lists, fallback_lists, st.integers(1, 20))
def test_scores_reasons_and_ratings_are_those_stored_with_the_item(
    stored: UserList | None, fallbacks: dict[str, ItemList], n: int
) -> None:
    for entry in recommend(stored, fallbacks, set(), Wishes(n))[1]:
        if stored and entry.item in stored.items:
            place = stored.items.index(entry.item)
            assert entry.score == stored.scores[place]
            assert entry.reasons == (stored.reasons[place] if place < len(stored.reasons) else [])
            ratings = stored.ratings or []
            assert entry.rating == (ratings[place] if place < len(ratings) else None)
        else:
            (source,) = entry.reasons
            listed = fallbacks[source]
            assert entry.score == listed.scores[listed.items.index(entry.item)]


wishes = st.builds(
    Wishes,
    st.integers(1, 20),
    st.integers(0, 5),
    categories=st.frozensets(st.sampled_from("xyz")),
    all_categories=st.booleans(),
    per_category=st.integers(0, 3),
    per_brand=st.integers(0, 3),
)
records = st.dictionaries(
    ids,
    st.builds(
        ItemRecord,
        ids,
        categories=st.lists(st.sampled_from("xyz"), max_size=2),
        brand=st.none() | st.sampled_from("pq"),
    ),
)


@given(st.lists(ids, unique=True), wishes, records)
def test_what_is_wished_is_kept_and_the_order_stays(
    own: list[str], wished: Wishes, known: dict[str, ItemRecord]
) -> None:
    _, shown = recommend(user_list(own), {}, set(), wished, known)
    expected: list[str] = []
    for item in own:
        record = known.get(item, ItemRecord(item))
        taken = [known.get(other, ItemRecord(other)) for other in expected]
        same_category = sum(other.categories[:1] == record.categories[:1] != [] for other in taken)
        same_brand = sum(other.brand == record.brand is not None for other in taken)
        fits = (
            wished.categories <= set(record.categories)
            if wished.all_categories
            else (not wished.categories or bool(wished.categories & set(record.categories)))
        )
        if (
            fits
            and (not wished.per_category or not record.categories or same_category < wished.per_category)
            and (not wished.per_brand or record.brand is None or same_brand < wished.per_brand)
        ):
            expected.append(item)
    assert [entry.item for entry in shown] == expected[wished.offset : wished.offset + wished.n]


@given(stored_lists, fallback_lists, st.integers(0, 12), st.floats(0, 1))
def test_pages_put_together_are_the_whole_list(
    stored: UserList | None, fallbacks: dict[str, ItemList], cut: int, diversity: float
) -> None:
    def page(n: int, offset: int) -> list[str]:
        vectors = {f"i{number}": np.array([number % 3, number % 5], np.float32) for number in range(9)}
        sources = [personal(stored)] if stored else [shared(name, listed) for name, listed in fallbacks.items()]
        _, entries = pick(sources, set(), Wishes(n, offset, diversity=diversity), vectors=vectors)
        return [entry.item for entry in entries]

    whole = page(100, 0)
    assert whole == (page(cut, 0) if cut else []) + page(100, cut)
    assert set(whole) == {entry.item for entry in recommend(stored, fallbacks, set(), Wishes(100))[1]}


def test_a_user_with_a_list_is_at_the_personal_stage() -> None:
    assert recommend(user_list(["a"]), {}, set(), Wishes())[0] == "personal"


def test_an_unknown_user_is_shown_what_is_popular() -> None:
    everyones = {"popular": item_list(["a", "b"]), "latest": item_list(["c"])}
    stage, entries = recommend(None, everyones, set(), Wishes(exclude=frozenset("a")))
    assert stage == "popular"
    assert [(entry.item, entry.reasons) for entry in entries] == [("b", ["popular"]), ("c", ["latest"])]


def test_a_list_that_is_used_up_is_not_filled_with_what_the_user_may_have_had() -> None:
    assert recommend(user_list(["a"]), {"popular": item_list(["had"])}, {"a"}, Wishes()) == ("empty", [])


def test_without_any_list_the_answer_is_empty() -> None:
    assert recommend(None, {}, set(), Wishes()) == ("empty", [])
