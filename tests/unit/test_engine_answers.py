"""What the engine answers: lists, ranks, and what is shown to everybody."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import START, WISHES, Events, events, introduce, learned, observe, run

from contracts.events import NEGATIVE_TYPES, Click, Item, Rating
from contracts.learning import HISTORY
from models.checks import differences
from models.combine import SCORERS
from models.engine import Batch, Engine, Observation
from models.policy import Policy
from models.ranking import NONE
from models.scorers.popularity import POPULAR, TRENDING


def engine() -> Engine:
    return Engine(resident_users=1000, rating_users=1000)


def ids(model: Engine, rows: np.ndarray) -> list[str]:
    """Return the ids of a list's rows."""
    return [model.items.catalogue.ids[row] for row in rows.tolist() if row != NONE]


def test_lists_hold_nothing_that_the_user_had_or_that_is_withheld() -> None:
    stream, model = events(900, users=12, items=90), engine()
    had: dict[str, set[str]] = {}
    for position, _ in enumerate(run(model, stream, 60)):
        for event in stream[60 * position : 60 * position + 60]:
            had.setdefault(str(event.user), set()).add(str(event.item))
        model.availability.put(Item(f"i{position}", hidden=True), START)
        model.availability.put(Item(f"i{position - 3}"), START)
        withheld = {f"i{number}" for number in range(max(0, position - 2), position + 1)}
        slots = np.array([model.users.slot(user) for user in had], np.int32)
        lists = model.refresh(slots, 100, 20)
        assert np.isfinite(lists.scores).all()
        for user, rows in zip(had, lists.rows, strict=True):
            shown = ids(model, rows)
            assert not had[user] & set(shown)
            assert not withheld & set(shown)
            assert (
                set(shown)
                == {x for x in model.items.catalogue.ids if model.items.catalogue.lists(x)} - had[user] - withheld
            )


def test_an_item_that_the_model_learns_later_stays_out_of_the_lists_of_who_had_it() -> None:
    model = learned(events(300), engine=engine())
    observe(model, [Click("u1", "late", START)], 300)
    model.learn(observe(model, [Click("u2", "late", START + 1)], 301).lessons, model.items.position)
    slots = np.array([model.users.slot("u1"), model.users.slot("u3")], np.int32)
    lists = model.refresh(slots, 100, 5)
    assert "late" not in ids(model, lists.rows[0])
    assert "late" in ids(model, lists.rows[1])


def test_a_new_user_is_served_from_his_first_click() -> None:
    model = learned(events(600), engine=engine())
    observe(model, [Click("new", "i5", START + 10**9)], 600)
    lists = model.refresh(np.array([model.users.slot("new")], np.int32), 10, 10)
    assert len(ids(model, lists.rows[0])) == 10
    assert "i5" not in ids(model, lists.rows[0])
    named = [ids(model, grounds) for grounds in lists.grounds[0]]
    assert all(grounds in ([], ["i5"]) for grounds in named)
    assert ["i5"] in named
    assert set(lists.scorers[0].tolist()) <= set(range(len(SCORERS)))


def test_a_user_who_did_nothing_has_a_list_too() -> None:
    model = learned(events(300), engine=engine())
    model.users.admit("nobody", None)
    lists = model.refresh(np.array([model.users.slot("nobody")], np.int32), 10, 5)
    assert len(ids(model, lists.rows[0])) == 10


def test_asking_changes_nothing() -> None:
    stream, model = events(300), engine()
    *_, observation = run(model, stream, 60)
    items, users = model.items.state(), [model.users.encode(slot) for slot in range(len(model.users))]
    model.rank(observation)
    model.refresh(np.arange(5, dtype=np.int32), 20, 5)
    model.vectors(["u1"])
    model.popular(POPULAR, 5), model.latest(5), model.similar(1, 5), model.item_vector(1)
    assert differences(items, model.items.state()) == []
    assert users == [model.users.encode(slot) for slot in range(len(model.users))]


