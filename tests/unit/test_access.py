"""API keys, limits of rate, pseudonyms, and which addresses other machines reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.edge.access import ApiKey, Keyring, listens_to_others, new_key
from serving.edge.rates import Buckets
from serving.writing.people import pseudonyms

SECRET = "a secret of at least 32 characters"


def test_a_key_is_known_by_its_digest_alone_and_each_has_its_own() -> None:
    made = {name: new_key() for name in ("a", "b")}
    ring = Keyring([ApiKey(name, frozenset({"read"}), digest.upper()) for name, (_, digest) in made.items()])
    for name, (key, digest) in made.items():
        caller = ring.caller(key.encode())
        assert caller is not None
        assert caller.name == name
        assert ring.caller(digest.encode()) is None
    assert ring.caller(b"") is None
    assert ring.caller(b"\xff") is None


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [({"read"}, {"open", "read"}), ({"write"}, {"open", "write"}), ({"admin"}, {"open", "read", "write", "admin"})],
)
def test_a_role_allows_itself_and_admin_everything(roles: set[str], allowed: set[str]) -> None:
    key, digest = new_key()
    caller = Keyring([ApiKey("x", frozenset(roles), digest)]).caller(key.encode())
    assert caller is not None
    assert {role for role in ("open", "read", "write", "admin") if caller.may(role)} == allowed


@given(st.lists(st.floats(0, 3), max_size=40), st.integers(1, 5), st.sampled_from([0.5, 2.0]))
def test_no_caller_gets_more_than_the_burst_and_the_rate_allow(pauses: list[float], burst: int, per_s: float) -> None:
    buckets, now, taken = Buckets(per_s, burst), 0.0, 0
    for pause in pauses:
        now += pause
        wait = buckets.take("x", now)
        taken += wait == 0.0
        assert taken <= burst + now * per_s + 1e-9
        if wait:
            assert buckets.take("x", now) == pytest.approx(wait)
            now += wait + 1e-9
            assert buckets.take("x", now) == 0.0
            taken += 1


def test_only_so_many_callers_are_remembered() -> None:
    buckets = Buckets(0.001, 1, known=2)
    refused = [buckets.take(caller, 0.0) > 0.0 for caller in ("a", "b", "a", "c", "d", "d", "a")]
    assert refused == [False, False, True, False, False, True, False]


@given(st.text(), st.text())
def test_a_pseudonym_is_the_users_own_and_depends_on_the_secret(one: str, other: str) -> None:
    naming = pseudonyms(SECRET)
    assert naming(one) == pseudonyms(SECRET)(one)
    assert (naming(one) == naming(other)) == (one == other)
    assert naming(one) != pseudonyms(SECRET[::-1])(one)
    assert naming(one).isalnum()


@pytest.mark.parametrize(
    ("host", "others"),
    [
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("192.0.2.1", True),
        ("no.such.name.invalid", True),
    ],
)
def test_only_loopback_addresses_are_closed_to_others(host: str, others: bool) -> None:
    assert listens_to_others(host) is others
