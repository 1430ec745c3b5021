"""The commands that read: what they print of what workers would have written."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import redis
from click.testing import CliRunner, Result

from commands.main import cli
from contracts.redis import Keys, encode_list
from infra.errors import SettingsError, StoreError
from infra.redis import LocalRedis
from infra.settings import load_settings

# A shell that runs `headrace` without relying on where its script is installed.
HEADRACE = (sys.executable, "-c", "from commands.main import main; main()")


def fill(url: str, keys: Keys) -> None:
    """Write a small catalogue: ann has a list, three items are popular, `hid` is withheld."""
    reasons = [["followed", "toy"], ["together", "toy", "heat"]]
    items = {"toy": "Toy Story", "heat": "Heat", "alien": "Alien", "hid": "Hidden \x1b[31m"}
    with redis.Redis.from_url(url) as store:
        own = encode_list("3.1", ["alien", "hid", "bare"], [0.9, 0.8, 0.7], reasons, 1000, "77", [4.25])
        store.set(keys.top("ann"), own)
        for name, value in items.items():
            body = {"item": name, "title": value, "categories": ["Film"], "hidden": name == "hid"}
            store.set(keys.item(name), orjson.dumps(body))
        shared = {"items": ["heat", "toy", "hid"], "scores": [3, 2, 1], "time": 1000}
        store.set(keys.shared("popular"), orjson.dumps(shared))
        store.set(keys.similar("toy"), orjson.dumps(shared))
        store.sadd(keys.withheld, "hid")


@pytest.fixture
def config(redis_url: str, namespace: str, tmp_path: Path) -> str:
    """A settings file that names a filled store."""
    fill(redis_url, Keys("main", namespace))
    return settings_file(tmp_path, redis_url, namespace)


def settings_file(directory: Path, url: str, prefix: str) -> str:
    path = directory / "settings.toml"
    path.write_text(f'[redis]\nurl = "{url}"\nprefix = "{prefix}"\n', "utf-8")
    return str(path)


def headrace(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(cli, arguments, catch_exceptions=False)


def printed(*arguments: str) -> str:
    result = headrace(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def read(*arguments: str) -> Any:
    return json.loads(printed(*arguments, "--json"))


def test_recommend_prints_titles_scores_ratings_and_reasons_in_words(config: str) -> None:
    first, second = read("recommend", "ann", "-n", "2", "--explain", "--config", config)["items"]
    assert first == {
        "rank": 1,
        "item": "alien",
        "title": "Alien",
        "score": 0.9,
        "rating": 4.25,
        "reasons": ["followed", "toy"],
        "because": "because of Toy Story: people who had it went on to this",
    }
    assert (second["item"], second["title"], second["because"]) == ("bare", None, "")
    table = printed("recommend", "ann", "--explain", "--config", config)
    assert table.startswith("ann's list, made ")
    assert "because of Toy Story: people who had it went on to this" in table


def test_recommend_shows_one_category(config: str) -> None:
    body = read("recommend", "ann", "--category", "Film", "--config", config)
    assert [row["item"] for row in body["items"]] == ["alien"]


def test_recommend_leaves_out_what_is_excluded(config: str) -> None:
    body = read("recommend", "ann", "-n", "1", "--exclude", "alien", "--config", config)
    assert [row["item"] for row in body["items"]] == ["bare"]


def test_recommend_says_that_a_user_is_unknown_and_shows_what_is_popular(config: str) -> None:
    body = read("recommend", "nobody", "--config", config)
    assert (body["stage"], body["version"]) == ("popular", None)
    assert [row["title"] for row in body["items"]] == ["Heat", "Toy Story"]
    assert printed("recommend", "nobody", "--config", config).startswith(
        "nobody has no list yet: this is the popular list"
    )


def test_recommend_on_an_empty_store_says_so(redis_url: str, namespace: str, tmp_path: Path) -> None:
    config = settings_file(tmp_path, redis_url, namespace)
    assert printed("recommend", "ann", "--config", config) == "ann has no list yet, and there is nothing else to show\n"


def test_item_prints_metadata_and_neighbours_with_titles(config: str) -> None:
    body = read("item", "toy", "--config", config)
    assert (body["known"], body["title"], body["categories"], body["withheld"]) == (True, "Toy Story", ["Film"], False)
    assert [(row["item"], row["title"]) for row in body["neighbours"]] == [("heat", "Heat"), ("toy", "Toy Story")]
    assert "Heat" in printed("item", "toy", "--config", config)


def test_item_says_that_an_item_is_withheld_and_why(config: str) -> None:
    assert read("item", "hid", "--config", config)["withheld"] is True
    assert "Withheld: nobody is shown it (hidden)." in printed("item", "hid", "--config", config)


def test_item_says_that_nothing_is_known_of_it(config: str) -> None:
    assert read("item", "nix", "--config", config)["known"] is False
    text = printed("item", "nix", "--config", config)
    assert "Nothing has been said" in text
    assert "No neighbours yet" in text


def test_a_title_cannot_steer_the_terminal(config: str) -> None:
    assert "\x1b[31m" not in printed("item", "hid", "--config", config)


@pytest.mark.parametrize("identifier", ["", "x" * 257, "\udcff"])
@pytest.mark.parametrize("name", ["recommend", "item"])
def test_an_impossible_id_is_refused(name: str, identifier: str) -> None:
    result = headrace(name, identifier)
    assert result.exit_code == 2
    assert "an id" in result.output


@pytest.mark.parametrize(
    ("url", "said"),
    [("redis://127.0.0.1:1", "Redis cannot be read"), ("http://127.0.0.1", "redis.url is not the address of a Redis")],
)
def test_a_store_that_cannot_be_reached_is_a_users_error(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        headrace("recommend", "ann", "--config", settings_file(tmp_path, url, "x"))


def test_the_local_store_is_started_for_one_command_and_ended_after_it(tmp_path: Path) -> None:
    with LocalRedis(tmp_path / "redis") as store:
        fill(store.url, Keys())
    assert read("recommend", "ann", "--home", str(tmp_path))["stage"] == "personal"
    assert LocalRedis.attach(tmp_path / "redis") is None


def test_a_home_directory_without_a_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there are no lists"):
        headrace("recommend", "ann", "--home", str(tmp_path))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_at_the_printed_address_and_stops_in_order_with_its_store(
    tmp_path: Path, ending: signal.Signals
) -> None:
    with LocalRedis(tmp_path / "redis") as store:
        fill(store.url, Keys())
    with serving("--home", str(tmp_path)) as (process, address):
        with httpx.Client(base_url=address) as client:
            assert [row["item"] for row in client.get("/recommend/ann?n=2").json()["items"]] == ["alien", "bare"]
        assert LocalRedis.attach(tmp_path / "redis")
        process.send_signal(ending)
        output, _ = process.communicate(timeout=20)
        assert (process.returncode, output) == (0, "Stopped.\n")
    assert LocalRedis.attach(tmp_path / "redis") is None


def test_serve_on_a_port_that_is_taken_says_so_in_one_line(config: str) -> None:
    with serving("--config", config) as (_, address):
        port = address.rpartition(":")[2]
        second = subprocess.run(
            [*HEADRACE, "serve", "--config", config, "--port", port], capture_output=True, text=True, timeout=30
        )
    assert second.returncode == 1
    assert second.stderr == (
        f"headrace: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --host and --port\n"
    )


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``headrace serve`` on a free port; give its process and the address that it prints."""
    command = [*HEADRACE, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("Serving on http://127.0.0.1:"), line
            yield process, line.split()[2]
        finally:
            process.terminate()
            process.wait(20)


def test_a_key_is_printed_once_with_the_settings_that_know_it(tmp_path: Path) -> None:
    said = printed("key", "shop", "--role", "read", "--role", "write")
    settings = tmp_path / "keys.toml"
    settings.write_text(said[said.index("[[serving.keys]]") :], "utf-8")
    (known,) = load_settings(settings).serving.keys
    key = next(word for word in said.split() if word.startswith("hr_"))
    assert (known.name, known.roles) == ("shop", ("read", "write"))
    assert hashlib.sha256(key.encode()).hexdigest() == known.sha256
    assert key not in repr(load_settings(settings))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_service_that_others_reach_does_not_start_without_keys_and_says_what_to_do(config: str, host: str) -> None:
    with pytest.raises(SettingsError, match="headrace key"):
        headrace("serve", "--host", host, "--port", "0", "--config", config)
