"""Laws of what is shown: it is finite, nothing excluded is in it, and looking changes nothing."""

from __future__ import annotations

import numpy as np

from contracts.events import Click, Item
from models.checks.compare import differences
from models.checks.streams import START, USERS, Make, demand, learned, lists, observe, snapshot, stream
from models.scorers.popularity import POPULAR

_EVERYBODY = [f"u{number}" for number in range(USERS)]


def unknown_users_and_items_survive(make: Make) -> None:
    """Who did nothing is served, what nobody introduced is learned, and a history may hold items without a row."""
    engine = make(0)
    demand(lists(engine, ["nobody"]) == [{}], "an empty engine shows items")
    learned(engine, stream(400))
    observe(engine, [Click("late", "never learned", START)], 400)
    for user, shown in zip(("nobody", "late"), lists(engine, ["nobody", "late"]), strict=True):
        demand(len(shown) > 0, f"{user}, of whom nothing is known, is shown nothing")
        demand(bool(np.isfinite(list(shown.values())).all()), f"{user} is shown scores that are not finite")
    # The log's beginning is gone: histories name items that the model never met.
    engine, events = make(0), stream(400)
    for position, first in enumerate(range(0, 400, 50)):
        lessons = observe(engine, events[first : first + 50], first).lessons
        if first >= 200:
            engine.learn(lessons, position)
    for shown in lists(engine, _EVERYBODY):
        demand(bool(np.isfinite(list(shown.values())).all()), "scores are not finite without the log's beginning")


def excluded_items_never_appear(make: Make) -> None:
    """What is hidden, expired or deleted is on no list, and what a user had on none of his, but for repeats."""
    engine, events = make(0), stream(600)
    had: dict[str, set[str]] = {user: set() for user in _EVERYBODY}
    for step, first in enumerate(range(0, 600, 60)):
        part = events[first : first + 60]
        learned(engine, part, 60, first)
        for event in part:
            had[str(event.user)].add(str(event.item))
        withheld = {f"i{at + more}" for at in (step - 1, step) if at >= 0 for more in (0, 20, 40)}
        engine.availability.put(Item(f"i{step}", hidden=True), START)
        engine.availability.put(Item(f"i{step + 20}", deleted=True), START)
        engine.availability.put(Item(f"i{step + 40}", expires=START), START)
        for back in range(1, step):  # those of all steps but the last two come back
            for item in (f"i{back - 1}", f"i{back + 19}", f"i{back + 39}"):
                engine.availability.put(Item(item), START)
        for user, shown in zip(_EVERYBODY, lists(engine, _EVERYBODY), strict=True):
            demand(not withheld & set(shown), f"{user} is shown {withheld & set(shown)}, which are withheld")
            if not engine.items.tables().allow_repeats:
                demand(not had[user] & set(shown), f"{user} is shown {had[user] & set(shown)}, which he has had")
        demand(not withheld & set(engine.popular(POPULAR, 100)[0]), "what is withheld is popular")
        demand(not withheld & set(engine.latest(100)[0]), "what is withheld is among the latest")
        for row in range(len(engine.items.catalogue)):
            demand(not withheld & set(engine.similar(row, 100)[0]), "what is withheld is similar to something")


def asking_changes_nothing(make: Make) -> None:
    """Lists, ranks and vectors may be asked for at any time and any number of times."""
    asked, left_alone = make(0), make(0)
    events = stream(500)
    for first in range(0, 500, 50):
        part = events[first : first + 50]
        for engine in (asked, left_alone):
            observation = observe(engine, part, first)
            if engine is asked:
                engine.rank(observation)
                lists(engine, [str(event.user) for event in part[:5]])
                engine.vectors([str(part[0].user)])
                engine.popular(POPULAR, 5), engine.latest(5)
            engine.learn(observation.lessons, engine.items.position)
    where = differences(snapshot(asked), snapshot(left_alone))
    demand(where == [], f"asking changed {where}")
