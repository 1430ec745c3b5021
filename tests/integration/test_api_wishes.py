"""What a caller may wish of lists, guests' lists, candidates and explanations, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest

from contracts.redis import Keys, encode_list, encode_vector
from tests.service import Deployment, deployed, encoded, refusal, shown


@pytest.fixture
def deployment(redis_url: str, namespace: str) -> Iterator[Deployment]:
    with deployed(redis_url, namespace) as started:
        yield started


def describe(deployment: Deployment, item: str, **record: Any) -> None:
    deployment.store.set(deployment.keys.item(item), orjson.dumps({"item": item, **record}))


def place(deployment: Deployment, key: str, *vector: float) -> None:
    deployment.store.set(key, encode_vector(np.array(vector, np.float32)))


def test_pages_follow_one_another_without_a_gap(deployment: Deployment) -> None:
    deployment.give("ann", ["a", "b", "c", "d", "e"])
    pages = [shown(deployment.get("/recommend/ann", n=2, offset=offset)) for offset in (0, 2, 4, 6)]
    assert pages == [["a", "b"], ["c", "d"], ["e"], []]


def test_the_short_way_gives_what_the_long_way_gives(deployment: Deployment) -> None:
    for user, items in (("ann", ["a", "b", "c"]), ("quotes", ['a","b', "c\\", "é"]), ("twice", ["a", "a", "b"])):
        deployment.give(user, items)
        for n in (1, 2, 10):
            short, long = deployment.get(f"/recommend/{user}", n=n), deployment.get(f"/recommend/{user}", n=n, offset=0)
            assert short.json() == long.json()
            assert short.headers.keys() == long.headers.keys()
    deployment.store.sadd(deployment.keys.withheld, "a")
    assert shown(deployment.get("/recommend/ann", n=2)) == ["b", "c"]


def test_items_may_have_to_be_of_all_categories(deployment: Deployment) -> None:
    for item, categories in (("a", ["x"]), ("b", ["x", "y"]), ("c", ["y", "x", "z"])):
        describe(deployment, item, categories=categories)
    deployment.give("ann", ["a", "b", "c"])
    assert shown(deployment.get("/recommend/ann", categories="x,y", match="all")) == ["b", "c"]
    assert shown(deployment.get("/recommend/ann", categories=["x", "z"], match="all")) == ["c"]


def test_diversity_moves_what_is_like_the_items_above_down_and_zero_moves_nothing(deployment: Deployment) -> None:
    for item, vector in (("a", (1, 0, 9)), ("b", (1, 0, 9)), ("c", (0, 1, -9))):
        place(deployment, deployment.keys.item_vector(item), *vector)
    deployment.give("ann", ["a", "b", "c", "unknown"])
    assert shown(deployment.get("/recommend/ann", diversity=0)) == ["a", "b", "c", "unknown"]
    assert shown(deployment.get("/recommend/ann", diversity=0.6, n=3)) == ["a", "c", "unknown"]


def test_reasons_come_with_their_titles_in_words_when_asked_for(deployment: Deployment) -> None:
    describe(deployment, "earlier", title="Heat")
    describe(deployment, "a", title="Alien")
    deployment.give("ann", ["a", "b"])
    items = deployment.get("/recommend/ann", explain=True, titles=True).json()["items"]
    assert items == [
        {
            "item": "a",
            "score": 1.0,
            "title": "Alien",
            "reasons": ["together", "earlier"],
            "because": "because of Heat: people who had it also had this",
        },
        {"item": "b", "score": 0.5, "reasons": [], "because": ""},
    ]


def test_another_namespace_can_be_read_and_one_that_does_not_exist_is_named(deployment: Deployment) -> None:
    beside = Keys("next", deployment.keys.active.removesuffix(":active"))
    assert refusal(deployment.get("/recommend/ann", namespace="next")) == (404, "not_found")
    deployment.share(beside.shared("popular"), ["p"])
    deployment.give("ann", ["new"], beside)
    response = deployment.get("/recommend/ann", namespace="next")
    assert (shown(response), response.json()["namespace"]) == (["new"], "next")
    missing = deployment.get("/popular", namespace="nowhere")
    assert "'nowhere'" in missing.json()["error"]["message"]


def test_the_tag_stays_while_the_answer_does_and_only_then(deployment: Deployment) -> None:
    deployment.give("ann", ["a", "b"])
    for path in ("/recommend/ann", "/recommend/ann?explain=true"):
        first = deployment.get(path)
        tag = first.headers["ETag"]
        assert int(first.headers["Age"]) > 1_000_000
        again = deployment.ask("GET", path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        deployment.store.sadd(deployment.keys.withheld, "a")
        changed = deployment.ask("GET", path, headers={"If-None-Match": tag})
        assert shown(changed) == ["b"]
        deployment.store.srem(deployment.keys.withheld, "a")
        assert deployment.ask("GET", path, headers={"If-None-Match": tag}).status_code == 304


def test_too_many_categories_are_refused(deployment: Deployment) -> None:
    many = ",".join(map(str, range(101)))
    assert refusal(deployment.get("/recommend/ann", categories=many)) == (422, "invalid_request")


@pytest.mark.parametrize("name", ["popular", "trending", "latest"])
def test_lists_for_everybody_are_paged_titled_and_by_category(deployment: Deployment, name: str) -> None:
    describe(deployment, "q", title="Q")
    deployment.share(deployment.keys.shared(name), ["p", "q", "r"])
    deployment.share(deployment.keys.shared(name, "x"), ["r"])
    body = deployment.get(f"/{name}", offset=1, n=1, titles=True).json()
    assert body == {"namespace": "main", "time": 1000, "items": [{"item": "q", "score": 0.5, "title": "Q"}]}
    assert shown(deployment.get(f"/{name}", category="x")) == ["r"]


def test_the_order_of_what_new_users_see_can_be_set(redis_url: str, namespace: str) -> None:
    with deployed(redis_url, namespace, fallbacks=("trending", "popular")) as deployment:
        for name in ("popular", "trending", "latest"):
            deployment.share(deployment.keys.shared(name), [name])
        answer = deployment.get("/recommend/nobody")
        assert (answer.json()["stage"], shown(answer)) == ("trending", ["trending", "popular"])


def test_a_guest_gets_what_goes_with_his_recent_items_then_what_everyone_gets(deployment: Deployment) -> None:
    deployment.share(deployment.keys.similar("old"), ["x", "new", "y"])
    deployment.share(deployment.keys.similar("new"), ["y", "old"])
    deployment.share(deployment.keys.shared("popular"), ["old", "x", "p", "q"])
    deployment.store.sadd(deployment.keys.withheld, "q")
    body = deployment.post("/recommend", {"recent": ["old", "new"], "explain": True}).json()
    assert (body["stage"], body["version"]) == ("session", None)
    assert [(entry["item"], entry["reasons"]) for entry in body["items"]] == [
        ("y", ["similar", "new", "old"]),
        ("x", ["similar", "old"]),
        ("p", ["popular"]),
    ]
    assert body["items"][0]["because"] == "because of new and old: this goes with them"
    unknown = deployment.post("/recommend", {"recent": ["unheard-of"]})
    assert (unknown.json()["stage"], shown(unknown)) == ("popular", ["old", "x", "p"])


def test_candidates_come_back_all_of_them_in_the_order_that_suits_the_user(deployment: Deployment) -> None:
    deployment.give("ann", ["a", "b"])
    place(deployment, deployment.keys.user_vector("ann"), 1, 0, 1)
    for item, vector in (("far", (-1, 0, 0)), ("near", (1, 0, 0)), ("b", (-5, 0, 0))):
        place(deployment, deployment.keys.item_vector(item), *vector)
    candidates = ["unknown", "far", "near", "b", "a", "withheld", *map(str, range(20))]
    deployment.store.sadd(deployment.keys.withheld, "withheld")
    response = deployment.post("/recommend", {"user": "ann", "candidates": candidates})
    assert shown(response) == ["a", "b", "near", "far", "unknown", *map(str, range(20))]
    assert (response.json()["stage"], response.json()["version"]) == ("candidates", "3.1")
    assert shown(deployment.post("/recommend", {"user": "ann", "candidates": [7, "near"], "n": 1})) == ["near"]


def test_candidates_of_a_guest_come_in_the_order_of_his_session(deployment: Deployment) -> None:
    deployment.share(deployment.keys.similar("seen"), ["x", "y"])
    assert shown(deployment.post("/recommend", {"recent": ["seen"], "candidates": ["z", "y", "x"]})) == ["x", "y", "z"]


@pytest.mark.parametrize(
    "body",
    [{}, {"user": "ann", "recent": ["a"]}, {"recent": []}, {"recent": [""]}, {"user": True}, {"candidates": ["a"]}, []],
)
def test_a_body_that_cannot_be_meant_is_refused(deployment: Deployment, body: Any) -> None:
    assert refusal(deployment.post("/recommend", body)) == (422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [b'{"recent":["\\ud800"]}', b'{"recent":["\xff"]}', b"{", b"\x00", b'{"recent":["a"],"n":1e999}', b'{"recent":1'],
)
def test_a_body_that_is_no_json_or_no_text_is_refused(deployment: Deployment, body: bytes) -> None:
    response = deployment.ask("POST", "/recommend", content=body, headers={"Content-Type": "application/json"})
    assert refusal(response) in ((422, "invalid_request"), (400, "bad_request"))


def test_a_version_that_no_header_can_carry_is_left_out_of_the_tag(deployment: Deployment) -> None:
    value = encode_list('é"\r\n日', ["a"], [1.0], [], 1000, "77")
    deployment.store.set(deployment.keys.top("ann"), value)
    response = deployment.get("/recommend/ann")
    assert (shown(response), response.json()["version"]) == (["a"], 'é"\r\n日')
    assert response.headers["ETag"].isascii()


def test_an_item_on_the_list_is_explained_by_its_reasons_its_vector_and_its_neighbours(deployment: Deployment) -> None:
    describe(deployment, "earlier", title="Heat")
    deployment.give("ann", ["a", "b"])
    place(deployment, deployment.keys.user_vector("ann"), 1, 1)
    for item, value in (("a", 2.0), ("b", 1.0)):
        place(deployment, deployment.keys.item_vector(item), value, 0.0)
    deployment.share(deployment.keys.similar("a"), ["b", "other", "earlier"])
    body = deployment.get("/explain/ann/a").json()
    assert (body["listed"], body["rank"], body["score"]) == (True, 1, 1.0)
    assert body["taste"] == {"score": 2.0, "below": 1, "of": 1}
    assert [(near["item"], near["rank"]) for near in body["near"]] == [("earlier", None), ("b", 2)]
    assert body["because"].startswith("number 1 of 2 on the list, because of Heat: people who had it also had this")
    assert "it goes with Heat, which the list rests on" in body["because"]


def test_an_item_that_is_not_on_the_list_is_said_not_to_be_and_why(deployment: Deployment) -> None:
    deployment.give("ann", ["a", "b"])
    deployment.store.sadd(deployment.keys.withheld, "gone")

    def because(item: str, user: str = "ann") -> str:
        body = deployment.get(f"/explain/{user}/{item}").json()
        assert body["listed"] is False
        assert body["rank"] is None
        return str(body["because"])

    assert because("other").startswith("not among the 2 items of the list")
    assert because("earlier").startswith("not on the list: one of the earlier items")
    assert because("gone").startswith("withheld")
    assert because("a", "nobody").startswith("this user has no list yet")


def test_ids_with_slashes_are_told_apart_in_an_explanation(deployment: Deployment) -> None:
    deployment.give("a/b", ["c"])
    deployment.give("a", ["b/c"])
    for user, item in (("a/b", "c"), ("a", "b/c")):
        body = deployment.get(f"/explain/{encoded(user)}/{encoded(item)}").json()
        assert (body["item"], body["listed"]) == (item, True)
