"""What is an event and what is a dead letter; nothing else may come out of ``decode``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import (
    KINDS,
    MAX_AHEAD_MS,
    MAX_ID_BYTES,
    TYPES,
    Click,
    Event,
    Impression,
    InvalidEvent,
    Item,
    Rating,
    User,
    decode,
    encode,
    identity,
    item_key,
)

NOW = 1_700_000_000_000
REASONS = {
    "malformed",
    "invalid",
    "bad id",
    "bad time",
    "unknown type",
    "bad rating",
    "key is not the user",
    "key is not the item",
}
DEEP = b"[" * 100_000

ACCEPTED: list[tuple[str, bytes, bytes, Event]] = [
    ("the least click", b'{"user":"u","item":"i"}', b"u", Click("u", "i", NOW)),
    ("a null stands for absent", b'{"user":"u","item":"i","time":null}', b"u", Click("u", "i", NOW)),
    ("white space", b' {"user" : "u" ,\n"item":"i"} ', b"u", Click("u", "i", NOW)),
    ("unknown fields are ignored", b'{"user":"u","item":"i","page":{"n":[1]}}', b"u", Click("u", "i", NOW)),
    ("integer ids become strings", b'{"user":7,"item":-5}', b"7", Click("7", "-5", NOW)),
    ("integers beyond 64 bits", b'{"user":"u","item":%d}' % 10**30, b"u", Click("u", str(10**30), NOW)),
    ("escapes", b'{"user":"\\u00e9","item":"\\ud83d\\ude00"}', "é".encode(), Click("é", "😀", NOW)),
    ("an id of the greatest length", b'{"user":"u","item":"%s"}' % (b"x" * 256), b"u", Click("u", "x" * 256, NOW)),
    ("an item id may hold anything", b'{"user":"u","item":"\\u0000{}:*"}', b"u", Click("u", "\0{}:*", NOW)),
    ("the first millisecond", b'{"user":"u","item":"i","time":0}', b"u", Click("u", "i", 0)),
    (
        "a day ahead of the record",
        b'{"user":"u","item":"i","time":%d}' % (NOW + MAX_AHEAD_MS),
        b"u",
        Click("u", "i", NOW + MAX_AHEAD_MS),
    ),
    (
        "every field of a click",
        b'{"user":"u","item":"i","time":5,"type":"cart","value":2.5,"id":9,"list":"1.2","session":"s","context":{"a":1}}',
        b"u",
        Click("u", "i", 5, "cart", 2.5, "9", "1.2", "s", {"a": 1}),
    ),
    ("a whole number as rating", b'{"user":"u","item":"i","rating":4}', b"u", Rating("u", "i", 4.0, NOW)),
    ("the greatest rating", b'{"user":"u","item":"i","rating":-1e6}', b"u", Rating("u", "i", -1e6, NOW)),
    (
        "an impression",
        b'{"user":"u","items":["a",1],"list":"1.2","propensities":[0.5,0.5],"arm":"b"}',
        b"u",
        Impression("u", ["a", "1"], "1.2", NOW, [0.5, 0.5], "b"),
    ),
    ("the least item", b'{"item":"i"}', b"i", Item("i")),
    ("a deleted item", b'{"item":3,"deleted":true}', b"3", Item("3", deleted=True)),
    ("the wish to be forgotten", b'{"user":"u","forget":true}', b"u", User("u", forget=True)),
    (
        "attributes",
        b'{"user":"u","attributes":{"age":33,"city":"Ulm"}}',
        b"u",
        User("u", attributes={"age": 33.0, "city": "Ulm"}),
    ),
]

REFUSED: list[tuple[str, type, bytes | None, bytes | None, str]] = [
    ("no value", Click, None, b"u", "malformed"),
    ("an empty value", Click, b"", b"u", "malformed"),
    ("truncated", Click, b'{"user":"u","item":"i"', b"u", "malformed"),
    ("two objects", Click, b'{"user":"u","item":"i"}{"user":"u","item":"i"}', b"u", "malformed"),
    ("NaN", Click, b'{"user":"u","item":"i","value":NaN}', b"u", "malformed"),
    ("infinity", Rating, b'{"user":"u","item":"i","rating":Infinity}', b"u", "malformed"),
    ("latin-1", Click, '{"user":"é","item":"i"}'.encode("latin-1"), "é".encode("latin-1"), "malformed"),
    ("utf-16", Click, '{"user":"u","item":"i"}'.encode("utf-16"), b"u", "malformed"),
    ("a byte order mark", Click, '{"user":"u","item":"i"}'.encode("utf-8-sig"), b"u", "malformed"),
    ("half a surrogate pair", Click, b'{"user":"\\ud800","item":"i"}', b"\xed\xa0\x80", "malformed"),
    ("a surrogate as bytes", Click, b'{"user":"\xed\xa0\x80","item":"i"}', b"\xed\xa0\x80", "malformed"),
    ("nested without end", Click, b'{"user":"u","item":"i","context":{"a":' + DEEP, b"u", "malformed"),
    ("nested without end, ignored", Click, b'{"user":"u","item":"i","x":' + DEEP, b"u", "malformed"),
    ("null", Click, b"null", b"u", "invalid"),
    ("an array", Click, b'["u","i"]', b"u", "invalid"),
    ("a string", Click, b'"u"', b"u", "invalid"),
    ("no user", Click, b'{"item":"i"}', b"u", "invalid"),
    ("no item", Click, b'{"user":"u"}', b"u", "invalid"),
    ("a null user", Click, b'{"user":null,"item":"i"}', b"u", "invalid"),
    ("a number with a fraction as id", Click, b'{"user":"u","item":1.5}', b"u", "invalid"),
    ("a truth value as id", Click, b'{"user":"u","item":true}', b"u", "invalid"),
    ("an integer without end", Click, b'{"user":"u","item":%s}' % (b"9" * 5000), b"u", "invalid"),
    ("time as text", Click, b'{"user":"u","item":"i","time":"5"}', b"u", "invalid"),
    ("time with a fraction", Click, b'{"user":"u","item":"i","time":5.5}', b"u", "invalid"),
    ("a number beyond float64", Click, b'{"user":"u","item":"i","value":1e999}', b"u", "invalid"),
    ("context as text", Click, b'{"user":"u","item":"i","context":"a"}', b"u", "invalid"),
    ("rating as text", Rating, b'{"user":"u","item":"i","rating":"5"}', b"u", "invalid"),
    ("no rating", Rating, b'{"user":"u","item":"i"}', b"u", "invalid"),
    ("one item for a list", Impression, b'{"user":"u","items":"a","list":"1.2"}', b"u", "invalid"),
    ("no list", Impression, b'{"user":"u","items":["a"]}', b"u", "invalid"),
    ("a vector of text", Item, b'{"item":"i","vector":["a"]}', b"i", "invalid"),
    ("an empty user", Click, b'{"user":"","item":"i"}', b"", "bad id"),
    ("an empty item", Click, b'{"user":"u","item":""}', b"u", "bad id"),
    ("an empty item in a list", Impression, b'{"user":"u","items":["a",""],"list":"1.2"}', b"u", "bad id"),
    ("an id that is too long", Click, b'{"user":"u","item":"%s"}' % (b"x" * 257), b"u", "bad id"),
    ("too long in bytes only", Click, ('{"user":"u","item":"%s"}' % ("é" * 129)).encode(), b"u", "bad id"),
    ("an integer that is too long", Click, b'{"user":"u","item":%s}' % (b"9" * 257), b"u", "bad id"),
    ("an empty identity", Click, b'{"user":"u","item":"i","id":""}', b"u", "bad id"),
    (
        "an identity that is too long",
        Rating,
        b'{"user":"u","item":"i","rating":1,"id":"%s"}' % (b"x" * 257),
        b"u",
        "bad id",
    ),
    ("before 1970", Click, b'{"user":"u","item":"i","time":-1}', b"u", "bad time"),
    ("seconds of the year 56000", Rating, b'{"user":"u","item":"i","rating":1,"time":%d}' % 10**18, b"u", "bad time"),
    ("a moment too far", Click, b'{"user":"u","item":"i","time":%d}' % (NOW + MAX_AHEAD_MS + 1), b"u", "bad time"),
    ("an impression from afar", Impression, b'{"user":"u","items":[],"list":"1","time":%d}' % 10**30, b"u", "bad time"),
    ("an unknown type", Click, b'{"user":"u","item":"i","type":"Click"}', b"u", "unknown type"),
    ("the type of another topic", Click, b'{"user":"u","item":"i","type":""}', b"u", "unknown type"),
    ("a rating beyond all scales", Rating, b'{"user":"u","item":"i","rating":1000001}', b"u", "bad rating"),
    ("no key", Click, b'{"user":"u","item":"i"}', None, "key is not the user"),
    ("an empty key", Click, b'{"user":"u","item":"i"}', b"", "key is not the user"),
    ("another's key", Click, b'{"user":"u","item":"i"}', b"v", "key is not the user"),
    ("a key of other case", User, b'{"user":"u"}', b"U", "key is not the user"),
    ("a key that is no UTF-8", Click, b'{"user":"u","item":"i"}', b"\xff", "key is not the user"),
    ("the user as an item's key", Item, b'{"item":"i"}', b"u", "key is not the item"),
    ("an item without key", Item, b'{"item":"i"}', None, "key is not the item"),
]


@pytest.mark.parametrize(("value", "key", "event"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(value: bytes, key: bytes, event: Event) -> None:
    assert decode(type(event), value, key, NOW) == event


@pytest.mark.parametrize(("kind", "value", "key", "reason"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused_with_its_reason(kind: type[Any], value: bytes | None, key: bytes | None, reason: str) -> None:
    with pytest.raises(InvalidEvent) as refusal:
        decode(kind, value, key, NOW)
    assert refusal.value.reason == reason
    assert str(refusal.value) == f"{reason}: {refusal.value.detail}"


@pytest.mark.parametrize("name", TYPES)
def test_every_known_type_is_accepted(name: str) -> None:
    assert decode(Click, b'{"user":"u","item":"i","type":"%s"}' % name.encode(), b"u", NOW).type == name


def test_the_text_of_a_dead_letter_stays_short() -> None:
    with pytest.raises(InvalidEvent) as refusal:
        decode(Click, b'{"user":"u","item":"%s"}' % (b"x" * 100_000), b"u", NOW)
    assert len(str(refusal.value)) < 500
    with pytest.raises(InvalidEvent) as refusal:
        decode(Click, b'{"user":"u","item":"i","type":"%s"}' % (b"x" * 100_000), b"u", NOW)
    assert len(str(refusal.value)) < 500
    with pytest.raises(InvalidEvent) as refusal:
        decode(Click, b'{"user":"u","item":"i"}', b"x" * 100_000, NOW)
    assert len(str(refusal.value)) < 500


def _fits(text: str) -> bool:
    return len(text.encode()) <= MAX_ID_BYTES


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80).filter(_fits)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.integers(0, NOW + MAX_AHEAD_MS)
floats = st.floats(allow_nan=False, allow_infinity=False)
small_objects = st.dictionaries(
    names, st.none() | st.booleans() | st.integers(-(2**63), 2**63) | floats | names, max_size=3
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Click, ids, ids, times, st.sampled_from(TYPES), st.none() | floats, st.none() | ids, st.none() | names,
        st.none() | ids | st.integers(), st.none() | small_objects,
    ),
    st.builds(Rating, ids, ids, st.floats(-1e6, 1e6), times, st.none() | ids),
    st.builds(
        Impression, ids, st.lists(ids, max_size=5), names, times, st.none() | st.lists(floats, max_size=3),
        st.none() | names,
    ),
    st.builds(
        Item, ids, st.none() | names, st.lists(names, max_size=3), st.none() | names, st.lists(names, max_size=3),
        st.none() | st.lists(floats, max_size=4), st.booleans(), st.none() | times, st.none() | times, st.booleans(),
    ),
    st.builds(User, ids, st.booleans(), st.dictionaries(names, names | floats | st.booleans(), max_size=3)),
)  # fmt: skip


@given(events)
def test_what_is_encoded_is_decoded_again(event: Event) -> None:
    key = event.item if isinstance(event, Item) else event.user
    assert decode(type(event), encode(event), str(key).encode(), NOW) == event


def _decodes_or_refuses(kind: type[Any], value: bytes, key: bytes) -> None:
    try:
        event = decode(kind, value, key, NOW)
    except InvalidEvent as refusal:
        assert refusal.reason in REASONS
    else:
        assert isinstance(event, kind)


@given(st.sampled_from(list(KINDS.values())), st.binary(max_size=200), st.binary(max_size=5))
def test_any_bytes_are_an_event_or_refused(kind: type[Any], value: bytes, key: bytes) -> None:
    _decodes_or_refuses(kind, value, key)


@given(events, st.data())
def test_a_damaged_event_is_an_event_or_refused(event: Event, data: st.DataObject) -> None:
    value = bytearray(encode(event))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    key = event.item if isinstance(event, Item) else event.user
    _decodes_or_refuses(type(event), bytes(value[: data.draw(st.integers(0, len(value)))]), str(key).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(list(KINDS.items())), st.data())
def test_any_json_in_the_fields_is_an_event_or_refused(kind: tuple[str, type[Any]], data: st.DataObject) -> None:
    fields = [field.replace("list_id", "list") for field in kind[1].__struct_fields__]
    value = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values)))
    # Python's own encoder writes what other clients may send: NaN, infinities.
    _decodes_or_refuses(kind[1], json.dumps(value).encode(), data.draw(names).encode())


BASE: dict[str, Any] = {"user": "u", "item": "i", "time": 5, "type": "click"}
SAME: list[tuple[str, Callable[[], Click | Rating]]] = [
    ("the same again", lambda: Click(**BASE)),
    ("another user: identities are compared per user", lambda: Click(**BASE | {"user": "v"})),
    (
        "value, list, session and context do not identify",
        lambda: Click(**BASE, value=2.0, session="s", context={"a": 1}),
    ),
]
OTHER: list[tuple[str, Callable[[], Click | Rating]]] = [
    ("another item", lambda: Click(**BASE | {"item": "j"})),
    ("another type", lambda: Click(**BASE | {"type": "view"})),
    ("another time", lambda: Click(**BASE | {"time": 6})),
    ("a rating", lambda: Rating("u", "i", 4.0, 5)),
    ("its own id", lambda: Click(**BASE, id="1")),
    ("an id that imitates the rest", lambda: Click(**BASE, id="5 click i")),
]


@pytest.mark.parametrize("make", [case[1] for case in SAME], ids=[case[0] for case in SAME])
def test_identity_is_the_same_for_the_same_event(make: Callable[[], Click | Rating]) -> None:
    assert identity(make()) == identity(Click(**BASE))


@pytest.mark.parametrize("make", [case[1] for case in OTHER], ids=[case[0] for case in OTHER])
def test_identity_differs_for_another_event(make: Callable[[], Click | Rating]) -> None:
    assert identity(make()) != identity(Click(**BASE))


def test_id_wins_over_item_type_and_time() -> None:
    assert identity(Click("u", "i", 5, id="a")) == identity(Click("u", "j", 6, "view", id="a"))
    assert identity(Click("u", "i", 5, id=7)) == identity(Click("u", "i", 5, id="7"))
    assert identity(Click("u", "i", 5, id="a")) != identity(Click("u", "i", 5, id="b"))


@pytest.mark.parametrize(
    ("item", "key"), [("", 0x2D06800538D394C2), ("1193", 0x268328C2D00542C6), ("é", 0xF7940A006CF10CB3)]
)
def test_item_keys_stand_in_stored_states_and_never_change(item: str, key: int) -> None:
    assert item_key(item) == key