class Protocol:
    """Which events are scored, and among what, by the words of the protocol."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.had: dict[str, list[str]] = {}

    def scored(self, stream: Events) -> dict[int, set[str]]:
        """Return event → items that compete, of a batch; its items are known only after it."""
        found = {}
        for index, event in enumerate(stream):
            had, item = self.had.setdefault(str(event.user), []), str(event.item)
            if had and had[-1] == item:
                continue
            if had and item in self.known and item not in had:
                found[index] = self.known - set(had)
            had.append(item)
        wishes = [e for e in stream if isinstance(e, Rating) or e.type not in NEGATIVE_TYPES]
        self.known |= {str(event.item) for event in wishes}
        return found


@pytest.mark.parametrize("size", [1, 20])
def test_ranks_are_of_known_items_new_to_their_users_before_anything_is_learned(size: int) -> None:
    stream, model, protocol = events(400, types=WISHES), engine(), Protocol()
    for start, observation in zip(range(0, len(stream), size), run(model, stream, size), strict=True):
        expected, ranks = protocol.scored(stream[start : start + size]), model.rank(observation)
        assert ranks.events.tolist() == list(expected)
        catalogue, counts = model.items.catalogue, model.items.popularity.counts[:, POPULAR]
        for event, by_blend, by_popularity in zip(ranks.events, ranks.blend, ranks.popularity, strict=True):
            candidate = np.isin(catalogue.ids, list(expected[event]))
            target = catalogue.row(str(stream[start + event].item))
            assert 1.0 <= by_blend <= len(expected[event])
            assert by_popularity == reference.mean_rank(counts[: len(catalogue)], target, candidate)


def test_ranks_agree_with_lists() -> None:
    model = learned(events(600, types=WISHES), engine=engine())
    n = len(model.items.catalogue)
    for user in list(model.users)[:8]:
        lists = model.refresh(np.array([model.users.slot(user)], np.int32), n, 1, now_ms=START * 2)
        shown = ids(model, lists.rows[0])
        state = model.users.encode(model.users.slot(user))
        for place in (0, len(shown) // 2, len(shown) - 1):
            other = Engine(resident_users=10)
            other.items = model.items
            other.users.admit(user, state)
            assert other.rank(_click(other, user, shown[place])).blend.tolist() == [place + 1]


def _click(model: Engine, user: str, item: str) -> Observation:
    return model.observe(Batch([Click(user, item, START * 2)], [0], [-1], [False], []))


def test_popular_items_are_the_most_frequent_that_may_be_shown() -> None:
    stream = [Click(f"u{n}", f"i{min(n % 7, 3)}", START + n) for n in range(140)]
    model = learned(stream, engine=engine())
    assert model.popular(POPULAR, 2)[0] == ["i3", "i2"]
    names, shares = model.popular(TRENDING, 10)
    assert names[0] == "i3"
    assert len(names) == 4
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    model.availability.put(Item("i3", deleted=True), START)
    assert "i3" not in model.popular(POPULAR, 10)[0]


def test_latest_items_are_the_newest_that_may_be_shown() -> None:
    model = learned([Click("u", f"i{n}", START + n) for n in range(6)], engine=engine())
    model.availability.put(Item("i4", hidden=True), START)
    assert model.latest(3) == (["i5", "i3", "i2"], [1.0, 0.6667, 0.3333])


def test_latest_goes_by_creation_where_an_item_says_it_and_by_appearance_where_not() -> None:
    model = learned([Click("u", f"i{n}", START + n) for n in range(6)], engine=engine())
    model.labels.put(Item("i0", created=START + 9))
    model.labels.put(Item("i5", created=START - 9))
    introduce(model.items, ["new"])  # at the time of the newest event
    assert model.latest(9)[0] == ["i0", "new", "i4", "i3", "i2", "i1", "i5"]


def test_lists_for_everybody_may_be_of_some_items_only() -> None:
    model = learned([Click(f"u{n}", f"i{min(n % 7, 3)}", START + n) for n in range(140)], engine=engine())
    model.availability.put(Item("i3", hidden=True), START)
    among = model.items.catalogue.admit(["i0", "i1", "i3"])
    assert set(model.popular(POPULAR, 9, among)[0]) == set(model.latest(9, among)[0]) == {"i0", "i1"}


def test_an_empty_engine_answers() -> None:
    model = engine()
    assert model.popular(POPULAR, 5) == ([], [])
    assert model.latest(5) == ([], [])
    model.users.admit("u", None)
    assert (model.refresh(np.array([0], np.int32), 5, 3).rows == NONE).all()
    assert len(model.rank(observe(model, [Click("u", "a", START)])).events) == 0


def test_similar_items_are_neighbours_that_may_be_shown() -> None:
    stream = [Click(f"u{n}", item, START + 10 * n + k) for n in range(9) for k, item in enumerate(("a", "b", "c"))]
    model = learned(stream, engine=engine())
    row = model.items.catalogue.row("a")
    assert set(model.similar(row, 5)[0]) == {"b", "c"}
    model.availability.put(Item("b", hidden=True), START)
    assert model.similar(row, 5)[0] == ["c"]


def test_similar_items_may_be_kept_within_the_category() -> None:
    stream = [Click(f"u{n}", item, START + 10 * n + k) for n in range(9) for k, item in enumerate(("a", "b", "c"))]
    model = learned(stream, engine=Engine(resident_users=1000, rules=Policy(similar_in_category=True)))
    rows = [model.items.catalogue.row(item) for item in "abc"]
    for item, category in (("a", "x"), ("b", "y"), ("c", "x")):
        model.labels.put(Item(item, categories=[category]))
    assert [model.similar(row, 5)[0] for row in rows] == [["c"], [], ["a"]]
    model.labels.put(Item("b"))
    assert set(model.similar(rows[1], 5)[0]) == {"a", "c"}


def test_published_vectors_give_the_embeddings_score() -> None:
    stream, model = events(400), engine()
    learned(stream, engine=model)
    ((user, vector),) = model.vectors(["u2"])
    # What he disliked is no context for what comes next.
    of_user = [event for event in stream if event.user == "u2"]
    liked = [isinstance(event, Rating) or event.type not in NEGATIVE_TYPES for event in of_user]
    assert not all(liked)
    had = [str(event.item) if wish else "" for event, wish in zip(of_user, liked, strict=True)]
    rows = [model.items.catalogue.row(item) for item in had[::-1][:HISTORY]]
    embeddings = model.items.embeddings
    expected = reference.user_vector(rows, embeddings.inputs.astype(np.float64))
    assert user == "u2"
    for row in (0, 3, 20):
        score = expected @ embeddings.outputs[row] + embeddings.biases[row]
        assert vector @ model.item_vector(row) == pytest.approx(score, rel=1e-4, abs=1e-5)


def test_the_revision_grows_when_lists_may_change() -> None:
    model = engine()
    revisions = [model.revision]
    for position, _ in enumerate(run(model, events(60), 20)):
        revisions.append(model.revision)
        model.availability.put(Item("i1", hidden=position % 2 == 0), START)
        revisions.append(model.revision)
    model.availability.put(Item("i1", hidden=True), START)
    assert revisions[0] > 0
    assert revisions == sorted(revisions)
    assert len(set(revisions)) == 6
    assert model.revision == revisions[-1] + 1
