"""Thirteen events whose ranks, masks and reasons for not being ranked are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workload import events as random_events
from workload import observe

from contracts.events import Click, Item, Rating
from evaluation import protocols
from evaluation.contenders import MODELS, Learned, Moment, contender
from evaluation.drive import Drive
from evaluation.placings import Placings
from evaluation.protocols import Plan, leave_one_out, prequential, second_event, temporal
from evaluation.rows import Row
from evaluation.stream import Stream, read_stream
from models.engine import Engine

# Position 0 … 12, after the third line is dropped: b's previous item again.
LINES = "ax ay bx bx bz az cy cz by aw cw ax dw dx"


@dataclass
class Events:
    """A data set in memory."""

    rows: Sequence[Row]
    name: str = "by hand"
    files: tuple[Path, ...] = ()
    size: int | None = None

    def events(self) -> Iterator[Row]:
        return iter(self.rows)

    def items(self) -> Iterator[Item]:
        return iter(())


def stream(lines: str = LINES) -> Stream:
    """Return a stream of clicks, a second apart: user and item are one letter each."""
    clicks = [Click(user, item, 1000 * second) for second, (user, item) in enumerate(lines.split())]
    return read_stream([Events(clicks)])


class Recorder:
    """Says the same of all items, and writes down which of them compete."""

    def __init__(self) -> None:
        self.candidates: dict[int, str] = {}

    def learn(self, events: Learned) -> None:
        pass

    def score(self, moment: Moment) -> Any:
        ids = moment.items.catalogue.ids
        self.candidates[moment.position] = "".join(sorted(ids[row] for row in np.flatnonzero(moment.candidate)))
        return np.zeros(len(moment.candidate))


def drive(plan: Plan, models: Sequence[str] = (), **options: Any) -> tuple[Placings, Recorder]:
    recorder = Recorder()
    contenders = {name: contender(name, 0) for name in models} | {"nobody": recorder}
    wishes = protocols.wishes(plan.stream, {}, options.pop("least_rating", None))
    (placings,) = Drive([plan], Engine(), contenders, 3, wishes, **options).run()
    return placings, recorder


def ranks(placings: Placings, model: str) -> dict[int, float]:
    return dict(zip(placings.event.tolist(), placings.ranks[model].tolist(), strict=True))


def test_immediate_repeats_are_dropped_before_anything_is_counted() -> None:
    made = stream()
    assert (len(made), made.left_out) == (13, {"repeat": 1})


def test_every_event_is_ranked_or_passed_over_for_a_reason() -> None:
    placings, _ = drive(prequential(stream(), warmup=0.0))
    assert placings.event.tolist() == [4, 6, 7, 9, 12]
    assert placings.passed_over == {"first of user": 4, "first of item": 3, "had before": 1}


def test_what_competes_is_what_was_seen_before_but_the_users_own() -> None:
    _, recorder = drive(prequential(stream(), warmup=0.0))
    assert recorder.candidates == {4: "z", 6: "xz", 7: "y", 9: "wx", 12: "xyz"}


def test_ranks_are_those_worked_out_by_hand_and_ties_stand_at_their_mean() -> None:
    placings, _ = drive(prequential(stream(), warmup=0.0), MODELS)
    # Counts before event 6: x 2, z 2; before 9: x 2, w 1; before 12: x 3, y 3, z 3.
    assert ranks(placings, "popularity-7d") == {4: 1.0, 6: 1.5, 7: 1.0, 9: 2.0, 12: 2.0}
    # The same counts, but of two equal ones the later one counts a little more.
    assert ranks(placings, "popularity") == {4: 1.0, 6: 1.0, 7: 1.0, 9: 2.0, 12: 3.0}
    # Last used before event 6: x at 2, z at 4; before 9: x at 2, w at 8; before 12: x at 10, y at 7, z at 6.
    assert ranks(placings, "recency") == {4: 1.0, 6: 1.0, 7: 1.0, 9: 1.0, 12: 1.0}
    # z came after y, w after z and y, x after w; the others never did.
    assert ranks(placings, "followed") == {4: 1.0, 6: 1.0, 7: 1.0, 9: 1.0, 12: 1.0}
    assert ranks(placings, "nobody") == {4: 1.0, 6: 1.5, 7: 1.0, 9: 1.5, 12: 2.0}


def test_lists_hold_the_best_candidates_and_end_where_there_are_no_more() -> None:
    made = stream()
    placings, _ = drive(prequential(made, warmup=0.0), ["popularity"])
    catalogue = [made.items[item] for item in range(4)]  # rows are given in the order of first appearance
    named = ["".join(catalogue[row] for row in rows if row >= 0) for rows in placings.lists["popularity"]]
    assert named == ["z", "zx", "y", "xw", "yzx"]


def test_with_repeats_the_users_own_items_are_ranked_and_compete() -> None:
    placings, recorder = drive(prequential(stream(), warmup=0.0), ["popularity-7d", "recency"], repeats=True)
    assert recorder.candidates[10] == "wxyz"
    # Counts: x 2, y 3, z 3, w 2; x was used longest ago.
    assert ranks(placings, "popularity-7d")[10] == 3.5
    assert ranks(placings, "recency")[10] == 4.0
    assert placings.passed_over == {"first of user": 4, "first of item": 3}


@pytest.mark.parametrize(
    ("every", "warmup", "chosen"),
    [(1, 0.9, [12]), (2, 0.5, [8, 10, 12]), (3, 0.0, [0, 3, 6, 9, 12]), (5, 0.1, [5, 10]), (1, 1.0, [])],
)
def test_chosen_is_every_nth_position_from_the_warm_up_on(every: int, warmup: float, chosen: list[int]) -> None:
    assert prequential(stream(), every, warmup).chosen.tolist() == chosen


@pytest.mark.parametrize("every", [2, 3])
def test_what_is_not_ranked_is_learned_all_the_same(every: int) -> None:
    models = [name for name in MODELS if name not in ("blend", "embeddings")]  # their draws depend on the records
    all_of_them, _ = drive(prequential(stream(), 1, 0.0), models)
    some, _ = drive(prequential(stream(), every, 0.0), models)
    for name in models:
        whole = ranks(all_of_them, name)
        assert ranks(some, name) == {event: whole[event] for event in whole if event % every == 0}


def test_with_a_lag_only_what_lies_further_back_is_known() -> None:
    placings, recorder = drive(prequential(stream(), warmup=0.0), ["popularity-7d"], lag=3)
    # Before event 6 only 0, 1 and 2 are learned, so z is not known; before 9 w is not; before 12 all but 9, 10 and 11.
    assert recorder.candidates == {7: "y", 12: "xyz"}
    assert ranks(placings, "popularity-7d") == {7: 1.0, 12: 3.0}
    assert placings.passed_over == {"first of user": 4, "first of item": 6, "had before": 1}
    assert placings.learned == 13


def test_frozen_nothing_is_learned_after_the_cut_and_each_user_is_ranked_once() -> None:
    plan = temporal(stream(), cut=0.5)
    assert (plan.learned, plan.chosen.tolist()) == (7, [7, 8, 9, 11])
    placings, recorder = drive(plan)
    assert recorder.candidates == {7: "y"}
    assert placings.passed_over == {"first of item": 2, "first of user": 1}
    assert placings.learned == 7


def test_live_the_same_events_are_ranked_while_learning_goes_on() -> None:
    _, recorder = drive(temporal(stream(), cut=0.5, live=True))
    assert recorder.candidates == {7: "y", 9: "wx"}


def test_several_plans_in_one_pass_rank_as_each_alone() -> None:
    made = read_stream([Events(random_events(900))])
    plans = [temporal(made, cut, live) for cut in (0.3, 0.6, 0.9) for live in (False, True)]
    models = ["popularity-7d", "recency", "followed"]
    contenders = {name: contender(name, 0) for name in models}
    together = Drive(plans, Engine(), contenders, 3, protocols.wishes(made, {})).run()
    for plan, placings in zip(plans, together, strict=True):
        alone, _ = drive(plan, models)
        assert placings.event.tolist() == alone.event.tolist()
        assert placings.passed_over == alone.passed_over
        for name in models:
            assert np.array_equal(placings.ranks[name], alone.ranks[name])
            assert np.array_equal(placings.lists[name], alone.lists[name])


def test_a_frozen_model_meets_the_history_and_the_time_of_the_later_event() -> None:
    moments: list[Moment] = []

    class Witness(Recorder):
        def score(self, moment: Moment) -> Any:
            moments.append(moment)
            return super().score(moment)

    plan = temporal(stream("ax by ay bz cx cz dx az bx"), cut=0.7)
    Drive([plan], Engine(), {"witness": Witness()}, 3, protocols.wishes(plan.stream, {})).run()
    assert [(each.position, each.time, plan.stream.users[each.user]) for each in moments] == [
        (7, 7000, "a"),
        (8, 8000, "b"),
    ]
    rows = [[plan.stream.items[row] for row in each.recent if row >= 0] for each in moments]
    assert rows == [["y", "x"], ["z", "y"]]


def test_a_newcomers_second_event_is_ranked_and_no_other() -> None:
    plan = second_event(stream(), warmup=0.0)
    assert plan.chosen.tolist() == [1, 3, 6, 12]
    assert drive(plan)[0].passed_over == {"first of item": 2}
    assert second_event(stream(), warmup=0.4).chosen.tolist() == [6, 12]
    assert second_event(stream("ax by"), warmup=0.0).chosen.tolist() == []


def test_leaving_one_out_learns_all_but_each_users_last_event_then_ranks_those() -> None:
    plan = leave_one_out(stream())
    assert [plan.stream.users[user] for user in plan.stream.user[plan.chosen]] == ["b", "c", "a", "d"]
    placings, recorder = drive(plan, ["popularity-7d"])
    # Counts then: x 2, y 2, z 3, w 2.
    assert recorder.candidates == {9: "wy", 10: "wx", 12: "xyz"}
    assert ranks(placings, "popularity-7d") == {9: 1.5, 10: 1.5, 12: 2.5}
    assert (placings.passed_over, placings.learned) == ({"had before": 1}, 9)


def test_newcomers_first_events_are_ranked_where_that_is_asked_for() -> None:
    placings, recorder = drive(prequential(stream(), warmup=0.0), ["popularity-7d"], newcomers=True)
    assert placings.passed_over == {"first of item": 4, "had before": 1}
    # b's and d's; c's was y, when x had been used twice and y and z once.
    assert {event: recorder.candidates[event] for event in (2, 5, 11)} == {2: "xy", 5: "xyz", 11: "wxyz"}
    assert {event: ranks(placings, "popularity-7d")[event] for event in (2, 5, 11)} == {2: 1.5, 5: 3.0, 11: 4.0}


def test_what_is_no_wish_is_history_but_no_target() -> None:
    rows = [Click("a", "x", 0), Click("b", "y", 1), Click("b", "x", 2, "dislike"), Rating("a", "y", 2.0, 3)]
    plan = prequential(read_stream([Events(rows)]), warmup=0.0)
    assert drive(plan)[0].event.tolist() == [3]
    placings, _ = drive(plan, least_rating=3.0)
    assert placings.passed_over == {"first of user": 2, "no wish": 2}


def test_old_events_leave_the_popularity_of_seven_days() -> None:
    day = 24 * 3600 * 1000
    rows = [Click("a", "x", 0), Click("b", "x", 1), Click("c", "y", 7 * day), Click("d", "z", 7 * day + 1)]
    rows += [Click("e", "z", 7 * day + 2), Click("d", "y", 7 * day + 3)]
    placings, _ = drive(prequential(read_stream([Events(rows)]), warmup=0.0), ["popularity-7d", "popularity"])
    assert ranks(placings, "popularity-7d") == {5: 1.0}  # y 1, x 0
    assert ranks(placings, "popularity") == {5: 2.0}


def test_ranks_are_those_of_the_engine_asked_event_by_event() -> None:
    made = random_events(1500, ratings=0.3, types=("click", "view"))
    plan = prequential(read_stream([Events(made)]), warmup=0.0)
    placings, _ = drive(plan, ["blend", "popularity"])
    engine, expected = Engine(), {}
    for position, event in enumerate(plan.stream.events(0, len(plan.stream))):
        observation = observe(engine, [event], position)
        found = engine.rank(observation)
        if len(found.events):
            expected[position] = (found.blend[0], found.popularity[0])
        engine.learn(observation.lessons, position)
    assert placings.event.tolist() == list(expected)
    by_engine = np.array(list(expected.values()))
    assert np.array_equal(placings.ranks["popularity"], by_engine[:, 1])
    # The one product is a sum in another order: two scores may change places.
    assert (np.abs(placings.ranks["blend"] - by_engine[:, 0]) <= 1.0).all()
    assert (placings.ranks["blend"] == by_engine[:, 0]).mean() > 0.99


def test_the_same_seed_gives_the_same_ranks_and_lists() -> None:
    plan = prequential(read_stream([Events(random_events(600))]), 3)
    (one, _), (other, _) = drive(plan, MODELS), drive(plan, MODELS)
    for name in MODELS:
        assert np.array_equal(one.ranks[name], other.ranks[name])
        assert np.array_equal(one.lists[name], other.lists[name])


def test_what_one_has_had_comes_again_by_how_often_and_how_lately() -> None:
    made = stream("ax ay az ay ax aw ay ax aw")
    placings, _ = drive(prequential(made, warmup=0.0), ["repeat-recency"], repeats=True)
    # Before event 8 his places are x 1 4 8, y 2 5 7, w 3, z 6: w, with a third, stands behind y and x.
    assert ranks(placings, "repeat-recency")[8] == 3.0


def test_shuffling_a_history_of_one_item_changes_nothing() -> None:
    placings, _ = drive(prequential(stream("ax bx by cx cy dx dy ey ex"), warmup=0.0), ["blend", "blend:shuffled"])
    assert ranks(placings, "blend") == ranks(placings, "blend:shuffled")


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_model_without_finite_scores_is_no_perfect_model(score: float) -> None:
    class Broken(Recorder):
        def score(self, moment: Moment) -> Any:
            return np.full(len(moment.candidate), score)

    plan = prequential(stream(), warmup=0.0)
    with pytest.raises(FloatingPointError, match="broken has scores that are not finite for event 4"):
        Drive([plan], Engine(), {"broken": Broken()}, 3, protocols.wishes(plan.stream, {})).run()


def test_an_unknown_model_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no model 'bland'; there are blend, .*random"):
        contender("bland", 0)
