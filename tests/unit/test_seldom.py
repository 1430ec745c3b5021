"""A warning is told at once, then not again for a while."""

from __future__ import annotations

from infra.seldom import Seldom


def test_what_is_not_told_is_counted() -> None:
    told: list[str] = []
    seldom = Seldom(lambda text, *words: told.append(text % words), every_s=3600)
    for _ in range(4):
        seldom.tell("away")
    seldom._next = 0.0
    seldom.tell("still away")
    assert told == ["away", "still away (3 more warnings since)"]
