"""What may be shown, and in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.recommend import FALLBACKS, Wishes, recommend
from serving.values import ItemList, ItemRecord, UserList

ids = st.sampled_from([f"i{number}" for number in range(12)])
lists = st.lists(ids, max_size=12)  # with duplicates, as a broken writer might store them


def user_list(items: list[str], reasons: list[list[str]] | None = None, ratings: list[float] | None = None) -> UserList:
    return UserList(items, falling(items), "7.42", 1000, reasons or [], ratings)


def item_list(items: list[str]) -> ItemList:
    return ItemList(items, falling(items), 1000)


def falling(items: list[str]) -> list[float]:
    return [1 / (rank + 1) for rank in range(len(items))]


stored_lists = st.none() | st.builds(
    user_list,
    lists,
    st.lists(st.lists(ids, max_size=3).map(lambda earlier: ["together", *earlier]), max_size=12),
    st.none() | st.lists(st.floats(1, 5), max_size=12),
)
fallback_lists = st.dictionaries(st.sampled_from(FALLBACKS), lists.map(item_list))


@given(stored_lists, fallback_lists, st.sets(ids), st.sets(ids), st.integers(1, 20))
def test_nothing_is_shown_twice_nor_excluded_nor_withheld_nor_beyond_n(
    stored: UserList | None, fallbacks: dict[str, ItemList], exclude: set[str], withheld: set[str], n: int
) -> None:
    shown = [entry.item for entry in recommend(stored, fallbacks, exclude, withheld, n).items]
    assert len(shown) == len(set(shown)) <= n
    assert not (exclude | withheld) & set(shown)


@given(stored_lists, fallback_lists, st.sets(ids), st.sets(ids), st.integers(1, 20))
def test_places_stay_empty_only_when_nothing_is_left_to_show(
    stored: UserList | None, fallbacks: dict[str, ItemList], exclude: set[str], withheld: set[str], n: int
) -> None:
    shown = [entry.item for entry in recommend(stored, fallbacks, exclude, withheld, n).items]
    shared = {item for listed in fallbacks.values() for item in listed.items}
    candidates = set(stored.items) if stored else shared
    assert len(shown) == min(n, len(candidates - exclude - withheld))


@given(st.lists(ids, unique=True), fallback_lists, st.sets(ids), st.integers(1, 20))
def test_the_users_own_order_is_kept(own: list[str], fallbacks: dict[str, ItemList], exclude: set[str], n: int) -> None:
    shown = [entry.item for entry in recommend(user_list(own), fallbacks, exclude, set(), n).items]
    wanted = [item for item in own if item not in exclude][:n]
    assert shown == wanted


@given(stored_lists, fallback_lists, st.integers(1, 20))
def test_scores_reasons_and_ratings_are_those_stored_with_the_item(
    stored: UserList | None, fallbacks: dict[str, ItemList], n: int
) -> None:
    for entry in recommend(stored, fallbacks, set(), set(), n).items:
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
    Wishes, st.frozensets(st.sampled_from("xyz")), per_category=st.integers(0, 3), per_brand=st.integers(0, 3)
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


@given(st.lists(ids, unique=True), wishes, records, st.integers(1, 20))
def test_what_is_wished_is_kept_and_the_order_stays(
    own: list[str], wished: Wishes, known: dict[str, ItemRecord], n: int
) -> None:
    shown = [entry.item for entry in recommend(user_list(own), {}, set(), set(), n, wished, known).items]
    expected: list[str] = []
    for item in own:
        record = known.get(item, ItemRecord(item))
        taken = [known.get(other, ItemRecord(other)) for other in expected]
        same_category = sum(other.categories[:1] == record.categories[:1] != [] for other in taken)
        same_brand = sum(other.brand == record.brand is not None for other in taken)
        if (
            len(expected) < n
            and (not wished.categories or wished.categories & set(record.categories))
            and (not wished.per_category or not record.categories or same_category < wished.per_category)
            and (not wished.per_brand or record.brand is None or same_brand < wished.per_brand)
        ):
            expected.append(item)
    assert shown == expected


def test_a_user_with_a_list_is_at_the_personal_stage() -> None:
    answer = recommend(user_list(["a"]), {}, set(), set(), 5)
    assert (answer.stage, answer.version, answer.time) == ("personal", "7.42", 1000)


def test_an_unknown_user_is_shown_what_is_popular() -> None:
    answer = recommend(None, {"popular": item_list(["a", "b"]), "latest": item_list(["c"])}, {"a"}, set(), 5)
    assert (answer.stage, answer.version) == ("popular", None)
    assert [(entry.item, entry.reasons) for entry in answer.items] == [("b", ["popular"]), ("c", ["latest"])]


def test_a_list_that_is_used_up_is_not_filled_with_what_the_user_may_have_had() -> None:
    answer = recommend(user_list(["a"]), {"popular": item_list(["had"])}, {"a"}, set(), 5)
    assert (answer.stage, answer.version, answer.items) == ("empty", "7.42", [])


def test_without_any_list_the_answer_is_empty() -> None:
    answer = recommend(None, {}, set(), set(), 5)
    assert (answer.stage, answer.items) == ("empty", [])
