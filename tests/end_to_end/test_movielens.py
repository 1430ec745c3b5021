"""A slice of MovieLens 100K through everything: published, learned, listed, measured.

Where the real data set is not at hand, as its terms forbid to ship it, one of the same format is made up.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.datasets import open_dataset
from infra.settings import Settings
from streams.deadletters.letters import read
from streams.kafka.producer import EventProducer
from streams.publishing.publish import publish
from tests.worker import Worker, raw_producer, working

REAL = Path("../shared/data/ml-100k")
SLICE = 12_000
MALFORMED = 50


@pytest.fixture
def movielens(tmp_path: Path) -> Path:
    """A folder in the format of MovieLens 100K."""
    return REAL if REAL.is_dir() else made_up(tmp_path / "ml-100k")


def made_up(folder: Path) -> Path:
    """Write ratings of people who keep to one of ten genres, in bursts, as MovieLens' users rate."""
    draw = random.Random(7)
    folder.mkdir()
    genres = [list(range(1 + 40 * genre, 41 + 40 * genre)) for genre in range(10)]
    lines, time = [], 880_000_000
    for user in range(1, 401):
        films = draw.sample(genres[user % 10], 24) + draw.sample(range(1, 401), 6)
        for film in dict.fromkeys(films):
            time += draw.randrange(60)
            lines.append(f"{user}\t{film}\t{draw.randrange(1, 6)}\t{time}")
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    flags = "|".join(["0"] * 19)
    titles = [f"{film}|Film {film} (1995)|01-Jan-1995|||{flags}" for film in range(1, 401)]
    (folder / "u.item").write_text("\n".join(titles) + "\n", "latin-1")
    (folder / "u.genre").write_text("\n".join(f"genre {number}|{number}" for number in range(19)) + "\n")
    return folder


def test_everybody_has_a_fitting_list_and_rubbish_is_set_aside(settings: Settings, movielens: Path) -> None:
    had = defaultdict(set)
    for row in ratings(movielens):
        had[row.user].add(row.item)
    n = sum(1 for _ in ratings(movielens))
    with working(settings) as worker:
        send_rubbish(settings)
        publish(open_dataset(str(movielens)), EventProducer(settings), limit=SLICE)
        send_rubbish(settings)
        worker.wait_until_fresh(*had)
        status = worker.status()
        assert status["events_applied"] == n
        assert status["hit_rate_at_10"] > status["popularity_hit_rate_at_10"]
        check_lists(worker, had)
        worker.stop()
    letters = list(read(settings))
    assert len(letters) == status["dead_letters"] == 2 * MALFORMED
    assert {letter.reason for letter in letters} == {"malformed"}


def ratings(folder: Path) -> Iterator[object]:
    """The ratings of the slice."""
    for number, row in enumerate(open_dataset(str(folder)).events()):
        if number == SLICE:
            return
        yield row


def check_lists(worker: Worker, had: dict[str, set[str]]) -> None:
    items = worker.status()["items"]
    for user, own in had.items():
        listed = worker.list_of(user)["items"]
        assert len(listed) == min(100, items - len(own))
        assert not own & set(listed)


def send_rubbish(settings: Settings) -> None:
    producer = raw_producer(settings)
    for number in range(MALFORMED):
        producer.produce(f"{settings.kafka.prefix}.ratings", b'{"user":"1","item":', key=str(number))
    producer.flush()
