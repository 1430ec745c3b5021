"""From an event in Kafka to a list in Redis, through a real worker."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from contracts.events import Click, Item, Rating, User
from contracts.redis import decode_vector
from infra.settings import Settings
from tests.visits import FILMS, taste_of, walks
from tests.worker import Worker, publish, working


def test_every_visitor_gets_a_list_that_fits_and_holds_nothing_he_has_had(settings: Settings) -> None:
    clicks = walks()
    with working(settings) as worker:
        publish(settings, *clicks)
        status = worker.wait_until_applied()
        assert (status["events_applied"], status["duplicates"], status["dead_letters"]) == (len(clicks), 0, 0)
        worker.wait_until_fresh(*{click.user for click in clicks})
        for user in {click.user for click in clicks}:
            found = worker.list_of(user)
            had = {click.item for click in clicks if click.user == user}
            assert len(found["items"]) == 60 - len(had)
            assert not had & set(found["items"])
            assert found["scores"] == sorted(found["scores"], reverse=True)
            assert all(set(reason[1:]) <= had for reason in found["reasons"])
        worker.stop()


def test_a_first_click_makes_the_list_personal_and_an_unknown_user_has_none(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *walks())
        worker.wait_until_applied()
        assert worker.list_of("new") == {}
        worker.wait(lambda: worker.store.exists(worker.keys.shared("popular")))
        publish(settings, Click("new", "crime3"))
        worker.wait_until_fresh("new")
        head = taste_of(worker.list_of("new")["items"][:10])
        assert head["crime"] > head["space"]
        assert len(decode_vector(worker.store.get(worker.keys.user_vector("new")))) == 65


def test_an_event_sent_again_counts_once_whenever_it_comes(settings: Settings) -> None:
    clicks = walks()
    with working(settings) as worker:
        publish(settings, *clicks)
        worker.wait_until_applied()
        users = {click.user for click in clicks}
        worker.wait_until_fresh(*users)
        lists = {user: worker.list_of(user)["items"] for user in users}
        publish(settings, *clicks)
        status = worker.wait_until_applied()
        assert (status["events_applied"], status["duplicates"]) == (len(clicks), len(clicks))
        worker.wait_until_fresh(*users)
        assert {user: worker.list_of(user)["items"] for user in users} == lists
        assert status["learned"] == len(clicks)


def test_items_are_known_at_once_and_withheld_ones_leave_every_list_written_later(settings: Settings) -> None:
    soon = int(time.time() * 1000) + 1500
    with working(settings) as worker:
        publish(settings, *walks())
        publish(settings, Item("new", title="New", categories=["crime"]), Item("crime0", hidden=True))
        publish(settings, Item("crime1", deleted=True), Item("crime2", expires=soon))
        worker.wait_until_items()
        worker.wait_until_applied()
        worker.wait(lambda: worker.store.scard(worker.keys.withheld) == 3)
        publish(settings, Click("late", "crime9"))
        worker.wait_until_fresh("late")
        items = worker.list_of("late")["items"]
        assert "new" in items
        assert not {"crime0", "crime1", "crime2"} & set(items)
        assert worker.store.get(worker.keys.item("new")).startswith(b'{"item":"new","title":"New"')
        publish(settings, Item("crime0"))
        worker.wait(lambda: not worker.store.sismember(worker.keys.withheld, "crime0"))
        publish(settings, Click("later", "crime9"))
        worker.wait_until_fresh("later")
        assert "crime0" in worker.list_of("later")["items"]


def test_categories_have_lists_of_their_own_as_long_as_they_have_items(settings: Settings) -> None:
    def listed(name: str, category: str | None = None) -> list[str]:
        value = worker.store.get(worker.keys.shared(name, category))
        return list(orjson.loads(value)["items"]) if value else []

    with working(settings) as worker:
        publish(settings, *walks(), *(Item(film, categories=[taste]) for taste in FILMS for film in FILMS[taste]))
        publish(settings, Item("odd", categories=["a:b/{c}"], created=10**12))
        worker.wait_until_items()
        worker.wait_until_applied()
        worker.wait(lambda: listed("latest", "a:b/{c}") == ["odd"])
        worker.wait(lambda: len(listed("popular", "crime")) == len(listed("trending", "crime")) == 30)
        assert set(listed("popular", "crime")) == set(FILMS["crime"])
        assert listed("latest")[0] == "odd"
        publish(settings, Item("odd", deleted=True), Item("crime3", hidden=True))
        worker.wait(lambda: not worker.store.exists(worker.keys.shared("latest", "a:b/{c}")))
        worker.wait(lambda: "crime3" not in listed("popular", "crime"))
        worker.stop()
        publish(settings, Item("crime3", categories=["crime"]), Item("space1", hidden=True))
        worker.start()
        worker.wait(lambda: "crime3" in listed("popular", "crime") and "space1" not in listed("popular", "space"))
        worker.wait(lambda: worker.store.sismember(worker.keys.withheld, "odd"))
        assert worker.store.smembers(worker.keys.categories) == {b"crime", b"space"}
        assert "odd" not in listed("latest")


def test_a_page_holds_no_more_of_a_category_than_the_settings_say(settings: Settings) -> None:
    with working(settings, "[policy]\nper_category = 3\npage = 5\n") as worker:
        publish(settings, *(Item(film, categories=[taste]) for taste in FILMS for film in FILMS[taste]), *walks())
        worker.wait_until_items()
        publish(settings, Click("late", "crime9"))
        worker.wait_until_fresh("late")
        items = worker.list_of("late")["items"]
        pages = [taste_of(items[start : start + 5]) for start in range(0, len(items), 5)]
        assert len(items) > 30
        assert all(max(page.values()) <= 3 for page in pages)


def test_what_a_visitor_rates_is_predicted_for_the_items_he_is_shown(settings: Settings) -> None:
    ratings = [Rating(click.user, click.item, 5.0 if click.item < "s" else 1.0, time=click.time) for click in walks()]
    with working(settings) as worker:
        publish(settings, *ratings)
        worker.wait_until_fresh("u0", "u1")
        assert min(worker.list_of("u1")["ratings"]) > max(worker.list_of("u0")["ratings"])


def test_who_is_only_described_gets_the_list_of_his_like_and_keeps_it_across_a_restart(settings: Settings) -> None:
    with working(settings) as worker:
        users = (User(f"u{user}", attributes={"likes": "crime" if user % 2 else "space"}) for user in range(24))
        publish(settings, *users)
        worker.wait(lambda: worker.status().get("users_described") == 24)
        publish(settings, *walks())
        worker.wait_until_applied()
        publish(settings, User("new", attributes={"likes": "crime"}))
        publish(settings, User("odd", attributes={"likes": "nothing that anybody knows"}))
        worker.wait(lambda: worker.list_of("new") != {})
        head = taste_of(worker.list_of("new")["items"][:10])
        assert head["crime"] > head["space"]
        worker.wait(lambda: worker.status()["users_described"] == 26)
        assert worker.list_of("odd") == {}
        worker.stop()
        worker.store.delete(worker.keys.top("new"))
        worker.start()
        publish(settings, Click("new", "space3"))
        worker.wait_until_fresh("new")
        assert "space3" not in worker.list_of("new")["items"]


def test_a_dislike_is_remembered_and_not_recommended_for(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *walks())
        before = worker.wait_until_applied()["learned"]
        publish(settings, Click("u0", "crime5", type="dislike"))
        status = worker.wait_until_applied()
        assert status["learned"] == before
        assert "crime5" not in worker.list_of("u0")["items"]


def test_events_on_another_clients_partitions_are_accepted_by_a_worker_that_owns_all(settings: Settings) -> None:
    from confluent_kafka import Producer  # noqa: PLC0415 (the one test with a client that is not ours)

    topic = f"{settings.kafka.prefix}.clicks"
    with working(settings) as worker:
        producer = Producer(
            {"bootstrap.servers": settings.kafka.bootstrap, "partitioner": "consistent", "log_level": 0}
        )
        for step in range(3):
            for user in range(20):
                body = f'{{"user":"u{user}","item":"i{step}","time":{step}}}'
                producer.produce(topic, key=f"u{user}", value=body)
        producer.flush()
        assert worker.wait_until_applied()["events_applied"] == 60
        worker.kill()
        worker.start()
        publish(settings, *(Click(f"u{user}", "i3", time=3) for user in range(20)))
        worker.wait_until_applied()
        states: list[Any] = list(worker.store.scan_iter(f"{settings.redis.prefix}:{settings.namespace}:state:*"))
        assert len(states) == 20


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_a_worker_goes_on_where_it_was(settings: Settings, ending: str) -> None:
    clicks = walks()
    half = len(clicks) // 2
    with working(settings, as_user=True) as worker:
        publish(settings, *clicks[:half])
        worker.wait_until_applied()
        end(worker, ending)
        publish(settings, *clicks[half:])
        worker.start()
        status = worker.wait_until_applied()
        assert status["learned"] == len(clicks)
        assert status["log_gaps"] == 0
        worker.wait_until_fresh(*{click.user for click in clicks})
        for user in {click.user for click in clicks}:
            had = {click.item for click in clicks if click.user == user}
            assert len(worker.list_of(user)["items"]) == 60 - len(had)


def end(worker: Worker, how: str) -> None:
    worker.stop() if how == "stop" else worker.kill()
