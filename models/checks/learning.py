"""Laws of learning: the right way, at the right time, once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.events import Click, Rating
from models.checks.compare import differences
from models.checks.streams import (
    START,
    WISHES,
    Make,
    demand,
    learned,
    observe,
    scores,
    snapshot,
    stream,
    visits,
)
from models.combine import OPINION, OWN, STANDING
from models.engine import Engine

_LATER = START + 10**11  # after every stream
_TAUGHT = 60  # visits


def learning_moves_scores_the_right_way(make: Make) -> None:
    """After many went from A to B, every scorer and the blend rate B higher for who has just had A."""
    engine = learned(make(0), stream(600, types=WISHES))
    _teach_opinions(engine)
    a, b = _rare(engine)
    before = _standings(engine, a, b)
    learned(engine, visits([[a, b]] * (_TAUGHT - 5), _LATER))
    learned(engine, visits([[a, b]] * 5, _LATER + 1, apart_ms=2 * 3600 * 1000))  # these come back for B
    after = _standings(engine, a, b)
    for name, was in before.items():
        demand(after[name] > was, f"{name} rates {b} {was:.3f} before and {after[name]:.3f} after many chose it")


def dislikes_are_no_wishes(make: Make) -> None:
    """Dislikes, skips and hides of an item raise it under no scorer, whoever asks."""
    engine = learned(make(0), stream(600, types=WISHES))
    row = engine.items.catalogue.row("i7")
    users = ["u1", "u2", "nobody"]
    before = [np.vstack([scores(engine, user).own, scores(engine, user).standing])[:, row] for user in users]
    hides = [Click(f"v{n}", "i7", _LATER + n, ("hide", "skip", "dislike")[n % 3]) for n in range(_TAUGHT)]
    learned(engine, hides)
    for user, was in zip(users, before, strict=True):
        now = np.vstack([scores(engine, user).own, scores(engine, user).standing])[:, row]
        raised = [(*OWN, *STANDING)[f] for f in np.flatnonzero(now > was)]
        demand(raised == [], f"for {user}, {raised} rate an item higher after many disliked it")


def batch_boundaries_do_not_matter(make: Make) -> None:
    """The same events in batches of 1, 7 and 500 give the same bytes: counts, vectors, weights, histories."""
    events = stream(1200)
    # Items that nobody ever wished for, in the middle of a batch.
    events[650:650] = [Click("u1", f"bad {n}", int(events[650].time or 0), "hide") for n in range(3)]
    whole = learned(make(0), events, 500)
    for size in (7, 1):
        parts = learned(make(0), events, size)
        where = differences(snapshot(whole), snapshot(parts))
        demand(where == [], f"batches of {size} instead of 500 change {where}")
        for user in ("u1", "u2", "u3"):
            one, other = scores(whole, user).blend, scores(parts, user).blend
            demand(one.tobytes() == other.tobytes(), f"batches of {size} instead of 500 change the scores of {user}")


def what_comes_again_counts_once(make: Make) -> None:
    """Records and messages that come again, as after a crash, change nothing."""
    events = stream(400)
    once, again = learned(make(0), events, 50), make(0)
    for position, first in enumerate(range(0, 400, 50)):
        start = max(0, first - 30)
        lessons = observe(again, events[start : first + 50], start).lessons
        again.learn(lessons, position)
        demand(again.learn(lessons, position) == 0, "a record that was learned is learned again")
    where = differences(snapshot(once), snapshot(again))
    demand(where == [], f"messages that came again changed {where}")
    # The users' states were lost with the worker, so the log itself repeats what it said.
    again = make(0)
    for position, first in enumerate(range(0, 400, 50)):
        again.learn(observe(make(0), events[: first + 50]).lessons, position)
    where = differences(snapshot(once)["items"], snapshot(again)["items"])
    demand(where == [], f"lessons that came again changed {where}")


def _rare(engine: Engine) -> tuple[str, str]:
    """Return two of the items with the fewest events."""
    catalogue = engine.items.catalogue
    known = np.sort(catalogue.known[: catalogue.n_known])
    rare = known[np.argsort(catalogue.events[known], kind="stable")]
    return catalogue.ids[rare[0]], catalogue.ids[rare[1]]


def _teach_opinions(engine: Engine) -> None:
    """Let ratings have a mean and a deviation."""
    rated = [Rating(f"r{n}", f"i{n % 20}", 1.0 + n % 5, START + n) for n in range(60)]
    learned(engine, rated)


def _standings(engine: Engine, a: str, b: str) -> dict[str, float]:
    """Return how far B stands above the mean of all known items, in deviations, under each scorer and the blend."""
    fan, foe = (f"{name} {engine.items.position}" for name in ("fan", "foe"))
    observe(engine, [Rating(fan, a, 5.0, _LATER), Click(foe, a, _LATER, "dislike")])
    row = engine.items.catalogue.row(b)
    known = engine.items.tables().known
    likes, hates = scores(engine, fan), scores(engine, foe)
    found = {}
    for f, name in enumerate(OWN[:OPINION]):
        found[name] = _above(likes.own[f], row, known)
    found["opinion of who liked it"] = _above(likes.own[OPINION], row, known)
    found["opinion of who disliked it"] = -_above(hates.own[OPINION], row, known)
    for s, name in enumerate(STANDING):
        found[name] = _above(likes.standing[s], row, known)
    found["the blend"] = _above(likes.blend, row, known)
    return found


def _above(scores_: NDArray[np.float32], row: int, known: NDArray[np.bool_]) -> float:
    deviation = float(scores_[known].std())
    return float(scores_[row] - scores_[known].mean()) / deviation if deviation > 0.0 else 0.0
