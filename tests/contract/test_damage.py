"""Damaged bytes raise the documented error: never another one, never a state that was not written."""

from __future__ import annotations

from contextlib import suppress

import golden
import msgspec
import numpy as np
import pytest

from contracts.learning import TERMS, Introduction, UnknownFormat, decode_lessons, encode_lessons, introduction
from contracts.redis import decode_vector, encode_vector
from models.user_state import FORMAT, CorruptState
from models.users import UserTable

STATE = golden.user_state()
RECORD = encode_lessons(golden.LESSONS)
VECTOR = encode_vector(golden.VECTOR)


def flips(value: bytes) -> list[bytes]:
    """Return every value that differs in a single bit."""
    return [
        value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :] for at in range(len(value)) for bit in range(8)
    ]


def cuts(value: bytes) -> list[bytes]:
    """Return every beginning of a value, and the value with something after it."""
    return [*(value[:length] for length in range(len(value))), value + b"\0", value + value]


def test_a_damaged_user_state_is_refused_and_its_user_not_admitted() -> None:
    table = UserTable(resident=1)
    for damaged in flips(STATE) + cuts(STATE):
        with pytest.raises(CorruptState):
            table.admit("u1", damaged)
        assert len(table) == 0


def test_a_user_state_of_a_newer_format_is_told_from_a_damaged_one() -> None:
    with pytest.raises(CorruptState, match=f"format {FORMAT + 1}, this version reads {FORMAT}"):
        UserTable(resident=1).admit("u1", bytes([FORMAT + 1]) + STATE[1:])


def test_a_cut_learning_record_is_refused() -> None:
    for damaged in cuts(RECORD):
        with pytest.raises(ValueError, match="learning record"):
            decode_lessons(damaged)


def test_a_learning_record_with_a_flipped_bit_decodes_or_is_refused() -> None:
    for damaged in flips(RECORD):
        with suppress(ValueError):
            decode_lessons(damaged)


def test_a_learning_record_of_a_newer_format_stops_the_reader() -> None:
    fields = msgspec.msgpack.decode(RECORD)
    with pytest.raises(UnknownFormat, match="upgrade Headrace"):
        decode_lessons(msgspec.msgpack.encode([fields[0] + 1, *fields[1:]]))


def record(**columns: np.ndarray) -> bytes:
    """Return the golden record with other columns."""
    lessons = decode_lessons(RECORD)
    for name, column in columns.items():
        setattr(lessons, name, column)
    return encode_lessons(lessons)


@pytest.mark.parametrize(
    "damaged",
    [
        record(item=np.array([0, 1, 3], np.int32)),
        record(item=np.array([0, -1, 2], np.int32)),
        record(source=np.array([0, 0, 2], np.uint8)),
        record(lengths=np.array([0, 2, 2], np.uint8)),
        record(time=np.zeros(2, np.int64)),
        record(value=np.zeros(2, np.float16)),
        record(attributes=np.zeros(2, np.uint32)),
        record(had=np.array([0, 3, -1], np.int32)),
        record(had=np.array([0, 2], np.int32)),
        record(seen=np.zeros(1, np.uint64)),
        msgspec.msgpack.encode([*msgspec.msgpack.decode(RECORD)[:4], []]),
        encode_lessons(introduction([Introduction("a", 1, bytes(8), bytes(3))])),
        encode_lessons(introduction([Introduction("a", 1, bytes(4 * (TERMS + 1)), bytes(TERMS + 1))])),
    ],
    ids=[
        "item beyond",
        "item below",
        "source beyond",
        "history too short",
        "column too short",
        "values too short",
        "attributes too short",
        "had too much",
        "had too short",
        "seen too short",
        "no columns",
        "terms without weights",
        "too many terms",
    ],
)
def test_a_learning_record_that_does_not_fit_itself_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):
        decode_lessons(damaged)


def test_a_record_that_only_introduces_items_needs_no_events() -> None:
    new = [Introduction("a"), Introduction("ä", 7, bytes(8), b"12")]
    lessons = decode_lessons(encode_lessons(introduction(new)))
    assert (len(lessons), lessons.introduced, lessons.items, lessons.sources) == (0, new, [], [])


def test_a_cut_vector_is_refused() -> None:
    for damaged in cuts(VECTOR):
        with pytest.raises(ValueError, match="not a vector"):
            decode_vector(damaged)


def test_a_vector_with_a_damaged_header_is_refused() -> None:
    for damaged in flips(VECTOR)[: 4 * 8]:
        with pytest.raises(ValueError, match="not a vector"):
            decode_vector(damaged)
