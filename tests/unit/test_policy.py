"""The list policy gives what its plain twin gives, and keeps its laws: caps, diversity, a bounded share for the new."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workload import START, events, introduce, learned

from contracts.events import Item
from models.engine import Engine
from models.kernel import draw, draw_below
from models.policy import MOST_EXPLORED, NO_POLICY, Policy, Rules, arrange, salts
from models.selection import EXCLUDED, NONE

ROWS = 160


class Case:
    """One user's scores, and items with groups, vectors and events."""

    def __init__(self, seed: int, policy: Policy, n: int = 40, few: float = 0.3, groups: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.n, self.policy = n, policy
        self.scores = rng.normal(0, 1, ROWS).astype(np.float32)
        self.scores[rng.random(ROWS) < 0.2] = EXCLUDED
        self.withheld = rng.random(ROWS) < 0.1
        self.scores[self.withheld] = EXCLUDED
        self.outputs = rng.normal(0, 1, (ROWS, 8)).astype(np.float32)
        self.groups = rng.integers(-1, groups, (2, ROWS)).astype(np.int32)
        self.events = np.where(rng.random(ROWS) < few, 0, 1000)
        self.salt = int(rng.integers(2**62))
        self.rules = policy.rules(self.groups, self.events, self.withheld, np.zeros(1, np.uint64))

    @cached_property
    def picked(self) -> np.ndarray:
        order = np.argsort(-self.scores, kind="stable")
        order = order[self.scores[order] > EXCLUDED]
        return order[: self.rules.surplus * self.n].astype(np.int32)

    def made(self) -> list[int]:
        """Return the list that the kernel makes."""
        rows, scores = np.full(self.n, NONE, np.int32), np.zeros(self.n, np.float32)
        picked = self.picked
        length = arrange(
            picked, self.scores[picked], self.scores, self.outputs, self.rules, np.uint64(self.salt), rows, scores
        )
        assert (rows[length:] == NONE).all()
        assert scores[:length].tolist() == self.scores[rows[:length]].tolist()
        found: list[int] = rows[:length].tolist()
        return found

    def expected(self) -> list[int]:
        """Return the list that the rules give, written plainly."""
        shown: list[int] = []
        picked = self.picked.tolist()
        explored = 0
        while len(shown) < self.n:
            place = len(shown) % self.policy.page
            page = shown[len(shown) - place :]
            if place == 0:
                explored, places = 0, _places(len(shown), self.rules, self.salt)
            left = [row for row in picked if row not in shown and self.fits(row, page)]
            if place in places:
                explored += 1
                few = [r for r in self.rules.few.tolist() if r not in shown and self.fits(r, page)]
                few = [row for row in few if self.scores[row] > EXCLUDED]
                if few and sum(row in self.rules.few for row in page) < explored:
                    shown.append(max(few, key=lambda row: (self.scores[row], row)))
                    continue
            if not left:
                break
            shown.append(max(left, key=lambda row: (self.value(row, shown), -picked.index(row))))
        return shown

    def fits(self, row: int, page: list[int]) -> bool:
        limits = (self.policy.per_category, self.policy.per_brand)
        return all(
            limit == 0 or group[row] < 0 or sum(group[other] == group[row] for other in page) < limit
            for limit, group in zip(limits, self.groups, strict=True)
        )

    @cached_property
    def units(self) -> np.ndarray:
        """The items' vectors, each of length one."""
        return self.outputs / np.linalg.norm(self.outputs, axis=1, keepdims=True)

    def value(self, row: int, shown: list[int]) -> float:
        if not self.policy.diversity:
            return float(self.scores[row])
        best, worst = self.scores[self.picked[[0, -1]]].astype(float)
        relevance = (self.scores[row] - worst) / (best - worst)
        nearest = max((self.units[shown] @ self.units[row]).tolist(), default=-1.0)
        return float((1 - self.policy.diversity) * relevance - self.policy.diversity * nearest)


def _places(start: int, rules: Rules, salt: int) -> range:
    """Return the places on a page that are explored."""
    wanted = rules.page * rules.share
    chance = (int(draw(np.uint64(salt), np.uint64(2 * start))) >> 11) / 2**53
    n = int(wanted) + (chance < wanted - int(wanted))
    lower = rules.page - rules.page // 2
    at = rules.page // 2 + draw_below(np.uint64(salt), np.uint64(2 * start + 1), lower - n + 1)
    return range(at, at + n)


POLICIES = [
    NO_POLICY,
    Policy(per_category=2, explore_share=0.0),
    Policy(per_brand=1, page=4, explore_share=0.0),
    Policy(diversity=0.4, explore_share=0.0),
    Policy(diversity=1.0, explore_share=0.0),
    Policy(explore_share=0.2),
    Policy(explore_share=0.13, page=7),
    Policy(page=9, per_category=3, per_brand=3, diversity=0.25, explore_share=0.15),
]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@pytest.mark.parametrize("few", [0.0, 0.05, 1.0])
def test_lists_are_those_of_the_plain_rules(policy: Policy, few: float) -> None:
    for seed in range(12):
        case = Case(seed, policy, few=few)
        assert case.made() == case.expected()


policies = st.builds(
    Policy,
    page=st.integers(1, 30),
    per_category=st.integers(0, 4),
    per_brand=st.integers(0, 4),
    diversity=st.sampled_from([0.0, 0.3, 1.0]),
    explore_share=st.sampled_from([0.0, 0.02, 0.11, MOST_EXPLORED]),
)


@given(st.integers(0, 2**32), policies, st.integers(0, 60), st.sampled_from([0.0, 0.1, 1.0]))
@settings(max_examples=150)
def test_whatever_the_policy_only_candidates_are_listed_and_no_page_holds_too_much(
    seed: int, policy: Policy, n: int, few: float
) -> None:
    case = Case(seed, policy, n, few)
    shown = case.made()
    assert len(shown) == len(set(shown)) <= n
    assert (case.scores[shown] > EXCLUDED).all()
    for start in range(0, len(shown), policy.page):
        page = shown[start : start + policy.page]
        for limit, group in zip((policy.per_category, policy.per_brand), case.groups, strict=True):
            held = [int(number) for number in group[page] if number >= 0]
            assert not limit or all(held.count(number) <= limit for number in held)
    if not policy.per_category and not policy.per_brand:
        assert len(shown) == min(n, len(case.picked))


def test_without_a_policy_the_best_stand_in_the_order_of_their_scores() -> None:
    case = Case(0, NO_POLICY)
    assert case.made() == case.picked.tolist()


def test_more_diversity_makes_items_less_alike() -> None:
    def alike(policy: Policy) -> float:
        case = Case(3, policy, n=10)
        units = case.outputs / np.linalg.norm(case.outputs, axis=1, keepdims=True)
        shown = units[case.made()]
        return float((shown @ shown.T).sum())

    off, some, full = (alike(Policy(diversity=value, explore_share=0.0)) for value in (0.0, 0.5, 1.0))
    assert off > some > full


def explored(case: Case) -> list[int]:
    """Return the places of items with few events, of a list whose own candidates are all frequent."""
    return [place for place, row in enumerate(case.made()) if case.rules.is_few[row]]


def rarely(share: float, salt: int, page: int = 10) -> Case:
    """Return a case in which the items with few events have the lowest scores of all."""
    case = Case(1, Policy(explore_share=share, page=page), n=40, few=0.2)
    case.salt = salt
    few = case.rules.is_few & (case.scores > EXCLUDED)
    case.scores[few] -= 100
    return case


@pytest.mark.parametrize("share", [0.02, 0.1, 0.15, 0.2])
def test_the_share_of_explored_places_is_bounded_on_every_page_and_right_on_average(share: float) -> None:
    total = 0
    for salt in range(300):
        places = explored(rarely(share, salt * 7919))
        assert all(place % 10 >= 5 for place in places)
        for page in range(4):
            assert sum(place // 10 == page for place in places) <= math.ceil(10 * share)
        total += len(places)
    assert total / (300 * 40) == pytest.approx(share, abs=0.012)


def test_explored_are_the_best_scored_of_few_events() -> None:
    case = rarely(0.2, 5)
    few = [row for row in np.argsort(-case.scores).tolist() if case.rules.is_few[row]]
    shown = case.made()
    assert [shown[place] for place in explored(case)] == few[: len(explored(case))]


def test_a_page_that_holds_enough_of_few_events_is_left_as_it_is() -> None:
    case = Case(1, Policy(explore_share=0.2), few=1.0)
    assert case.made() == case.picked.tolist()


def test_of_very_many_items_with_few_events_the_newest_are_always_looked_at() -> None:
    n = 5000
    scores = np.zeros(n, np.float32)
    scores[:100] = 5.0
    scores[n - 1] = 1.0
    events = np.where(np.arange(n) < 100, 1000, 0)
    groups = np.full((2, n), NONE, np.int32)
    rules = Policy(explore_share=0.2).rules(groups, events, np.zeros(n, np.bool_), np.zeros(1, np.uint64))
    rows, best = np.full(10, NONE, np.int32), np.zeros(10, np.float32)
    picked = np.arange(10, dtype=np.int32)
    arrange(picked, scores[picked], scores, np.zeros((n, 2), np.float32), rules, np.uint64(1), rows, best)
    assert n - 1 in rows


def test_draws_depend_on_seed_user_and_position_and_on_nothing_else() -> None:
    one = salts(["a", "b"], 1, 7)
    assert one.tolist() == salts(["a", "b"], 1, 7).tolist()
    assert salts(["b"], 1, 7)[0] == one[1]
    others = [salts(["a"], 1, 8)[0], salts(["a"], 2, 7)[0], one[1]]
    assert one[0] not in others


@pytest.mark.parametrize(
    ("field", "value"),
    [("page", 0), ("per_category", -1), ("diversity", 1.5), ("explore_share", 0.3), ("explore_below", -1)],
)
def test_a_setting_out_of_range_is_named(field: str, value: float) -> None:
    wrong: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        Policy(**wrong)


@pytest.mark.parametrize("policy", [Policy(explore_share=0.2), POLICIES[-1]], ids=repr)
def test_by_no_rule_does_an_item_come_in_that_the_user_had_or_that_is_withheld(policy: Policy) -> None:
    stream = events(600, users=10, items=70)
    model = learned(stream, engine=Engine(resident_users=1000, rating_users=1000, rules=policy))
    introduce(model.items, [f"new {n}" for n in range(40)])
    for n in range(20):
        model.availability.put(Item(f"new {n}", hidden=n % 2 == 0, deleted=n % 2 == 1), START)
        model.labels.put(Item(f"i{n}", categories=["odd" if n % 2 else "even"], brand=f"b{n % 3}"))
    users = list(model.users)
    lists = model.refresh(np.array([model.users.slot(user) for user in users], np.int32), 50, 10)
    introduced = 0
    for user, rows in zip(users, lists.rows, strict=True):
        shown = [model.items.catalogue.ids[row] for row in rows.tolist() if row != NONE]
        assert shown
        assert not {event.item for event in stream if event.user == user} & set(shown)
        assert not {f"new {n}" for n in range(20)} & set(shown)
        introduced += len({f"new {n}" for n in range(20, 40)} & set(shown))
    assert introduced
