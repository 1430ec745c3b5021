"""Programs that speak with the service over the network: our own client, and an app that was written for Gorse.

All tests share a real server with API keys, a broker, a store and a worker.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gorse
import msgspec
import pytest
import requests

import headrace_client as client
from commands.serve import application
from infra.settings import ApiKey, Kafka, Redis, Serving, Settings
from serving.edge.access import new_key
from tests.both import Plain
from tests.worker import publish, working
from tests.writing import listening

ROOT = Path(__file__).parents[2]
EXAMPLES = {"clients/python/README.md": 3, "docs/gorse.md": 1}
FILMS = [f"film-{number}" for number in range(30)]


@dataclass(frozen=True)
class Server:
    base: str
    admin: str
    reader: str


@pytest.fixture(scope="module")
def server(kafka: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    (admin, admins), (reader, readers) = new_key(), new_key()
    keys = [ApiKey(name="admin", sha256=admins, roles=["admin"]), ApiKey(name="r", sha256=readers, roles=["read"])]
    settings = Settings(
        namespace=name,
        home=str(tmp_path_factory.mktemp("clients")),
        kafka=Kafka(bootstrap=kafka, prefix=name, partitions=4),
        redis=Redis(url=redis_url, prefix=name),
        serving=Serving(gorse=True, keys=keys, events_at_once=500),
    )
    with working(settings, "freshened_per_s = 0\n") as worker:
        publish(settings, *(msgspec.convert({"user": f"u{u}", "item": FILMS[u + n]}, client_event()) for u in range(10)
                            for n in range(15)))  # fmt: skip
        worker.wait_until_applied()
        keys = worker.keys
        worker.wait_until_listed(*map(keys.shared, ("popular", "trending", "latest")), keys.similar(FILMS[5]))
        with listening(application(settings, settings.redis.url)) as base:
            yield Server(base, admin, reader)


def client_event() -> Any:
    from contracts.events import Click  # noqa: PLC0415 (not the client's of the same name)

    return Click


@pytest.fixture(params=["plain", "asyncio"])
def headrace(request: pytest.FixtureRequest, server: Server) -> Iterator[Plain]:
    if request.param == "plain":
        with client.Headrace(server.base, server.admin) as made:
            yield Plain(made)
    else:
        with asyncio.Runner() as runner:
            made = client.AsyncHeadrace(server.base, server.admin)
            yield Plain(made, runner)
            runner.run(made.close())


@pytest.fixture
def user() -> str:
    return f"ann/{uuid.uuid4().hex[:8]}"


def test_who_sends_events_reads_their_effect(headrace: Plain, user: str) -> None:
    sent = headrace.send(client.Click(user, FILMS[1], "play"), {"user": user, "item": FILMS[2]})
    assert (sent.accepted, sent.refused) == (2, ())
    page = headrace.recommend(user, 20, after=sent.token, wait=10_000, titles=True, explain=True)
    assert (page.fresh, page.stage) == (True, "personal")
    assert page.version
    assert page.items[0].reasons
    assert page.items[0].because
    shown = [each.item for each in page.items]
    assert not {FILMS[1], FILMS[2]} & set(shown)
    # Each way to read the list is the same list.
    assert [each.item for each in headrace.recommend(user, 5, offset=3, exclude=shown[:1]).items] == shown[4:9]
    assert [each.item for each in headrace.recommend_for(user=user, n=20).items] == shown
    ordered = headrace.recommend_for(user=user, candidates=[shown[5], "nothing", shown[0]])
    assert [each.item for each in ordered.items] == [shown[0], shown[5], "nothing"]
    why = headrace.explain(user, shown[0])
    assert (why.listed, why.rank, why.version) == (True, 1, page.version)
    assert why.near == () or isinstance(why.near[0], client.Near)
    token = headrace.undo(user, FILMS[1]).token
    assert FILMS[1] in [each.item for each in headrace.recommend(user, 100, after=token, wait=10_000).items]
    rated = headrace.send_many([client.Rating(user, FILMS[3], 4.5), client.Impression(user, shown[:2], page.version)])
    assert rated.accepted == 2


def test_what_everyone_is_shown_and_what_goes_with_an_item(headrace: Plain) -> None:
    assert headrace.popular(3).items == headrace.popular(5).items[:3]
    assert headrace.latest(3).items
    headrace.trending(3, category="none of this name", titles=True)
    near = headrace.similar(FILMS[5], 4)
    assert near.items
    assert FILMS[5] not in [each.item for each in near.items]
    guest = headrace.recommend_for(recent=[FILMS[5]], n=4, exclude=[near.items[0].item])
    assert guest.stage == "session"
    assert guest.items[0].item == near.items[1].item
    assert headrace.health().status == "ok"
    assert headrace.ready().status == "ready"


def test_items_are_described_changed_found_and_deleted(headrace: Plain, user: str) -> None:
    item = f"a/b {uuid.uuid4().hex[:8]}"
    token = headrace.put_item(item, title="Zürich by night", categories=["Crime"], tags=["t"], created=1000).token
    headrace.recommend(user, after=token, wait=10_000)
    assert headrace.item(item) == client.Record(item, "Zürich by night", ("Crime",), tags=("t",), created=1000)
    token = headrace.patch_item(item, {"tags": None, "brand": "Cine"}).token
    headrace.recommend(user, after=token, wait=10_000)
    record = headrace.item(item)
    assert (record.tags, record.brand) == ((), "Cine")
    assert item in [each.item for each in headrace.recommend_for(text="zürich night", categories=["Crime"]).items]
    token = headrace.put_items([record, {"item": f"{item}2", "title": "Two"}]).token
    headrace.recommend(user, after=token, wait=10_000)
    assert headrace.item(f"{item}2").title == "Two"
    token = headrace.delete_item(item).token
    headrace.recommend(user, after=token, wait=10_000)
    with pytest.raises(client.NotFound) as error:
        headrace.item(item)
    assert error.value.status == 404
    assert error.value.request


def test_a_person_is_described_gets_what_is_kept_and_is_forgotten(server: Server, user: str) -> None:
    with client.Headrace(server.base, server.admin) as headrace:
        headrace.put_user(user, {"age": 31, "city": "Rome"})
        headrace.patch_user(user, {"age": 32, "city": None})
        token = headrace.send(client.Click(user, FILMS[7])).token
        headrace.recommend(user, after=token, wait=10_000)
        kept = headrace.export_user(user)
        assert (kept.user, kept.attributes) == (user, {"age": 32})
        token = headrace.forget_user(user).token
        assert headrace.recommend(user, after=token, wait=10_000).stage == "popular"


def test_a_stream_tells_the_list_and_its_changes(headrace: Plain, user: str) -> None:
    token = headrace.send(client.Click(user, FILMS[1])).token
    headrace.recommend(user, after=token, wait=10_000)
    told = headrace.stream(user, 50)
    first = next(told)
    assert first.stage == "personal"
    film = first.items[0].item
    headrace.send(client.Click(user, film))
    while film in {each.item for each in next(told).items}:
        pass
    told.close()


def test_every_refusal_is_its_own_exception_and_says_what_to_do(server: Server, headrace: Plain) -> None:
    with pytest.raises(client.InvalidRequest, match="less than or equal to 1000"):
        headrace.recommend("ann", 100_000)
    with pytest.raises(client.NotFound, match="no namespace 'nowhere'"):
        headrace.popular(namespace="nowhere")
    with pytest.raises(client.InvalidRequest) as error:
        headrace.send({"user": "ann", "item": "x", "type": "stare"})
    assert (error.value.status, error.value.code) == (422, "invalid_request")
    assert "'stare'" in error.value.detail
    with pytest.raises(TypeError, match="give a list"):
        headrace.recommend("ann", exclude="film-1")
    with client.Headrace(server.base, server.reader) as reader:
        assert reader.recommend("ann").items
        with pytest.raises(client.Forbidden, match="no role 'write'"):
            reader.send(client.Click("ann", "x"))
    with client.Headrace(server.base) as nobody, pytest.raises(client.Unauthorized):
        nobody.recommend("ann")


@pytest.mark.parametrize("file", EXAMPLES)
def test_the_examples_of_the_documentation_run(server: Server, file: str) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / file).read_text("utf-8"), re.DOTALL)
    assert len(examples) == EXAMPLES[file]
    for example in examples:
        names: dict[str, Any] = {}
        exec(example.replace("http://127.0.0.1:8000", server.base).replace("hr_…", server.admin), names)
        if isinstance(names.get("headrace"), client.Headrace):
            names["headrace"].close()


@pytest.mark.parametrize("kind", [gorse.Gorse, gorse.AsyncGorse])
def test_every_method_of_gorses_client_does_what_its_callers_expect(server: Server, kind: Any) -> None:
    with asyncio.Runner() as runner:
        app = Plain(kind(server.base, server.admin), runner if kind is gorse.AsyncGorse else None)
        mark = uuid.uuid4().hex[:8]
        _items(app, mark)
        _users(app, mark)
        _feedback(app, mark)
        _lists(app, mark)
    public = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    assert public - app.called == set()


def _items(app: Plain, mark: str) -> None:
    item = {
        "ItemId": f"i{mark}", "IsHidden": True, "Labels": ["a", "b", "c"], "Categories": ["d", "e"],
        "Timestamp": "2026-07-23T08:00:00Z", "Comment": f"comment {mark}",
    }  # fmt: skip
    assert app.insert_item(item) == {"RowAffected": 1}
    assert app.get_item(item["ItemId"]) == item
    assert app.search_items(mark) == []  # it is hidden
    assert app.update_item(item["ItemId"], is_hidden=False, labels={"genre": ["x", "y"], "year": 1995}) == {
        "RowAffected": 1
    }
    changed = item | {"IsHidden": False, "Labels": {"genre": ["x", "y"], "year": 1995}}
    assert app.get_item(item["ItemId"]) == changed
    assert app.search_items(mark, n=5) == [changed]
    found, cursor = [], ""
    for _ in range(1000):
        page, cursor = app.get_items(5, cursor)
        found += page
        if not cursor:
            break
    assert changed in found
    assert app.delete_item(item["ItemId"]) == {"RowAffected": 1}
    with pytest.raises(gorse.GorseException) as error:
        app.get_item(item["ItemId"])
    assert error.value.status_code == 404


def _users(app: Plain, mark: str) -> None:
    users = [
        {"UserId": f"{name}{mark}", "Labels": labels, "Comment": ""}
        for name, labels in (("a", ["a", "b"]), ("b", {"age": 31, "vip": True}), ("c", {"likes": ["x"]}))
    ]
    assert app.insert_user(users[0]) == {"RowAffected": 1}
    assert app.insert_users(users[1:]) == {"RowAffected": 2}
    assert app.get_user(users[1]["UserId"]) == users[1]
    assert app.insert_feedbacks([_done("like", user["UserId"], FILMS[1]) for user in users]) == {"RowAffected": 3}
    found, cursor = [], ""
    for _ in range(1000):
        page, cursor = app.get_users(100, cursor)
        found += page
        if not cursor:
            break
    assert [user for user in users if user not in found] == []
    assert app.delete_user(users[0]["UserId"]) == {"RowAffected": 1}
    with pytest.raises(gorse.GorseException) as error:
        app.get_user(users[0]["UserId"])
    assert error.value.status_code == 404


def _feedback(app: Plain, mark: str) -> None:
    user = f"f{mark}"
    assert app.insert_feedback("like", user, FILMS[1], "2026-07-23T08:00:00Z") == {"RowAffected": 1}
    several = [_done("read", user, FILMS[2]), _done("read", user, FILMS[3])]
    assert app.insert_feedbacks(several) == {"RowAffected": 2}
    deadline = time.monotonic() + 60
    while app.list_feedbacks("read", user) != several:  # it is up to a second old
        assert time.monotonic() < deadline, app.list_feedbacks("read", user)
    assert FILMS[1] not in [score.id for score in app.get_recommend(user, n=50)]
    assert app.delete_feedback(user, FILMS[1]) == {"RowAffected": 1}
    assert FILMS[1] in [score.id for score in app.get_recommend(user, n=50)]
    for wrong in (_done("stare", user, "x"), _done("like", "", "x"), _done("like", user, "x") | {"Timestamp": "soon"}):
        with pytest.raises(gorse.GorseException) as error:
            app.insert_feedbacks([_done("like", user, FILMS[9]), wrong])
        assert error.value.status_code == 422
    with pytest.raises(gorse.GorseException) as error:
        app.get_feedbacks(10)
    assert error.value.status_code == 501
    assert "Kafka" in error.value.message


def _lists(app: Plain, mark: str) -> None:
    user = f"l{mark}"
    app.insert_feedback("star", user, FILMS[4], "2026-07-23T08:00:00Z")
    scores = app.get_recommend(user, n=6)
    assert len(scores) == 6
    assert isinstance(scores[0], gorse.Score)
    assert [score.id for score in app.get_recommend(user, n=3, offset=3)] == [score.id for score in scores[3:]]
    shown = [score.id for score in app.get_recommend(user, n=2, write_back_type="read")]
    assert not {score.id for score in app.get_recommend(user, n=20)} & set(shown)
    with pytest.raises(gorse.GorseException) as error:
        app.get_recommend(user, write_back_type="read", write_back_delay="10m")
    assert error.value.status_code == 422
    assert app.get_recommend(user, "no such category") == []
    near = app.get_neighbors(FILMS[5], 4)
    assert near[0].keys() == {"Id", "Score"}
    guest = app.session_recommend([_done("like", "0", FILMS[5])], 3)
    assert [each["Id"] for each in guest] == [each["Id"] for each in near[:3]]


def _done(kind: str, user: str, item: str) -> dict[str, Any]:
    return {
        "FeedbackType": kind, "UserId": user, "ItemId": item, "Value": 0, "Timestamp": "2026-07-23T08:00:00Z",
        "Comment": "",
    }  # fmt: skip


def test_gorses_other_routes_answer_or_say_why_not(server: Server) -> None:
    def ask(method: str, path: str, **more: Any) -> tuple[int, Any]:
        given = {"X-API-Key": server.admin} | more.pop("headers", {})
        response = requests.request(method, f"{server.base}/api{path}", headers=given, timeout=60, **more)
        return response.status_code, response.json()

    popular = ask("GET", "/popular", params={"n": 3})[1]
    assert popular == ask("GET", "/non-personalized/popular", params={"n": 3})[1]
    assert len(popular) == 3
    assert ask("GET", "/latest/")[0] == ask("GET", "/health/ready")[0] == ask("GET", "/health/live")[0] == 200
    assert ask("GET", "/recommend/nobody", params={"n": 2}) == (200, [each["Id"] for each in popular[:2]])
    items = [{"ItemId": f"bulk{number}", "Comment": "Bulk"} for number in range(3)]
    assert ask("POST", "/items", json=items) == (200, {"RowAffected": 3})
    assert ask("GET", "/item/bulk2")[1]["Comment"] == "Bulk"
    for path, good, bad in (("items", {"ItemId": "half"}, {"ItemId": "x" * 257}), ("users", {"UserId": "half"}, {})):
        assert ask("POST", f"/{path}", json=[good, bad])[0] == 422
        assert ask("GET", f"/{path[:-1]}/half")[0] == 404  # all of it or nothing
    assert ask("POST", "/items", json=[])[1] == ask("POST", "/users", json=[])[1] == {"RowAffected": 0}
    for n in (1, 7, 1000):  # however large the pages, together they hold everything
        found, cursor = [], "0"
        while cursor:
            page = ask("GET", "/items", params={"n": n, "cursor": cursor})[1]
            found, cursor = found + page["Items"], page["Cursor"]
        assert {f"bulk{number}" for number in range(3)} <= {each["ItemId"] for each in found}
    assert ask("PATCH", "/user/patched", json={"Labels": ["p"]}) == (200, {"RowAffected": 1})
    assert ask("GET", "/user/patched")[1]["Labels"] == ["p"]
    assert ask("PUT", "/feedback", json=[_done("rating", "patched", "bulk1") | {"Value": 4}])[0] == 200
    for method, path in (
        ("GET", "/feedback/like"), ("GET", "/item/x/feedback/"), ("GET", "/user/x/neighbors/"),
        ("GET", "/measurements/x"), ("DELETE", "/feedback/like/a/b"),
    ):  # fmt: skip
        assert ask(method, path)[0] == 501, path
    assert ask("GET", "/popular?user-id=a")[0] == 422
    assert ask("GET", "/non-personalized/best")[0] == 404
    assert ask("POST", "/feedback", json=[_done("like", "a", "b")] * 501)[0] == 422
    assert ask("POST", "/feedback", json=[_done("like", "a", "b")], headers={"X-API-Key": server.reader})[0] == 403
