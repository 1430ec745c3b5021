"""The writing half of the service, with a real broker, store and worker, which all tests here share."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import orjson
import pytest

from contracts.tokens import Place, encode_token
from contracts.topics import partition_of
from infra.settings import Kafka, Redis, Serving, Settings
from tests.worker import Worker, working
from tests.writing import Service, running, serving

FILMS = [f"film{number}" for number in range(40)]
PATCHES = ["t", "b", ["g"], 5, "n"]


@pytest.fixture(scope="module")
def worker(kafka: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    settings = Settings(
        namespace=name,
        home=str(tmp_path_factory.mktemp("writing")),
        kafka=Kafka(bootstrap=kafka, prefix=name, partitions=4),
        redis=Redis(url=redis_url, prefix=name),
    )
    with working(settings) as worker:
        worker.wait(lambda: bool(worker.status().get("ready")))
        yield worker


@pytest.fixture(scope="module")
def service(worker: Worker) -> Iterator[Service]:
    with serving(worker.settings) as service:
        service.post([{"user": f"u{user}", "item": FILMS[user + n]} for user in range(12) for n in range(20)])
        worker.wait_until_applied()
        worker.wait_until_listed(worker.keys.shared("popular"))
        yield service


@pytest.fixture
def user() -> str:
    return f"ann-{uuid.uuid4().hex[:8]}"


def error(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error"}
    return str(response.json()["error"]["message"])


def test_who_publishes_sees_the_effect_with_his_token(service: Service, user: str) -> None:
    for film in FILMS[:5]:
        token = service.post({"user": user, "item": film})["token"]
        assert film not in service.listed(user, token)
        assert service.listed(user, token)


def test_many_who_wait_at_the_same_time_each_see_their_own(service: Service) -> None:
    async def clicked(number: int) -> None:
        user = f"crowd{number}"
        for film in (FILMS[number % 20], FILMS[number % 20 + 1]):
            posted = await service.client.post("/events", json={"user": user, "item": film})
            asked = {"after": posted.json()["token"], "wait": 10_000, "n": 100}
            answer = await service.client.get(f"/recommend/{user}", params=asked)
            while answer.headers["headrace-fresh"] != "true":
                answer = await service.client.get(f"/recommend/{user}", params=asked)
            items = [each["item"] for each in answer.json()["items"]]
            assert items
            assert film not in items

    async def all_clicked() -> None:
        await asyncio.gather(*map(clicked, range(60)))

    service.run(all_clicked())


def test_a_token_that_is_never_reached_gives_the_list_as_it_is_and_says_so(service: Service, user: str) -> None:
    service.listed(user, service.post({"user": user, "item": FILMS[3]})["token"])
    never = encode_token([Place("clicks", 0, 2**50), Place("ratings", 999, 0)])
    answer = service.ask("GET", f"/recommend/{user}", params={"after": never, "wait": 50})
    assert answer.status_code == 200
    assert answer.headers["headrace-fresh"] == "false"
    assert answer.json()["stage"] == "personal"


@pytest.mark.parametrize("token", ["", "x", "é", "AAAA", "kgGT", "%00", "A" * 8000, "kwEC", "gqEBkwEC"])
def test_what_is_no_token_is_refused(service: Service, token: str) -> None:
    assert "token" in error(service.ask("GET", "/recommend/x", params={"after": token}), 422)


def test_the_same_request_twice_counts_once(service: Service, worker: Worker, user: str) -> None:
    def learned() -> int:
        return int(worker.wait_until_applied()["events_applied"])

    events = [{"user": user, "item": FILMS[1]}, {"user": user, "item": FILMS[2]}, {"user": user, "item": FILMS[1]}]
    before = learned()
    service.post(events, Idempotency_Key="k1")
    assert learned() == before + 3
    service.post(events, Idempotency_Key="k1")
    lines = b"\n".join(map(orjson.dumps, events))
    service.ask("POST", "/events", lines, headers={"Content-Type": "application/x-ndjson", "Idempotency-Key": "k1"})
    assert learned() == before + 3
    service.post(events, Idempotency_Key="k2")
    assert learned() == before + 6
    service.post({"user": user, "item": FILMS[5], "id": "own"}, Idempotency_Key="k3")
    service.post({"user": user, "item": FILMS[5], "id": "own"}, Idempotency_Key="k4")
    assert learned() == before + 7
    # Another body under the same key is another request: nothing of it is lost.
    service.post([{"user": user, "item": FILMS[7]}], Idempotency_Key="k1")
    assert learned() == before + 8


def test_what_cannot_be_used_is_refused_alone_with_its_place_and_the_remedy(service: Service, user: str) -> None:
    events = [
        {"user": user, "item": FILMS[6]},
        {"user": user, "item": FILMS[6], "type": "stare"},
        {"user": user, "item": FILMS[7], "rating": 4.5},
        {"user": user, "item": FILMS[7], "rating": 1e9},
        {"user": user, "items": FILMS[:3], "list": "1.1"},
        {"item": FILMS[6]},
        {"user": user, "forget": True},
        {"user": user, "item": ""},
        "text",
    ]
    answer = service.post(events)
    assert answer["accepted"] == 3
    refused = {each["index"]: (each["reason"], each["message"]) for each in answer["refused"]}
    assert refused.keys() == {1, 3, 5, 6, 7, 8}
    assert refused[1][0] == "unknown type"
    assert "'stare'" in refused[1][1]
    assert "POST /items" in refused[5][1]
    assert "PUT /users" in refused[6][1]
    assert not {FILMS[6], FILMS[7]} & set(service.listed(user, answer["token"]))
    said = error(service.ask("POST", "/events", events[1:2] * 5), 422)
    assert "event 0: unknown type: 'stare'" in said
    assert "and 2 more" in said


HOSTILE: list[tuple[bytes, str]] = [
    (b"", "application/json"),
    (b"   ", "application/json"),
    (b"[]", "application/json"),
    (b"[" * 200_000, "application/json"),
    (b'{"user":"a","context":' + b"[" * 200_000, "application/json"),
    (b'{"a":' * 100_000, "application/json"),
    (b'"\xff\xfe"', "application/json"),
    (b'{"user":"\\ud800","item":"x"}', "application/json"),
    (b'{"user":' + b"9" * 10_000 + b',"item":"x"}', "application/json"),
    (b'{"user":"a","item":"b","time":99999999999999999999}', "application/json"),
    (b'{"user":"a","item":"b","rating":NaN}', "application/json"),
    (b'{"user":"a","item":"b","value":1e999}', "application/json"),
    (b'{"user":"' + b"u" * 257 + b'","item":"b"}', "application/json"),
    (b"\x00" * 1000, "application/x-ndjson"),
    (b"\n\n\r\n", "application/x-ndjson"),
    (b'{"user":"a","item":"b"}{"user":"a","item":"b"}', "application/json"),
    (b'{"user":"a","item":"' + b"x" * 600_000 + b'"}', "application/json"),
    (b"null", "application/json"),
    (b"[null,1,true,[],{}]", "application/json"),
]


@pytest.mark.parametrize(("body", "media_type"), HOSTILE, ids=[repr(body[:30]) for body, _ in HOSTILE])
def test_hostile_bodies_are_refused_with_a_reason(service: Service, body: bytes, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    for method, path in (("POST", "/events"), ("POST", "/items"), ("PUT", "/items/x"), ("PATCH", "/users/x")):
        response = service.ask(method, path, body, headers=headers)
        if path == "/users/x" and response.status_code == 202:
            continue  # {} changes nothing
        assert error(response, 422), (method, path)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_of_another_site_could_send_is_refused(service: Service, media_type: str) -> None:
    event = orjson.dumps({"user": "ann", "item": "x"})
    assert "application/json" in error(service.ask("POST", "/events", event, headers={"Content-Type": media_type}), 415)


def test_more_events_than_one_request_may_hold_are_refused(service: Service) -> None:
    assert "1,000" in error(service.ask("POST", "/events", [{"user": "a", "item": "b"}] * 1001), 422)


IDS = ["a/b", "a/items/b", "..", "{}", "a\nb", "日本語 🎬", "%2F", "?", "x" * 256]


@pytest.mark.parametrize("name", IDS)
def test_any_id_in_the_path_is_one_id(service: Service, name: str) -> None:
    path = f"/items/{quoted(name)}"
    token = service.ask("PUT", path, {"title": name}).json()["token"]
    service.listed("nobody", token)
    assert service.ask("GET", path).json() == {"item": name, "title": name}
    assert service.ask("DELETE", f"/users/{quoted(name)}/items/{quoted(name)}").status_code == 202


def test_items_are_put_patched_and_deleted(service: Service) -> None:
    item = f"item-{uuid.uuid4().hex[:8]}"
    path = f"/items/{item}"

    def patch(change: dict[str, Any]) -> None:
        token = service.ask("PATCH", path, change).json()["token"]
        service.listed("nobody", token)

    assert error(service.ask("PATCH", path, {"title": "x"}), 404)
    assert error(service.ask("GET", path), 404)
    record = {"title": "Heat", "text": "A long text", "vector": [0.5, 1.0], "categories": ["Crime", "Drama"]}
    service.listed("nobody", service.ask("PUT", path, record).json()["token"])
    assert service.ask("GET", path).json() == {"item": item, **record}
    patch({"title": None, "brand": "Warner"})
    record = {"brand": "Warner", **{name: value for name, value in record.items() if name != "title"}}
    assert service.ask("GET", path).json() == {"item": item, **record}
    # One after the other without waiting: none undoes the one before.
    for number in range(5):
        assert service.ask("PATCH", path, {("title", "brand", "tags", "created", "text")[number]: PATCHES[number]})
    patch({})
    assert service.ask("GET", path).json() == {
        "item": item, "title": "t", "brand": "b", "tags": ["g"], "created": 5, "text": "n", "vector": [0.5, 1.0],
        "categories": ["Crime", "Drama"],
    }  # fmt: skip
    assert "leave it out" in error(service.ask("PUT", path, {"item": "another"}), 422)
    assert error(service.ask("PUT", path, {"title": 5}), 422)
    service.listed("nobody", service.ask("DELETE", path).json()["token"])
    assert error(service.ask("GET", path), 404)
    assert error(service.ask("PATCH", path, {"title": "x"}), 404)


def test_items_in_bulk(service: Service) -> None:
    items = [{"item": f"bulk{n}", "title": f"Bulk {n}"} for n in range(5)]
    answer = service.ask("POST", "/items", [*items, {"user": "a", "item": "b"}]).json()
    assert answer["accepted"] == 5
    assert "POST /events" in answer["refused"][0]["message"]
    service.listed("nobody", answer["token"])
    assert service.ask("GET", "/items/bulk4").json() == {"item": "bulk4", "title": "Bulk 4"}


def test_a_user_is_described_exported_and_forgotten_and_may_take_back(
    service: Service, worker: Worker, user: str
) -> None:
    path = f"/users/{user}"
    assert service.ask("PUT", path, {"attributes": {"age": 31, "city": "Rome"}}).status_code == 202
    assert service.ask("PATCH", path, {"attributes": {"age": 32, "city": None, "likes": "crime"}}).status_code == 202
    assert error(service.ask("PUT", path, {"attributes": {"age": [1]}}), 422)
    token = service.post([{"user": user, "item": film} for film in FILMS[8:12]])["token"]
    assert FILMS[9] not in service.listed(user, token)
    token = service.ask("DELETE", f"{path}/items/{FILMS[9]}").json()["token"]
    assert FILMS[9] in service.listed(user, token)
    worker.wait_until_applied()
    exported = service.ask("GET", f"{path}/export").json()
    assert exported["attributes"] == {"age": 32, "likes": "crime"}
    (held,) = exported["namespaces"].values()
    assert {event["item"] for event in held["history"]} == {FILMS[8], FILMS[10], FILMS[11]}
    token = service.ask("DELETE", path).json()["token"]
    assert service.fresh(user, token)["stage"] == "popular"
    home = partition_of(user, worker.settings.kafka.partitions)
    worker.wait(lambda: not worker.store.exists(worker.keys.state(home, user)))


def test_openapi_names_every_answer_of_the_writing_half(service: Service) -> None:
    paths = service.ask("GET", "/openapi.json").json()["paths"]
    for path, method in (
        ("/events", "post"), ("/items", "post"), ("/items/{item}", "put"), ("/items/{item}", "patch"),
        ("/items/{item}", "delete"), ("/users/{user}", "put"), ("/users/{user}", "patch"), ("/users/{user}", "delete"),
        ("/users/{user}/items/{item}", "delete"),
    ):  # fmt: skip
        said = paths[path][method]
        assert said["responses"].keys() >= {"202", "422", "429", "503"}
        assert ("requestBody" in said) == (method != "delete")


def test_too_much_is_refused_whole(worker: Worker) -> None:
    tight = msgspec.structs.replace(worker.settings, serving=Serving(publish_queue=10))
    with serving(tight) as service:
        event = {"user": "tight", "item": "x"}
        response = service.ask("POST", "/events", [event] * 11)
        assert "nothing of this was sent" in error(response, 429)
        assert response.headers["retry-after"]
        assert service.post([event] * 10)["accepted"] == 10


def test_a_broker_that_does_not_answer_is_said_within_the_time_limit(redis_url: str, namespace: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        settings = Settings(
            kafka=Kafka(bootstrap=f"127.0.0.1:{nobody.getsockname()[1]}", prefix=namespace),
            redis=Redis(url=redis_url, prefix=namespace),
            serving=Serving(publish_timeout_ms=500),
        )
        with serving(settings) as service:
            response = service.ask("POST", "/events", {"user": "ann", "item": "x"})
            assert "Idempotency-Key" in error(response, 503)
            assert response.headers["retry-after"]


def quoted(name: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    return quote(name, safe="").replace(".", "%2E")


def test_a_stream_says_the_list_at_once_and_again_when_it_has_changed(service: Service, user: str) -> None:
    async def events(response: httpx.Response) -> Any:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                yield orjson.loads(line.removeprefix("data: "))

    async def followed(base: str) -> None:
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            async with client.stream("GET", f"/stream/{user}", params={"n": 50}) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                told = events(response)
                first = await anext(told)
                assert first["stage"] == "popular"
                for film in FILMS[12:14]:
                    await client.post("/events", json={"user": user, "item": film})
                    while film in {each["item"] for each in (await anext(told))["items"]}:
                        pass
            full = [asyncio.create_task(anext_of(client, number)) for number in range(2)]
            assert sorted(await asyncio.gather(*full)) == [200, 429]

    async def anext_of(client: httpx.AsyncClient, number: int) -> int:
        async with client.stream("GET", f"/stream/other{number}") as response:
            if response.status_code == 200:
                await anext(response.aiter_lines())
                await asyncio.sleep(1)
            return response.status_code

    with running(service) as base:
        service.run(followed(base))


GENRES = ["Sci-Fi", "Action", "Comedy", "Crime", "Drama"]


def catalogue() -> list[dict[str, Any]]:
    """Two hundred films: every tenth is of science fiction and of action, others of one or two other genres."""
    films = []
    for number in range(200):
        genres = ["Action", "Sci-Fi"] if number % 10 == 0 else [GENRES[number % 5], GENRES[2 + number % 3]]
        films.append({"item": f"text{number}", "title": f"Tale {number}", "categories": sorted(set(genres))})
    return films


def test_free_words_in_either_language_find_what_fits_and_follow_the_records(service: Service) -> None:
    films = {film["item"]: film for film in catalogue()}
    service.listed("nobody", service.ask("POST", "/items", list(films.values())).json()["token"])

    def found(text: str, **more: Any) -> list[str]:
        answer = service.ask("POST", "/recommend", {"text": text, **more})
        assert answer.status_code == 200, answer.text
        assert answer.json()["stage"] in ("text", "popular")
        return [each["item"] for each in answer.json()["items"]]

    for text in ("I like science fiction and action films", "我喜欢科幻片和动作片"):
        shown = found(text)
        assert len(shown) == 10
        assert all({"Action", "Sci-Fi"} <= set(films[item]["categories"]) for item in shown)
    assert found("tale 77")[0] == "text77"
    # What a record no longer says finds it no more, nor does what is deleted or hidden.
    for change in ({"title": "Story", "categories": ["Drama"]}, {"title": "Tale 77", "hidden": True}):
        service.listed("nobody", service.ask("PUT", "/items/text77", change).json()["token"])
        assert "text77" not in found("tale 77", n=1)
    service.listed("nobody", service.ask("PUT", "/items/text77", {"title": "Tale 77"}).json()["token"])
    assert found("tale 77", n=1) == ["text77"]
    service.listed("nobody", service.ask("DELETE", "/items/text77").json()["token"])
    assert "text77" not in found("tale 77", n=1)
    assert found("nothing of this is in any record, quux")[0] in FILMS
    for body in ({"text": ""}, {"text": "x" * 501}, {"text": "a", "user": "b"}, {"text": "a", "candidates": ["b"]}, {}):
        assert error(service.ask("POST", "/recommend", body), 422)
    for text in ("\x00", "{}:*", "😀" * 100, "科" * 500, "a " * 250):
        assert service.ask("POST", "/recommend", {"text": text}).status_code == 200
