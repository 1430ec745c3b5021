"""What people choose who come back, and who are new: counted apart from all others, and heard by their like alone."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import learned

from contracts.events import Click
from models.combine import CONTEXTS, HEARD, KNOWN_AFTER, RETURNS_AFTER_S, SCORERS, STANDING, standing
from models.engine import Engine
from models.kernel import kernel
from models.scorers.audiences import _RESCALE_AT, AUDIENCES, HALF_LIFE, NEWCOMERS, RETURNERS, Audiences, learn, score

RESCALED = int(_RESCALE_AT * HALF_LIFE)  # events until the first rescaling
TIME = 1_700_000_000_000


@kernel
def _learn(rows, audience, c):  # type: ignore[no-untyped-def]
    for row in rows:
        learn(row, np.float32(2.0), audience, c)


@kernel
def _score(c, out):  # type: ignore[no-untyped-def]
    score(c, out)


@pytest.mark.parametrize("n", [1, 5000, RESCALED + 40])
@pytest.mark.parametrize("audience", range(len(AUDIENCES)))
def test_counts_decay_by_the_events_of_their_own_audience(n: int, audience: int) -> None:
    rows = np.random.default_rng(n).integers(0, 8, n).astype(np.int32)
    counts = Audiences(8)
    _learn(rows, np.int64(audience), counts.arrays(8))
    expected = np.bincount(rows, 2.0 * 0.5 ** (np.arange(n)[::-1] / HALF_LIFE), 8)
    np.testing.assert_allclose(reference.decayed(counts.arrays(8))[:, audience], expected, rtol=1e-8)
    assert not np.delete(counts.counts, audience, axis=1).any()
    out = np.empty((len(AUDIENCES), 8), np.float32)
    _score(counts.arrays(8), out)
    np.testing.assert_allclose(out[audience], np.sqrt(expected), rtol=1e-5)


def chosen(*events: tuple[str, str, float]) -> dict[str, list[str]]:
    """Return what each audience has chosen, of events of a user, an item and a time in seconds."""
    clicks = [Click(user, item, TIME + int(1000 * at)) for user, item, at in events]
    model = learned(clicks, engine=Engine(resident_users=100)).items
    counts, ids = model.audiences.counts[: len(model.catalogue)], model.catalogue.ids
    return {name: sorted(ids[row] for row in np.flatnonzero(counts[:, a])) for a, name in enumerate(AUDIENCES)}


def test_whoever_comes_back_is_a_returner_with_his_first_event_alone() -> None:
    visit = [("u", f"i{n}", float(n)) for n in range(10)]
    later = [("u", f"later {n}", RETURNS_AFTER_S + 10.0 + n) for n in range(5)]
    assert chosen(*visit, *later)["returners"] == ["later 0"]


def test_newcomers_are_those_of_whom_little_is_known_with_or_without_a_pause() -> None:
    found = chosen(*[("u", f"i{n}", float(n)) for n in range(10)], ("v", "once", 20.0), ("v", "again", 90_000.0))
    assert found["newcomers"] == sorted([*(f"i{n}" for n in range(KNOWN_AFTER + 1)), "once", "again"])
    assert found["returners"] == ["again"]


def test_each_audience_is_heard_by_its_like_alone() -> None:
    heard = {
        name: [c for c, told in zip(CONTEXTS, HEARD[:, SCORERS.index(name)], strict=True) if told] for name in SCORERS
    }
    assert heard["returners"] == ["returning", "long away"]
    assert heard["newcomers"] == ["newcomer"]
    assert all(heard[name] == list(CONTEXTS) for name in SCORERS if name not in AUDIENCES)


def test_what_visits_begin_with_stands_first_for_who_comes_back_and_not_for_who_goes_on() -> None:
    engine, events = Engine(resident_users=100), []
    for day in range(40):  # all come for "front", and go on to anything
        for user in range(10):
            at = TIME + 86_400_000 * day + 1000 * user
            events.append(Click(f"u{user}", f"front {day % 2}", at))
            events += [Click(f"u{user}", f"i{(7 * day + 3 * user + n) % 200}", at + 20_000 * n) for n in range(1, 8)]
    events.sort(key=lambda event: event.time or 0)
    model = learned(events, engine=engine).items
    said = standing(model.tables())
    fronts = [model.catalogue.row(f"front {n}") for n in range(2)]
    assert set(np.argsort(-said[STANDING.index("returners")])[:2].tolist()) == set(fronts)
    weights = model.combiner.weights[:, SCORERS.index("returners")]
    assert weights[CONTEXTS.index("long away")] > 0.6, "it has learned more than it began with"
    assert weights[CONTEXTS.index("in session")] == weights[CONTEXTS.index("newcomer")] == 0.0


def test_the_audiences_are_positions() -> None:
    assert (AUDIENCES[RETURNERS], AUDIENCES[NEWCOMERS]) == ("returners", "newcomers")
