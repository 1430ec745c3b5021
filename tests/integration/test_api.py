"""The HTTP service on a real Redis, which holds what workers would have written."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.redis import Keys
from infra.redis import LocalRedis
from tests.service import Deployment, deployed, encoded, refusal, shown

HOSTILE = [
    "{}",
    "}",
    ":",
    "*",
    "a/b//c",
    "/",
    "..",
    "a\nb",
    "a,b",
    "?n=5",
    "#",
    "%2F",
    "%",
    " ",
    "+",
    "\x00",
    "日本語 🎬",
    "'\"",
]


@pytest.fixture
def deployment(redis_url: str, namespace: str) -> Iterator[Deployment]:
    with deployed(redis_url, namespace) as started:
        yield started


def test_a_user_gets_his_list_with_scores_reasons_and_version(deployment: Deployment) -> None:
    deployment.give("ann", ["a", "b", "c"])
    body = deployment.get("/recommend/ann", n=2).json()
    assert body == {
        "stage": "personal",
        "namespace": "main",
        "version": "3.1",
        "time": 1000,
        "items": [{"item": "a", "score": 1.0}, {"item": "b", "score": 0.5}],
    }


def test_an_unknown_user_gets_what_is_popular(deployment: Deployment) -> None:
    deployment.share(deployment.keys.shared("popular"), ["p", "q"])
    response = deployment.get("/recommend/nobody")
    assert response.json()["stage"] == "popular"
    assert shown(response) == ["p", "q"]


def test_an_empty_store_gives_an_empty_list(deployment: Deployment) -> None:
    assert deployment.get("/recommend/nobody").json() == {
        "stage": "empty",
        "namespace": "main",
        "version": None,
        "time": None,
        "items": [],
    }
    assert shown(deployment.get("/similar/nothing")) == []
    assert shown(deployment.get("/popular")) == []


@pytest.mark.parametrize("parameters", [{"exclude": ["a", "c"]}, {"exclude": "a,c"}, {"exclude": ["c,x", "a"]}])
def test_excluded_items_are_left_out_and_later_ones_move_up(deployment: Deployment, parameters: dict[str, Any]) -> None:
    deployment.give("ann", ["a", "b", "c", "d"])
    assert shown(deployment.get("/recommend/ann", n=2, **parameters)) == ["b", "d"]


def test_an_item_whose_id_has_a_comma_can_be_excluded(deployment: Deployment) -> None:
    deployment.give("ann", ["a,c", "b"])
    assert shown(deployment.get("/recommend/ann", exclude="a,c")) == ["b"]


def test_an_answer_may_be_of_some_categories_and_hold_few_of_each_category_or_brand(deployment: Deployment) -> None:
    for item, categories, brand in (("a", ["x"], "p"), ("b", ["x", "y"], "q"), ("c", ["y"], "p"), ("d", [], None)):
        record = {"item": item, "categories": categories, "brand": brand}
        deployment.store.set(deployment.keys.item(item), orjson.dumps(record))
    deployment.give("ann", ["a", "b", "c", "d"])
    assert shown(deployment.get("/recommend/ann", categories="y")) == ["b", "c"]
    assert shown(deployment.get("/recommend/ann", categories=["x,y", "z"])) == ["a", "b", "c"]
    assert shown(deployment.get("/recommend/ann", per_category=1)) == ["a", "c", "d"]
    assert shown(deployment.get("/recommend/ann", per_brand=1, n=2)) == ["a", "b"]
    assert shown(deployment.get("/recommend/ann", categories="")) == ["a", "b", "c", "d"]


def test_a_category_has_a_popular_list_of_its_own_which_new_users_see_who_want_it(deployment: Deployment) -> None:
    for item, category in (("a", "x/1"), ("b", "x/1"), ("p", "y"), ("q", "x/1")):
        deployment.store.set(deployment.keys.item(item), orjson.dumps({"item": item, "categories": [category]}))
    deployment.share(deployment.keys.shared("popular"), ["p", "q"])
    deployment.share(deployment.keys.shared("popular", "x/1"), ["a", "b"])
    assert shown(deployment.get("/popular", category="x/1")) == ["a", "b"]
    assert shown(deployment.get("/popular", category="unknown")) == []
    assert shown(deployment.get("/popular", category="")) == ["p", "q"]
    assert shown(deployment.get("/recommend/nobody", categories="x/1")) == ["a", "b", "q"]


def test_withheld_items_disappear_at_once_everywhere_and_come_back(deployment: Deployment) -> None:
    deployment.give("ann", ["a", "b", "c"])
    deployment.share(deployment.keys.similar("x"), ["a", "b"])
    deployment.share(deployment.keys.shared("popular"), ["b", "a"])
    paths = ("/recommend/ann?n=2", "/similar/x", "/popular", "/recommend/nobody")

    def all_shown() -> list[list[str]]:
        return [shown(response) for response in map(deployment.get, paths)]

    before = [["a", "b"], ["a", "b"], ["b", "a"], ["b", "a"]]
    assert all_shown() == before
    for _ in range(3):
        deployment.store.sadd(deployment.keys.withheld, "a")
        assert all_shown() == [["b", "c"], ["b"], ["b"], ["b"]]
        deployment.store.srem(deployment.keys.withheld, "a")
        assert all_shown() == before


def test_users_who_ask_at_the_same_time_get_their_own_lists(deployment: Deployment) -> None:
    for number in range(60):
        deployment.give(f"user{number}", [f"item{number}", "same"])
    responses = deployment.get_all([f"/recommend/user{number}?n=2" for number in range(60)])
    assert [shown(response) for response in responses] == [[f"item{number}", "same"] for number in range(60)]


@pytest.mark.parametrize("identifier", HOSTILE)
def test_any_id_reaches_its_own_keys_and_no_other(deployment: Deployment, identifier: str) -> None:
    assert shown(deployment.get(f"/recommend/{encoded(identifier)}")) == []
    deployment.give(identifier, [identifier])
    deployment.share(deployment.keys.similar(identifier), [identifier, "near"])
    assert shown(deployment.get(f"/recommend/{encoded(identifier)}")) == [identifier]
    assert shown(deployment.get(f"/similar/{encoded(identifier)}")) == [identifier, "near"]
    assert shown(deployment.get(f"/similar/{encoded(identifier)}", exclude=identifier)) == ["near"]
    deployment.store.sadd(deployment.keys.withheld, identifier)
    assert shown(deployment.get(f"/recommend/{encoded(identifier)}")) == []


@pytest.mark.parametrize(
    "path",
    [
        "/recommend/",
        f"/recommend/{'x' * 10_000}",
        "/recommend/ann?n=0",
        "/recommend/ann?n=many",
        "/similar/",
        "/similar/x?n=-1",
        "/popular?n=1e400",
        "/recommend/ann?per_brand=-1",
        "/popular?n=1001",
        "/recommend/ann?category=x",
        "/recommend/ann?diversity=1.5",
        "/recommend/ann?match=some",
        "/recommend/ann?namespace=a:b",
        "/explain/ann/",
        "/explain//x",
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_in_the_one_shape(deployment: Deployment, path: str) -> None:
    assert refusal(deployment.get(path)) == (422, "invalid_request")


def test_unknown_paths_and_methods_are_refused_in_the_one_shape(deployment: Deployment) -> None:
    assert refusal(deployment.get("/explain/ann/a/b")) == (404, "not_found")
    assert refusal(deployment.get("/recommend")) == (405, "method_not_allowed")
    assert refusal(deployment.get("/nothing/here")) == (404, "not_found")


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"items":[1]}', b"\xff", b'{"items":["a"],"scores":[null]}'])
def test_a_broken_value_reads_as_absent(deployment: Deployment, value: bytes) -> None:
    deployment.share(deployment.keys.shared("popular"), ["p"])
    deployment.store.set(deployment.keys.top("ann"), value)
    assert shown(deployment.get("/recommend/ann")) == ["p"]


def test_the_active_namespace_is_followed_there_and_back(redis_url: str, namespace: str) -> None:
    promoted = Keys("next", namespace)
    with deployed(redis_url, namespace, follow_s=0) as deployment:
        deployment.give("ann", ["old", "both"])
        deployment.give("ann", ["new", "both"], promoted)
        deployment.store.sadd(promoted.withheld, "both")
        assert shown(deployment.get("/recommend/ann")) == ["old", "both"]
        deployment.store.set(deployment.keys.active, "next")
        assert shown(deployment.get("/recommend/ann")) == ["new"]
        deployment.store.delete(deployment.keys.active)
        assert shown(deployment.get("/recommend/ann")) == ["old", "both"]


def test_a_namespace_that_is_active_at_the_start_is_read_from_the_start(deployment: Deployment) -> None:
    promoted = Keys("next", deployment.keys.active.removesuffix(":active"))
    deployment.give("ann", ["new"], promoted)
    deployment.store.set(deployment.keys.active, "next")
    assert shown(deployment.get("/recommend/ann")) == ["new"]


def test_ready_once_a_worker_is_and_only_while_it_speaks(deployment: Deployment) -> None:
    def report(worker: str, *, age_ms: int, ready: bool) -> None:
        status = {"worker": worker, "time": int(time.time() * 1000) - age_ms, "ready": ready, "events_applied": 5}
        deployment.store.hset(deployment.keys.workers, worker, orjson.dumps(status))

    assert deployment.get("/health").json() == {"status": "ok"}
    assert refusal(deployment.get("/ready")) == (503, "unavailable")
    report("w:1", age_ms=0, ready=False)
    assert "still starting" in deployment.get("/ready").json()["error"]["message"]
    report("w:1", age_ms=0, ready=True)
    assert deployment.get("/ready").json() == {"status": "ready"}
    report("w:1", age_ms=600_000, ready=True)
    assert "last reported 600 s ago" in deployment.get("/ready").json()["error"]["message"]
    deployment.store.hdel(deployment.keys.workers, "w:1")
    report("w:2", age_ms=0, ready=True)
    assert deployment.get("/ready").json() == {"status": "ready"}


def test_without_redis_the_answer_is_503_and_recovers_by_itself(tmp_path: Path, namespace: str) -> None:
    store = LocalRedis(tmp_path)
    with store, deployed(store.url, namespace) as deployment:
        deployment.give("ann", ["a"])
        assert shown(deployment.get("/recommend/ann")) == ["a"]
        store.kill()
        for path in ("/recommend/ann", "/similar/a", "/popular", "/ready"):
            assert refusal(deployment.get(path)) == (503, "unavailable")
        assert deployment.get("/health").status_code == 200
        store.start()
        deployment.give("ann", ["b"])
        assert shown(deployment.get("/recommend/ann")) == ["b"]


def test_a_restart_of_redis_between_two_requests_is_not_noticed(tmp_path: Path, namespace: str) -> None:
    store = LocalRedis(tmp_path)
    with store, deployed(store.url, namespace) as deployment:
        deployment.give("ann", ["a", "b"])
        assert shown(deployment.get("/recommend/ann")) == ["a", "b"]
        store.kill()
        store.start()
        deployment.give("ann", ["a", "b"])
        deployment.store.sadd(deployment.keys.withheld, "a")
        assert shown(deployment.get("/recommend/ann")) == ["b"]


def test_a_redis_that_hangs_gives_503_within_a_second_and_later_the_right_answers(
    tmp_path: Path, namespace: str
) -> None:
    with LocalRedis(tmp_path) as store, deployed(store.url, namespace) as deployment:
        for user in ("ann", "bob"):
            deployment.give(user, [f"for {user}"])
        assert shown(deployment.get("/recommend/ann")) == ["for ann"]
        assert store.pid
        os.kill(store.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            paths = ["/recommend/ann", "/recommend/ann?explain=1", "/explain/ann/a", "/popular", "/ready"]
            responses = deployment.get_all(paths * 20)
            assert time.monotonic() - started < 1.5  # a second, and room for a busy machine
            assert {refusal(response) for response in responses} == {(503, "unavailable")}
            assert refusal(deployment.get("/recommend/ann")) == (503, "unavailable")  # while connecting anew
        finally:
            os.kill(store.pid, signal.SIGCONT)
        assert shown(deployment.get("/recommend/bob")) == ["for bob"]
        assert shown(deployment.get("/recommend/ann")) == ["for ann"]


def test_openapi_describes_answers_parameters_and_errors(deployment: Deployment) -> None:
    document = deployment.get("/openapi.json").json()
    route = document["paths"]["/recommend/{user}"]["get"]
    parameters = {parameter["name"]: parameter["schema"] for parameter in route["parameters"]}
    assert parameters.keys() >= {"user", "n", "offset", "exclude", "categories", "match", "diversity", "explain"}
    assert parameters["n"]["maximum"] == 1000

    def answer(status: str) -> str:
        schema = route["responses"][status]["content"]["application/json"]["schema"]
        return str(schema["$ref"]).rpartition("/")[2]

    assert [answer(status) for status in ("200", "404", "422", "503")] == ["Recommended", *3 * ["Problem"]]
    shown = document["components"]["schemas"]["Recommended"]["properties"]
    assert shown.keys() == {"stage", "namespace", "version", "time", "items"}


def test_openapi_gives_an_example_of_every_answer_and_says_what_every_parameter_is(deployment: Deployment) -> None:
    document = deployment.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            answer = next(route["responses"][status] for status in ("200", "202") if status in route["responses"])
            assert "example" in next(iter(answer["content"].values())), f"{method} {path}"
            for parameter in route.get("parameters", ()):
                known = parameter["in"] == "path" or parameter.get("description")
                assert known, f"{method} {path}: {parameter['name']}"
