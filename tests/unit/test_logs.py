"""Log lines: one JSON object each where machines read them, and no secret in any."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from infra.logs import configure
from infra.settings import Kafka, Logging, Redis, Settings

PASSWORDS = ("s3cret@of/kafka", "of:redis/?")
CLIENT = {"sasl.password": PASSWORDS[0], "sasl.username": "ann", "ssl.key.password": "pk-12345"}
URL = "rediss://ann:of%3Aredis%2F%3F@store:6379/0"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.captureWarnings(False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.getLogger("a.b").setLevel(logging.NOTSET)


def settings(**logs: Any) -> Settings:
    return Settings(kafka=Kafka(client=CLIENT), redis=Redis(url=URL), logging=Logging(**logs))


def test_a_line_is_one_object_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings(format="json", level="info"), "w1")
    logging.getLogger("a.b").info("applied %d\nevents", 7, extra={"partition": 3})
    try:
        raise ValueError("no \udcff Unicode")
    except ValueError:
        logging.getLogger("a").exception("failed")
    logging.getLogger("a").debug("not said")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "logger": "a.b",
        "message": "applied 7\nevents",
        "worker": "w1",
        "fields": {"partition": "3"},
    }
    assert (second["level"], second["message"]) == ("error", "failed")
    assert second["error"].startswith("Traceback") and "ValueError: no ? Unicode" in second["error"]


def test_single_loggers_have_their_own_level_and_verbose_says_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings(levels={"a.b": "error"}), "w1", verbose=True)
    logging.getLogger("a.b").warning("too much")
    logging.getLogger("a").info("what happens")
    assert capsys.readouterr().err.endswith("INFO    a: what happens\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_ever_in_a_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings(format=form), "w1")
    log = logging.getLogger("a")
    log.warning("cannot reach %s with %r", URL, CLIENT)
    log.warning("an address of another: redis://bob:hunter2@host/0 and sasl.password=hunter2, token: 'hunter2'")
    log.warning("refused {'Authorization': 'Bearer %s'} and %s", "hunter2", "hr_" + "hunter2" * 5)
    log.warning("given", extra={"password": PASSWORDS[1], "url": URL})
    try:
        raise RuntimeError(f"refused {PASSWORDS[0]}")
    except RuntimeError:
        log.exception("it failed")
    said = capsys.readouterr().err
    for secret in (*PASSWORDS, "of%3Aredis%2F%3F", "pk-12345", "hunter2"):
        assert secret not in said
    assert "rediss://ann:***@store:6379/0" in said
    assert "sasl.username" in said
