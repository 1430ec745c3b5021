"""What the commands give away, bring in and take back, on a real worker's namespace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner
from test_forgetting import ANN, BOB, FILMS, crowd, history, holding

from commands.main import cli
from contracts.events import Click, Item, Rating, User
from contracts.topics import ITEMS, topic_name
from infra.settings import Settings
from streams.kafka.whole import read_whole
from tests.worker import Worker, ends, publish, raw_producer, working


def call(worker: Worker, *arguments: str, status: int = 0) -> str:
    """Call a command with the worker's settings; return what it printed."""
    config = str(next(worker.settings.home_dir.glob("*.toml")))
    result = CliRunner().invoke(cli, [*arguments, "--config", config], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_command_forgets_a_person_or_an_item_and_says_when_it_is_done(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *crowd(), *history(ANN, range(10)), *history(BOB, range(10)))
        worker.wait_until_fresh(ANN, BOB)
        worker.wait_until_applied()
        assert "Forgotten" in call(worker, "forget", ANN, "--item", FILMS[4])
        worker.wait(lambda: FILMS[4] in worker.list_of(ANN)["items"])
        assert json.loads(call(worker, "forget", ANN, "--json"))["held_by"] == []
        assert holding(worker, ANN) == []
        worker.stop()
        assert "is a worker up" in call(worker, "forget", BOB, "--wait", "0.5", status=1)
        worker.start()
        worker.wait(lambda: not holding(worker, BOB))


def test_a_person_gets_what_is_kept_of_him(settings: Settings) -> None:
    with working(settings) as worker:
        described = User(ANN, attributes={"likes": "crime", "age": 33.0})
        publish(settings, *crowd(), described, *history(ANN, range(4)))
        worker.wait_until_fresh(ANN)
        worker.wait(lambda: worker.store.exists(worker.keys.user_vector(ANN)))
        found = json.loads(call(worker, "export", ANN))
        assert found["attributes"] == {"likes": "crime", "age": 33.0}
        kept = found["namespaces"][settings.namespace]
        assert sorted(entry["item"] for entry in kept["history"]) == FILMS[:4]
        rated = next(entry for entry in kept["history"] if entry["item"] == FILMS[3])
        assert rated == {"item": FILMS[3], "time": 1_000_003, "type": "rating", "rating": 4.0}
        assert len(kept["vector"]) == 65
        assert kept["list"]["items"] == worker.list_of(ANN)["items"]


def test_what_was_exported_is_imported_as_it_was_and_recommends(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    with working(settings) as worker:
        publish(settings, *crowd(), *(Click("many", f"old{number}", number) for number in range(70)))
        publish(settings, User("u1", attributes={"likes": "crime"}), Click("u2", "own", 5, id="e1"))
        worker.wait_until_applied()
        worker.wait(lambda: worker.status()["users_described"] == 1)
        worker.stop()
        call(worker, "export", "--namespace", settings.namespace, "--out", str(file))
        again = call(worker, "export", "--namespace", settings.namespace)
        assert again == file.read_text()
        found = lines(again)
        assert [line["user"] for line in found if "user" in line] == sorted({f"u{n}" for n in range(12)} | {"many"})
        many = next(line for line in found if line.get("user") == "many")
        assert [entry["item"] for entry in many["history"]] == [f"old{number}" for number in range(20, 70)]
        assert many["earlier"] == [f"old{number}" for number in range(20)]
        counts = {line["item"]: line["events"] for line in found if "item" in line}
        assert counts[FILMS[19]] == 12 and counts["own"] == 1

        restored = f"{settings.namespace}-2"
        said = json.loads(call(worker, "import", str(file), "--namespace", restored, "--json"))
        assert (said["users"], said["dropped"]) == (13, {})
        assert "in use already" in str(call_failing(worker, "import", str(file), "--namespace", restored))
        exported = lines(call(worker, "export", "--namespace", restored))
        assert [line for line in exported if "user" in line] == [line for line in found if "user" in line]

    other = msgspec.structs.replace(settings, namespace=restored)
    with working(other) as worker:
        before = worker.list_of("u0")["items"]
        assert len(before) > 20
        assert not set(before) & {FILMS[number] for number in range(20)}
        publish(settings, Click("u0", FILMS[30]), next(iter(history("u0", range(5, 6)))))
        worker.wait_until_fresh("u0")
        status = worker.wait_until_applied()
        assert (status["events_applied"], status["duplicates"]) == (1, 1)  # the second is in the history
        assert FILMS[30] not in worker.list_of("u0")["items"]
        worker.stop()


def call_failing(worker: Worker, *arguments: str) -> BaseException | None:
    config = str(next(worker.settings.home_dir.glob("*.toml")))
    return CliRunner().invoke(cli, [*arguments, "--config", config]).exception


def test_histories_of_another_system_come_in_and_what_cannot_be_used_is_shown(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "batch.jsonl"
    rows: list[Any] = [
        {"user": "a", "history": [{"item": "x", "time": 2}, {"item": 7, "time": 1, "type": "purchase"}]},
        {"user": "a", "item": "y", "time": 3, "rating": 4.5},
        {"user": "b", "history": [{"item": "x"}, {"item": "x"}, {"item": "y", "type": "sneeze"}]},
        {"user": "c", "history": [{"item": "#00000000000000ff", "time": 1}], "attributes": {"likes": "crime"}},
        {"item": "x", "events": 3},
        {"nothing": 1},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with working(settings) as worker:
        worker.wait(lambda: bool(worker.status().get("ready")))
        name = f"{settings.namespace}-b"
        said = json.loads(call(worker, "import", str(file), "--namespace", name, "--json"))
        assert {reason: each["count"] for reason, each in said["dropped"].items()} == {"unknown type": 1, "invalid": 1}
        found = {line["user"]: line for line in lines(call(worker, "export", "--namespace", name)) if "user" in line}
        assert [entry["item"] for entry in found["a"]["history"]] == ["7", "x", "y"]
        assert [entry["item"] for entry in found["b"]["history"]] == ["x"]
        assert [entry["item"] for entry in found["c"]["history"]] == ["#00000000000000ff"]
        assert len(found["c"]["attributes"]) == 1


def test_what_came_before_somebody_was_forgotten_is_not_imported(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "old.jsonl"
    file.write_text(json.dumps({"user": ANN, "history": [{"item": "x", "time": 2}], "earlier": ["y"]}) + "\n")
    with working(settings) as worker:
        publish(settings, *history(ANN, range(3)))
        worker.wait_until_applied()
        call(worker, "forget", ANN)
        said = json.loads(call(worker, "import", str(file), "--namespace", f"{settings.namespace}-b", "--json"))
        assert said["users"] == 0
        assert holding(worker, ANN) == []


def test_a_null_value_on_items_deletes_and_becomes_the_explicit_record(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, Item("gone", title="Gone"), *crowd(), Click("u1", "gone"))
        worker.wait_until_items()
        producer = raw_producer(settings)
        producer.produce(topic_name(ITEMS, settings.kafka.prefix, settings.namespace), None, "gone")
        producer.flush()
        worker.wait(lambda: worker.store.sismember(worker.keys.withheld, "gone"))
        worker.wait(lambda: sum(ends(settings, ITEMS).values()) == 3)
        topic = topic_name(ITEMS, settings.kafka.prefix, settings.namespace)
        values = [message.value() for message in read_whole(settings, topic) if message.key() == b"gone"]
        assert [None if value is None else json.loads(value) for value in values] == [
            {"item": "gone", "title": "Gone"}, None, {"item": "gone", "deleted": True},
        ]  # fmt: skip
        worker.wait_until_items()
        worker.kill()
        worker.start()
        worker.wait_until_items()
        publish(settings, Click("late", FILMS[2]))
        worker.wait_until_fresh("late")
        assert sum(ends(settings, ITEMS).values()) == 3
        assert "gone" not in worker.list_of("late")["items"]


def test_the_same_message_published_twice_counts_once(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    events = list(history("a", range(35)))
    file.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    with working(settings) as worker:
        call(worker, "publish", str(file))
        call(worker, "publish", str(file))
        call(worker, "publish", str(file), "--again")
        bodies = [Click("c", "x"), Click("c", "x"), Click("c", "y", id="1"), Click("c", "z"), Click("c", "y", id="1")]
        publish(settings, *bodies, Rating("d", "x", 4.0), Rating("d", "x", 4.0))
        status = worker.wait_until_applied()
        assert status["learned"] == len(events) + 3 + 1
