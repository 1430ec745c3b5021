"""Who may ask, how much and how often, and that nothing asked can do harm; on a real Redis."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterator

import pytest

from contracts.redis import Keys
from serving.edge.access import ApiKey, Keyring, new_key
from serving.edge.edge import Limits
from serving.writing.people import pseudonyms
from tests.service import Deployment, deployed, encoded, refusal, shown

KEYS = {role: new_key() for role in ("read", "write", "admin")}
KEYRING = Keyring([ApiKey(role, frozenset({role}), digest) for role, (_, digest) in KEYS.items()])


@pytest.fixture
def guarded(redis_url: str, namespace: str) -> Iterator[Deployment]:
    with deployed(redis_url, namespace, keyring=KEYRING) as started:
        yield started


def test_a_route_asks_for_a_key_whose_role_allows_it(guarded: Deployment) -> None:
    def ask(path: str, **headers: str) -> tuple[int, str]:
        response = guarded.ask("GET", path, headers=headers)
        return (200, "") if response.status_code == 200 else refusal(response)

    bearer = {role: f"Bearer {key}" for role, (key, _) in KEYS.items()}
    for path in ("/recommend/ann", "/recommend/ann?explain=1", "/popular", "/explain/a/b"):
        assert ask(path) == (401, "unauthorized")
        assert ask(path, Authorization="Bearer hr_wrong") == (401, "unauthorized")
        assert ask(path, Authorization=bearer["write"]) == (403, "forbidden")
        assert ask(path, Authorization=bearer["read"]) == ask(path, Authorization=bearer["admin"]) == (200, "")
        assert ask(path, **{"X-API-Key": KEYS["read"][0]}) == (200, "")
    assert ask("/health") == (200, "")


def test_openapi_says_which_role_a_route_needs(guarded: Deployment) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]
    assert paths["/recommend/{user}"]["get"]["security"] == [{"key": ["read"]}]
    assert "security" not in paths["/health"]["get"]


def test_the_settings_hold_a_digest_from_which_the_key_cannot_be_told(guarded: Deployment) -> None:
    key, digest = KEYS["read"]
    assert hashlib.sha256(key.encode()).hexdigest() == digest
    assert refusal(guarded.ask("GET", "/popular", headers={"Authorization": f"Bearer {digest}"}))[0] == 401


def test_a_caller_who_asks_too_often_is_told_when_to_ask_again_and_others_are_not_kept(
    redis_url: str, namespace: str
) -> None:
    with deployed(redis_url, namespace, keyring=KEYRING, limits=Limits(per_s=0.001, burst=2)) as deployment:

        def ask(role: str) -> int:
            response = deployment.ask("GET", "/popular", headers={"X-API-Key": KEYS[role][0]})
            if response.status_code == 429:
                assert refusal(response) == (429, "too_many_requests")
                assert 1 <= int(response.headers["Retry-After"]) <= 1000
            return response.status_code

        assert [ask("read") for _ in range(3)] == [200, 200, 429]
        assert ask("admin") == 200
        assert ask("read") == 429


def test_what_is_too_large_is_refused_before_it_is_read(redis_url: str, namespace: str) -> None:
    limits = Limits(body_bytes=1000, target_bytes=2000)
    with deployed(redis_url, namespace, limits=limits) as deployment:
        assert refusal(deployment.get("/recommend/" + "x" * 2000)) == (414, "too_long")
        assert refusal(deployment.get("/popular?exclude=" + "x" * 2000)) == (414, "too_long")
        assert refusal(deployment.post("/recommend", {"recent": ["x" * 1000]})) == (413, "too_large")

        async def endless() -> Iterator[bytes]:  # without a length
            for _ in range(5):
                yield b'"' + b"x" * 500

        headers = {"Content-Type": "application/json"}
        response = deployment.ask("POST", "/recommend", content=endless(), headers=headers)
        assert refusal(response) == (413, "too_large")
        assert deployment.post("/recommend", {"recent": ["x"]}).status_code == 200


def test_every_answer_has_safe_headers_and_a_request_id_which_a_sane_caller_may_choose(
    redis_url: str, namespace: str
) -> None:
    with deployed(redis_url, namespace, keyring=KEYRING) as deployment:
        for path in ("/health", "/popular", "/nothing", "/openapi.json"):
            headers = deployment.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]

        def named(given: str | bytes) -> str:
            response = deployment.ask("GET", "/popular", headers={"X-Request-Id": given})  # type: ignore[dict-item]
            return str(response.json()["error"]["request"])

        assert named("abc-1.2_3") == "abc-1.2_3"
        made = [named(given) for given in ("a b", "a<script>", "x" * 65, "é".encode())]
        assert len(set(made)) == 4
        assert all(name.isascii() and "<" not in name and " " not in name and len(name) < 65 for name in made)


def test_a_failure_is_logged_under_its_request_without_the_user_or_the_key(
    redis_url: str, namespace: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> str:
        raise RuntimeError("broken")

    with deployed(redis_url, namespace, keyring=KEYRING, naming=broken) as deployment, caplog.at_level(logging.DEBUG):
        headers = {"X-API-Key": KEYS["read"][0], "X-Request-Id": "known"}
        response = deployment.ask("GET", "/recommend/secret-ann", headers=headers)
        assert refusal(response) == (500, "internal")
        said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("serving"))
        assert "known" in said
        assert "secret-ann" not in said
        assert not any(key in caplog.text for key, _ in KEYS.values())


def test_under_pseudonyms_the_store_is_asked_for_nobody_by_name(redis_url: str, namespace: str) -> None:
    naming = pseudonyms("a secret of at least 32 characters")
    with deployed(redis_url, namespace, naming=naming) as deployment:
        deployment.give(naming("ann"), ["a"])
        deployment.give("ann", ["by name"])
        for response in (
            deployment.get("/recommend/ann"),
            deployment.get("/recommend/ann", explain=True),
            deployment.post("/recommend", {"user": "ann"}),
        ):
            assert shown(response) == ["a"]
        assert deployment.get("/explain/ann/a").json()["listed"] is True


def test_ten_thousand_hostile_requests_do_no_harm_and_reach_no_key_but_their_own(
    redis_url: str, namespace: str
) -> None:
    draw = random.Random(7)
    pieces = [*"{}:/*?#&%é日🎬\u202e\n\x00", "{}", "%7D", "..", "\r\n"]
    pieces += [" ", "'", '"', "\\", "a", "top", f"{namespace}:main:top:{{victim}}", "$(id)", "{{7*7}}", "x" * 250]

    def identifier() -> str:
        return "".join(draw.choices(pieces, k=draw.randint(1, 5)))

    def huge() -> str:
        return draw.choice("x}:é") * 10_000

    def path() -> str:
        who, what = encoded(huge() if draw.random() < 0.02 else identifier()), encoded(identifier())
        return draw.choice(
            [
                f"/recommend/{who}",
                f"/recommend/{who}?n=3",
                f"/recommend/{who}?exclude={what}&categories={what}&explain=1&titles=1&diversity=0.5",
                f"/similar/{who}?titles=1",
                f"/explain/{who}/{what}",
                f"/popular?category={what}",
                f"/latest?{what}={who}",
                f"/recommend/ann?namespace={what}",
                f"/{who}/{what}",
            ]
        )

    with deployed(redis_url, namespace) as deployment:
        deployment.give("victim", ["private"])
        before = set(deployment.store.scan_iter(f"{namespace}:*"))
        for _ in range(200):
            answers = deployment.get_raw([path() for _ in range(50)])
            assert {status for status, _ in answers} <= {200, 404, 414, 422}
            assert not any(b"private" in body for _, body in answers)
        assert set(deployment.store.scan_iter(f"{namespace}:*")) == before
        assert shown(deployment.get("/recommend/victim")) == ["private"]


def test_no_two_ids_share_a_key() -> None:
    keys = Keys()
    ids = ["a", "a}", "a%7D", "{a}", "a:b", "a%3Ab", "a\nb", "a\\nb", "é", "e\u0301", "日", "", " ", "a/b"]
    made = [of(name) for of in (keys.top, keys.similar, keys.item, keys.user_vector, keys.item_vector) for name in ids]
    assert len(set(made)) == len(made)
    assert all(name.isascii() and name.isprintable() and name.count("{") == name.count("}") == 1 for name in made)
