"""From an item's record in Kafka to its place in lists in Redis, through a real worker."""

from __future__ import annotations

import time

from contracts.events import Click, Item
from infra.settings import Settings
from tests.visits import FILMS, walks
from tests.worker import Worker, publish, working

PLOTS = {"crime": "murder police detective", "space": "star ship planet"}


def film(name: str, taste: str) -> Item:
    return Item(name, title=f"{name} {PLOTS[taste]}", categories=[taste])


CATALOGUE = [film(name, taste) for taste, names in FILMS.items() for name in names]


def published(worker: Worker) -> int:
    """Publish films and visitors; return the log position when all is learned."""
    publish(worker.settings, *CATALOGUE)
    worker.wait_until_items()
    publish(worker.settings, *walks(length=20))  # eight visits to each film
    return int(worker.wait_until_applied()["log_position"])


def test_an_item_published_now_is_at_once_in_the_lists_of_those_who_like_its_like(settings: Settings) -> None:
    # Without places for items with few events, which all of them have here: those may hold anything.
    with working(settings, "[policy]\nexplore_share = 0.0\n") as worker:
        published(worker)
        worker.wait_until_fresh("u0", "u1")
        began = time.monotonic()
        publish(settings, film("new", "crime"), Click("u1", "crime29"))
        while "new" not in worker.list_of("u1")["items"]:
            assert time.monotonic() < began + 10
            time.sleep(0.005)
        print(f"in the list of a user {1000 * (time.monotonic() - began):.0f} ms after it was published")
        worker.wait_until_fresh("u0", "u1")
        crime, space = (worker.list_of(user)["items"] for user in ("u1", "u0"))
        # Behind the nine of his like that he has not had, before most others: of so few visits some may stand out.
        assert crime.index("new") <= len(crime) // 3 < space.index("new")


def test_only_new_content_is_learned_and_a_restart_brings_none(settings: Settings) -> None:
    with working(settings) as worker:
        position = published(worker)
        publish(settings, *CATALOGUE, Item("crime1", title=CATALOGUE[1].title, categories=["crime"], expires=2**50))
        worker.wait_until_items()
        assert worker.wait_until_applied()["log_position"] == position
        publish(settings, film("crime1", "space"))
        worker.wait_until_items()
        assert worker.wait_until_applied()["log_position"] == position + 1
        worker.stop()
        worker.start()
        worker.wait(lambda: worker.status().get("ready", False))
        assert worker.wait_until_applied()["log_position"] == position + 1
