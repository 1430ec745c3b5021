"""Files into a real Kafka: everything once, in the right partition, and what could not be used comes back mended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from commands.main import cli
from contracts.topics import partition_of
from evaluation.datasets import Dataset, Row, open_dataset
from infra.errors import BrokerError, HeadraceError
from infra.settings import Settings
from streams.deadletters.letters import DeadLetter, DeadLetters, read
from streams.deadletters.resend import resend
from streams.kafka.admin import ensure_topics
from streams.kafka.producer import EventProducer
from streams.publishing.ledger import Ledger, Mark
from streams.publishing.publish import Published, publish

USERS, EACH = 40, 25
TOTAL = USERS * EACH
DEADLINE_S = 60.0


@pytest.fixture
def topics(settings: Settings) -> Settings:
    ensure_topics(settings)
    return settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Clicks of forty users, each clicking the items 0, 1, 2 … in turn."""
    path = tmp_path / "clicks.jsonl"
    lines = [{"user": f"user {user}", "item": str(item), "time": item} for item in range(EACH) for user in range(USERS)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def config(topics: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "headrace.toml"
    path.write_text(
        f'home = "{topics.home}"\n[kafka]\nbootstrap = "{topics.kafka.bootstrap}"\nprefix = "{topics.kafka.prefix}"\n'
    )
    return path


def publish_file(settings: Settings, path: Path, dataset: Dataset | None = None, **options: Any) -> Published:
    dataset, producer = dataset or open_dataset(path), EventProducer(settings)
    ledger = Ledger.of(settings, dataset.files, producer.cluster())
    return publish(dataset, producer, ledger=ledger, **options)


def messages(settings: Settings, topic: str) -> list[Any]:
    """Return all that stands in a topic."""
    name = f"{settings.kafka.prefix}.{topic}"
    properties = {"enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 10, "group.id": name}
    consumer = Consumer({"bootstrap.servers": settings.kafka.bootstrap, **properties})
    try:
        unread = set(consumer.list_topics(name).topics[name].partitions)
        consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in unread])
        found: list[Any] = []
        deadline = time.monotonic() + DEADLINE_S
        while unread and time.monotonic() < deadline:
            for message in consumer.consume(1000, 0.1):
                if message.error() is None:
                    found.append(message)
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    unread.discard(message.partition())
        assert not unread
        return found
    finally:
        consumer.close()


def items_of_users(settings: Settings) -> dict[str, list[int]]:
    """Return each user's clicked items in Kafka's order."""
    clicks: dict[str, list[int]] = {}
    for message in messages(settings, "clicks"):
        click = json.loads(message.value())
        clicks.setdefault(click["user"], []).append(int(click["item"]))
    return clicks


def headrace(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


# Publishing


def test_publishing_twice_sends_once(topics: Settings, file: Path) -> None:
    first = publish_file(topics, file)
    assert (first.events, first.rows, first.complete) == (TOTAL, TOTAL, True)
    second = publish_file(topics, file)
    assert (second.events, second.rows, second.complete) == (0, TOTAL, True)
    assert items_of_users(topics) == {f"user {user}": list(range(EACH)) for user in range(USERS)}


def test_a_copy_under_another_name_is_the_same_file_and_another_prefix_another_destination(
    topics: Settings, file: Path
) -> None:
    publish_file(topics, file)
    assert publish_file(topics, file.rename(file.with_name("other.jsonl"))).events == 0
    elsewhere = msgspec.structs.replace(topics, kafka=msgspec.structs.replace(topics.kafka, prefix=f"{file.stem}-2"))
    ensure_topics(elsewhere)
    assert publish_file(elsewhere, file.with_name("other.jsonl")).events == TOTAL


def test_again_sends_again(topics: Settings, file: Path) -> None:
    publish_file(topics, file)
    assert publish_file(topics, file, again=True).events == TOTAL
    assert len(messages(topics, "clicks")) == 2 * TOTAL
    assert publish_file(topics, file).events == 0


def test_a_limit_is_gone_on_from(topics: Settings, file: Path) -> None:
    parts = [publish_file(topics, file, limit=300) for _ in range(5)]
    assert [part.events for part in parts] == [300, 300, 300, 100, 0]
    assert [part.complete for part in parts] == [False, False, False, True, True]
    assert len(messages(topics, "clicks")) == TOTAL


class _Interrupted:
    """A data set that is interrupted by Ctrl-C while a row is read."""

    def __init__(self, dataset: Dataset, row: int) -> None:
        self._dataset, self._row = dataset, row
        self.name, self.files, self.size, self.items = dataset.name, dataset.files, dataset.size, dataset.items

    def events(self) -> Iterator[Row]:
        for number, row in enumerate(self._dataset.events()):
            if number == self._row:
                raise KeyboardInterrupt
            yield row


@pytest.mark.parametrize("row", [0, 1, 421, TOTAL - 1])
def test_after_an_interrupt_exactly_the_rest_is_sent(topics: Settings, file: Path, row: int) -> None:
    interrupted = publish_file(topics, file, _Interrupted(open_dataset(file), row))
    assert (interrupted.events, interrupted.complete) == (row, False)
    rest = publish_file(topics, file)
    assert (rest.events, rest.complete) == (TOTAL - row, True)
    assert items_of_users(topics) == {f"user {user}": list(range(EACH)) for user in range(USERS)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_a_summary_and_it_goes_on_there(
    topics: Settings, file: Path, config: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "commands", "publish", str(file), "--config", str(config), "--json"]
    with subprocess.Popen([*command, "--rate", "100"], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + DEADLINE_S
        while not list(topics.home_dir.glob("published/*.json")) and time.monotonic() < deadline:
            assert process.poll() is None
        process.send_signal(number)
        summary = json.loads(process.communicate(timeout=DEADLINE_S)[0])
    assert process.returncode == 128 + number
    assert summary["stopped"] and 0 < summary["events"] == summary["rows"] < TOTAL
    rest = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert rest["events"] == TOTAL - summary["events"]
    assert items_of_users(topics) == {f"user {user}": list(range(EACH)) for user in range(USERS)}


@pytest.mark.parametrize("ending", [["--limit", "1"], signal.SIGINT])
def test_a_pipe_that_stays_silent_is_not_waited_for(
    topics: Settings, config: Path, ending: list[str] | signal.Signals
) -> None:
    options = ending if isinstance(ending, list) else []
    command = [sys.executable, "-m", "commands", "publish", "-", "--config", str(config), "--json", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b'{"user":"ann","item":"1"}\n')
        process.stdin.flush()
        deadline = time.monotonic() + DEADLINE_S
        while not messages(topics, "clicks") and time.monotonic() < deadline:
            pass
        if isinstance(ending, signal.Signals):
            process.send_signal(ending)
        assert process.wait(DEADLINE_S) == (0 if options else 128 + signal.SIGINT)
        assert json.loads(process.stdout.read())["events"] == 1
    assert not list(topics.home_dir.glob("published/*"))


def test_rows_that_no_worker_could_use_are_counted_by_reason_and_not_sent(topics: Settings, tmp_path: Path) -> None:
    lines = [
        '{"user":"ann","item":"1"}',
        "rubbish",
        '{"user":"ann","item":"1","type":"kiss"}',
        '{"user":"","item":"1"}',
        '{"user":"ann","item":""}',
        '{"user":"ann","item":"1","rating":3e7}',
        f'{{"user":"ann","item":"1","time":{10**15}}}',
        '{"item":"1","title":"One"}',
        '{"user":"bob"}',
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines))
    published = publish_file(topics, path)
    assert (published.events, published.items, published.rows) == (2, 1, len(lines))
    assert {reason: (count, row.line) for reason, (count, row) in published.dropped.items()} == {
        "malformed": (1, 2),
        "unknown type": (1, 3),
        "bad id": (2, 4),
        "bad rating": (1, 6),
        "bad time": (1, 7),
    }
    sent = Counter({topic: len(messages(topics, topic)) for topic in ("clicks", "ratings", "items", "users")})
    assert sent == {"clicks": 1, "ratings": 0, "items": 1, "users": 1}


def test_films_go_before_ratings_and_only_once(topics: Settings, tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t7\t5\t2\n2\t7\t3\t1\n")
    (tmp_path / "u.item").write_bytes("7|Été (1999)||||0|1\n".encode("latin-1"))
    first, second = publish_file(topics, tmp_path, limit=1), publish_file(topics, tmp_path)
    assert [(part.items, part.events) for part in (first, second)] == [(1, 1), (0, 1)]
    film = messages(topics, "items")[0]
    assert (film.key(), json.loads(film.value())) == (
        b"7",
        {"item": "7", "title": "Été (1999)", "categories": ["Action"]},
    )
    assert Counter(message.key() for message in messages(topics, "ratings")) == {b"1": 1, b"2": 1}


def test_every_event_lies_in_the_partition_of_its_user(topics: Settings, file: Path) -> None:
    publish_file(topics, file)
    found = messages(topics, "clicks")
    assert len({message.partition() for message in found}) == topics.kafka.partitions
    for message in found:
        user = json.loads(message.value())["user"]
        assert message.key() == user.encode()
        assert message.partition() == partition_of(user, topics.kafka.partitions)


def test_a_rate_is_kept_without_bursts(topics: Settings, file: Path) -> None:
    publish_file(topics, file, rate=500, limit=250)
    stamps = sorted(message.timestamp()[1] for message in messages(topics, "clicks"))
    assert stamps[-1] - stamps[0] >= 0.9 * (250 - 1) / 500 * 1000
    assert len(set(stamps)) > 20


def test_what_kafka_does_not_take_is_an_error_and_not_remembered(settings: Settings, file: Path) -> None:
    hasty = {"topic.metadata.propagation.max.ms": "200", "message.timeout.ms": "2000"}
    without_topics = msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, client=hasty))
    producer, dataset = EventProducer(without_topics), open_dataset(file)
    ledger = Ledger.of(settings, dataset.files, producer.cluster())
    assert ledger
    with pytest.raises(BrokerError, match=rf"{TOTAL:,} messages: {settings.kafka.prefix}.clicks: .*[Uu]nknown topic"):
        publish(dataset, producer, ledger=ledger)
    assert ledger.load() == Mark()
    producer.flush()  # what has been said is not said again


def test_a_damaged_ledger_is_named_with_the_remedy(topics: Settings, file: Path) -> None:
    publish_file(topics, file)
    (path,) = topics.home_dir.glob("published/*.json")
    path.write_text("{")
    with pytest.raises(HeadraceError, match="remove that file"):
        publish_file(topics, file)


def test_a_property_that_the_client_does_not_know_is_named(settings: Settings) -> None:
    kafka = msgspec.structs.replace(settings.kafka, client={"no.such.thing": "1"})
    with pytest.raises(BrokerError, match=r"no\.such\.thing"):
        EventProducer(msgspec.structs.replace(settings, kafka=kafka))


def test_the_command_prints_what_was_sent_and_what_was_not(config: Path, file: Path) -> None:
    with file.open("a") as lines:
        lines.write('{"user":"\x1b[31m","type":"kiss","item":"1"}\n')
    summary = json.loads(headrace("publish", file, "--config", config, "--limit", 999, "--json").stdout)
    assert (summary["events"], summary["rows"], summary["size"], summary["complete"]) == (999, 999, TOTAL + 1, False)
    words = headrace("publish", file, "--config", config).stdout
    assert "1 event published" in words and "1 not sent, malformed; row 1,001" in words and "\x1b" not in words
    assert "nothing left" in headrace("publish", file, "--config", config).stdout


def test_the_command_says_in_one_line_what_it_cannot_read(config: Path, tmp_path: Path) -> None:
    outcome = headrace("publish", tmp_path / "absent", "--config", config)
    assert isinstance(outcome.exception, HeadraceError)
    assert "absent does not exist" in str(outcome.exception)


def test_the_command_fails_when_nothing_in_a_file_can_be_used(config: Path, tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_text("a\nb\n")
    assert headrace("publish", tmp_path / "rubbish", "--config", config).exit_code == 1


# Dead letters


def set_aside(settings: Settings, *letters: tuple[str, int, bytes | None, bytes | None, str]) -> None:
    """Write (topic, offset, key, value, reason) as dead letters of partition 2 at time 5000."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    dead = DeadLetters(producer, settings)
    for topic, offset, key, value, reason in letters:
        dead.send(f"{settings.kafka.prefix}.{topic}", 2, offset, key, value, 5000, reason, f"{reason}: é\n")
    assert producer.flush(DEADLINE_S) == 0


def test_a_dead_letter_keeps_its_bytes_and_where_it_came_from(topics: Settings) -> None:
    set_aside(topics, ("clicks", 17, b"\xff\x00", b"\xfe rubbish", "malformed"), ("users", 18, None, None, "malformed"))
    (raw, _) = messages(topics, "deadletters")
    assert (raw.key(), raw.value()) == (b"\xff\x00", b"\xfe rubbish")
    source = f"{topics.kafka.prefix}.clicks"
    assert {name: value.decode() for name, value in raw.headers()} == {
        "topic": source,
        "partition": "2",
        "offset": "17",
        "reason": "malformed",
        "error": "malformed: é\n",
        "time": "5000",
    }
    first, second = read(topics)
    seen = raw.timestamp()[1]
    expected = DeadLetter(source, 2, 17, b"\xff\x00", b"\xfe rubbish", 5000, "malformed", "malformed: é\n", seen)
    assert first == expected
    assert (second.key, second.value, second.offset) == (None, None, 18)
    assert list(read(topics, limit=1)) == [first]


def test_a_message_as_large_as_kafka_takes_can_still_be_set_aside(topics: Settings) -> None:
    set_aside(topics, ("clicks", 1, b"k" * 20_000, b"x" * 1_040_000, "malformed"))
    (letter,) = read(topics)
    assert letter.value and len(letter.value) == 900_000 and "of 1,040,000 bytes" in letter.detail


def test_an_empty_topic_of_dead_letters_has_none_and_a_missing_one_is_named(topics: Settings) -> None:
    assert list(read(topics)) == []
    kafka = msgspec.structs.replace(topics.kafka, prefix="absent")
    with pytest.raises(BrokerError, match=r"absent\..*headrace topics"):
        list(read(msgspec.structs.replace(topics, kafka=kafka)))


def test_a_missing_or_wrong_key_is_repaired_once_and_the_rest_remains(topics: Settings) -> None:
    click = b'{"user":"ann","item":"1","time":4000}'
    set_aside(
        topics,
        ("clicks", 1, None, click, "key is not the user"),
        ("items", 1, b"2", b'{"item":1}', "key is not the item"),
        ("clicks", 2, b"ann", b'{"user":"ann","item":"1","type":"kiss"}', "unknown type"),
        ("clicks", 3, None, b'{"user":"ann","item":""}', "key is not the user"),
        ("elsewhere", 4, None, click, "key is not the user"),
        ("clicks", 1, None, click, "key is not the user"),
    )
    outcome = resend(topics, EventProducer(topics))
    assert (outcome.sent, outcome.earlier) == (2, 1)
    assert {reason: count for reason, (count, _) in outcome.remaining.items()} == {
        "unknown type": 1,
        "key is not the user": 2,
    }
    (sent,) = messages(topics, "clicks")
    assert (sent.key(), sent.value(), sent.timestamp()[1]) == (b"ann", click, 5000)
    assert sent.headers() == [("resent", f"{topics.kafka.prefix}.clicks/2/1".encode())]
    assert sent.partition() == partition_of("ann", topics.kafka.partitions)
    assert [item.key() for item in messages(topics, "items")] == [b"1"]
    again = resend(topics, EventProducer(topics))
    assert (again.sent, again.earlier) == (0, 3)
    assert len(messages(topics, "clicks")) == 1


def test_printed_letters_can_be_corrected_and_sent_again(topics: Settings, config: Path, tmp_path: Path) -> None:
    set_aside(
        topics,
        ("clicks", 1, b"ann", b'{"user":"ann","item":"1","type":"kiss"}', "unknown type"),
        ("clicks", 2, b"\xff", b"{rubbish \xff", "malformed"),
        ("clicks", 3, b"bob", b'{"user":"bob","item":"1","type":"hug"}', "unknown type"),
    )
    printed = headrace("deadletters", "--json", "--config", config).stdout.splitlines()
    letters = [json.loads(line) for line in printed]
    assert letters[0]["value"] == {"user": "ann", "item": "1", "type": "kiss"}
    assert (letters[1]["value"], letters[1]["key"]) == ("{rubbish \\xff", "\\xff")
    letters[0]["value"]["type"] = "like"
    letters[1]["value"] = '{"user":"cid","item":"9"}'
    unmatched = letters[0] | {"offset": 99}
    edited = tmp_path / "edited.jsonl"
    edited.write_text("".join(json.dumps(letter) + "\n" for letter in [*letters, unmatched]))
    outcome = headrace("deadletters", "resend", "--edit", edited, "--config", config, "--json")
    counts = json.loads(outcome.stdout)
    assert (counts["sent"], counts["earlier"], counts["unmatched"]) == (2, 0, 1)
    assert (
        counts["remaining"]["unknown type"]["count"] == 1 and "'hug'" in counts["remaining"]["unknown type"]["example"]
    )
    sent = {message.key(): json.loads(message.value()) for message in messages(topics, "clicks")}
    assert sent == {b"ann": letters[0]["value"], b"cid": {"user": "cid", "item": "9"}}
    printed = headrace("deadletters", "--json", "--config", config).stdout.splitlines()
    marks = [json.loads(line)["resent"] for line in printed]
    assert marks == [True, True, False]


def test_dead_letters_are_listed_in_words_without_steering_the_terminal(topics: Settings, config: Path) -> None:
    assert "No dead letters" in headrace("deadletters", "--config", config).stdout
    set_aside(topics, ("clicks", 1, None, b"\x1b[31m[bold]", "malformed"), ("clicks", 2, None, b"{}", "invalid"))
    words = headrace("deadletters", "--config", config).stdout
    assert "2 of 2 dead letters" in words and "1 malformed, e.g. malformed" in words and "\x1b" not in words
    assert "1 of 1 dead letters" in headrace("deadletters", "--config", config, "--reason", "invalid").stdout
    assert "1 of 2 dead letters" in headrace("deadletters", "--config", config, "--limit", 1).stdout


def test_a_file_of_corrections_that_is_none_is_named_with_its_line(config: Path, tmp_path: Path) -> None:
    (tmp_path / "edited").write_text('\n{"topic":"clicks"}\n')
    outcome = headrace("deadletters", "resend", "--edit", tmp_path / "edited", "--config", config)
    assert isinstance(outcome.exception, HeadraceError) and "edited, line 2" in str(outcome.exception)
