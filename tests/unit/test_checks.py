"""The engine keeps every law; and each law is shown to find an engine that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.learning import Lessons
from models.checks import Law, LawBroken, check_all, differences, laws
from models.engine import Batch, Engine, Observation
from models.item_model import ItemModel
from models.policy import Policy
from models.ranking import Lists

ROOM = {"resident_users": 1000, "rating_users": 1000}


def ours(seed: int) -> Engine:
    return Engine(seed, **ROOM)


def with_everything(seed: int) -> Engine:
    return Engine(seed, **ROOM, allow_repeats=True, rating_slope=0.5, rules=Policy(diversity=0.3, explore_share=0.2))


@pytest.mark.parametrize("law", laws(), ids=lambda law: law.__name__)
@pytest.mark.parametrize("make", [ours, with_everything], ids=["as it comes", "with everything"])
def test_the_engine_keeps(law: Law, make: Callable[[int], Engine]) -> None:
    assert law.__doc__
    law(make)


class Engines:
    """Engines that break one law each, and one only by accident more."""

    class LostStrangers(Engine):
        def refresh(self, slots: NDArray[np.int32], n: int, reasons: int, now_ms: int | None = None) -> Lists:
            lists = super().refresh(slots, n, reasons, now_ms)
            lists.scores[self.users.recent(slots)[1] == 0] = np.nan
            return lists

    class ShowsWhatIsWithheld(Engine):
        def refresh(self, slots: NDArray[np.int32], n: int, reasons: int, now_ms: int | None = None) -> Lists:
            held = self.availability.withheld()
            kept = held.copy()
            held[:] = False
            lists = super().refresh(slots, n, reasons, now_ms)
            held[:] = kept
            return lists

    class ShowsWhatOneHad(Engine):
        def refresh(self, slots: NDArray[np.int32], n: int, reasons: int, now_ms: int | None = None) -> Lists:
            lists = super().refresh(slots, n, reasons, now_ms)
            lists.rows[:, -1] = self.views.now(slots).recent[:, 0]
            return lists

    class CountsLooks(Engine):
        def refresh(self, slots: NDArray[np.int32], n: int, reasons: int, now_ms: int | None = None) -> Lists:
            lists = super().refresh(slots, n, reasons, now_ms)
            self.items.popularity.counts[lists.rows[lists.rows >= 0]] += 1e-3
            return lists

    class LikesDislikes(Engine):
        def observe(self, batch: Batch) -> Observation:
            observation = super().observe(batch)
            observation.lessons.weight[:] = 1.0
            return observation

    class ForgetsPairs(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            after = self.items.pairs.after.copy()
            n = super().learn(lessons, position)
            self.items.pairs.after[: len(after)] = after
            return n

    class PushesAway(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            before = self.items.embeddings.outputs.copy()
            n = super().learn(lessons, position)
            outputs = self.items.embeddings.outputs
            outputs[: len(before)] = 2 * before - outputs[: len(before)]
            return n

    class TurnsTheClock(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            n = super().learn(lessons, position)
            self.items.recency.last[self.items.catalogue.rows(lessons.history)] += 2 * self.items.events
            return n

    class CountsRecords(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            self.items.popularity.ages += 0.01
            return super().learn(lessons, position)

    class LearnsAgain(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            self.items.position = 0
            self.items._learned.clear()
            return super().learn(lessons, position)

    class LearnsWhatItReadsAgain(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            self.items._learned.clear()
            return super().learn(lessons, position)

    class DrawsByChance(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            n = super().learn(lessons, position)
            self.items.embeddings.biases += np.random.default_rng().normal(0, 1e-3, 1).astype(np.float32)
            return n

    class KeepsLessons(Engine):
        _last: tuple[Any, ...] = ()

        def learn(self, lessons: Lessons, position: int) -> int:
            n = super().learn(*self._last) if self._last else 0
            self._last = (lessons, position)
            return n

    class WritesIntoLessons(Engine):
        def learn(self, lessons: Lessons, position: int) -> int:
            n = super().learn(lessons, position)
            lessons.weight *= 2.0
            return n

    class KeepsEveryEvent(Engine):
        def observe(self, batch: Batch) -> Observation:
            self.kept = [*getattr(self, "kept", []), *batch.events]
            return super().observe(batch)


class Forgetful(ItemModel):
    """Restores all but the weights."""

    def restore(self, state: dict[str, Any]) -> None:
        super().restore({**state, "combiner": self.combiner.state(0)})


class Sharing(ItemModel):
    """Hands out its own arrays."""

    def state(self) -> dict[str, Any]:
        return super().state() | {"scale": self.scale}


def with_items(model: type[ItemModel]) -> Callable[[int], Engine]:
    def make(seed: int) -> Engine:
        engine = Engine(seed, **ROOM)
        engine.items.__class__ = model
        return engine

    return make


def broken(name: str) -> Callable[[int], Engine]:
    return lambda seed: getattr(Engines, name)(seed, **ROOM)


BROKEN = {
    "unknown_users_and_items_survive": {"lost strangers": broken("LostStrangers")},
    "excluded_items_never_appear": {"withheld": broken("ShowsWhatIsWithheld"), "had": broken("ShowsWhatOneHad")},
    "asking_changes_nothing": {"counts looks": broken("CountsLooks")},
    "learning_moves_scores_the_right_way": {
        "followed": broken("ForgetsPairs"),
        "embeddings": broken("PushesAway"),
        "recent": broken("TurnsTheClock"),
    },
    "dislikes_are_no_wishes": {"likes dislikes": broken("LikesDislikes")},
    "batch_boundaries_do_not_matter": {"counts records": broken("CountsRecords")},
    "what_comes_again_counts_once": {"records": broken("LearnsAgain"), "messages": broken("LearnsWhatItReadsAgain")},
    "the_same_seed_gives_the_same_bytes": {"draws by chance": broken("DrawsByChance")},
    "snapshots_resume": {"forgets the weights": with_items(Forgetful)},
    "snapshots_stay_as_they_were": {"hands out its own arrays": with_items(Sharing)},
    "inputs_are_not_kept": {"keeps": broken("KeepsLessons"), "writes": broken("WritesIntoLessons")},
    "memory_is_bounded": {"keeps every event": broken("KeepsEveryEvent")},
}
CASES = [(law, name) for law, makers in BROKEN.items() for name in makers]


def test_every_law_is_shown_to_find_something() -> None:
    assert list(BROKEN) == [law.__name__ for law in laws()]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_law_finds_the_engine_that_breaks_it(name: str, case: str) -> None:
    (law,) = (law for law in laws() if law.__name__ == name)
    with pytest.raises(LawBroken):
        law(BROKEN[name][case])


def test_an_exemption_is_by_name_and_has_a_reason() -> None:
    class Exempt(Engines.KeepsEveryEvent):
        exempt = {"memory_is_bounded": "it is a recorder"}  # noqa: RUF012

    assert check_all(lambda seed: Exempt(seed, **ROOM)) == Exempt.exempt
    Exempt.exempt = {}
    with pytest.raises(LawBroken, match="larger"):
        check_all(lambda seed: Exempt(seed, **ROOM))
    for wrong in ({"no such law": "why not"}, {"memory_is_bounded": " "}):
        Exempt.exempt = wrong
        with pytest.raises(ValueError, match="exempt from"):
            check_all(lambda seed: Exempt(seed, **ROOM))


def test_differences_are_named_where_they_are() -> None:
    one: dict[str, Any] = {"a": np.zeros(3), "b": [1, (2.0, "x")], "c": {"d": float("nan")}}
    other: dict[str, Any] = {"a": np.zeros(3), "b": [1, (2.0, "x")], "c": {"d": float("nan")}}
    assert differences(one, other) == []
    other["a"][1] = -0.0
    other["b"][1] = (2.0, "y")
    assert differences(one, other) == ["state.a", "state.b[1][1]"]
    assert differences(1, 1.0) == differences(np.zeros(1), np.zeros(1, np.float32)) == ["state"]
