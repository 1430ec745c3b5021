"""Bytes that programs have stored or will read: they do not change by accident, and old ones stay readable."""

from __future__ import annotations

from pathlib import Path

import golden
import golden.model
import msgspec
import numpy as np
import orjson
import pytest

from contracts.events import Event, Item, decode
from contracts.learning import FORMAT as LEARNING
from contracts.learning import decode_lessons
from contracts.marks import decode_mark, salt_of
from contracts.redis import decode_vector
from models.checks import differences
from models.combine import SCORERS
from models.item_model import FORMAT as MODEL
from models.scorers.audiences import AUDIENCES
from models.user_state import FORMAT as USER
from models.users import UserTable
from serving.reading import values

ADVICE = (
    "does not give the golden bytes any more. If that is meant: raise the format's version, keep the old file, and run "
    "`python -m tests.golden --write`"
)


@pytest.mark.parametrize("name", golden.files())
def test_bytes_do_not_change(name: str) -> None:
    path = golden.FOLDER / name
    assert path.exists(), f"{name} is missing: run `python -m tests.golden --write`"
    assert golden.files()[name] == path.read_bytes(), f"{name} {ADVICE}"


@pytest.mark.parametrize(("name", "event"), golden.EVENTS.items())
def test_events_decode(name: str, event: Event) -> None:
    key = event.item if isinstance(event, Item) else event.user
    value = (golden.FOLDER / f"{name}.json").read_bytes()
    decoded = decode(type(event), value, str(key).encode(), golden.TIME)
    expected = msgspec.structs.replace(event, time=golden.TIME) if hasattr(event, "time") else event
    assert decoded == expected


def stored(kind: str) -> list[Path]:
    """Return the golden files of all versions of a format."""
    return sorted([*golden.FOLDER.glob(f"{kind}-*.bin"), *golden.FOLDER.glob(f"{kind}-*.xz")])


@pytest.mark.parametrize("path", stored("learning"), ids=lambda path: path.name)
def test_learning_records_of_every_version_decode(path: Path) -> None:
    lessons = decode_lessons(path.read_bytes())
    assert lessons.sources == golden.LESSONS.sources
    assert lessons.items == golden.LESSONS.items
    assert lessons.introduced == golden.LESSONS.introduced
    assert lessons.forgotten == (golden.LESSONS.forgotten if path.name == f"learning-{LEARNING}.bin" else [])
    for column in golden.COLUMNS:
        decoded, expected = getattr(lessons, column), getattr(golden.LESSONS, column)
        assert decoded.dtype == expected.dtype
        np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("path", stored("user"), ids=lambda path: path.name)
def test_user_states_of_every_version_decode(path: Path) -> None:
    table = UserTable(resident=1)
    table.admit("u1", path.read_bytes())
    assert table.history("u1") == golden.HISTORY
    slots = np.array([table.slot("u1")], np.int32)
    assert table.seen(slots)[0].tolist() == golden.SEEN
    attributes, n = table.attributes(slots)
    assert attributes[0, : n[0]].tolist() == golden.ATTRIBUTES
    np.testing.assert_array_equal(table.details(slots)[2][0, :3], golden.VALUES[::-1])
    if path.name == f"user-{USER}.bin":
        assert table.encode(slots[0]) == golden.user_state()


@pytest.mark.parametrize("path", stored("model"), ids=lambda path: path.name)
def test_checkpoints_of_every_version_are_read_whole(path: Path, tmp_path: Path) -> None:
    checkpoints, model, expected = golden.model.put(path, tmp_path), golden.model.new(), golden.model.learned()
    assert checkpoints.restore(model) == expected.position
    one, other = model.state(), expected.state()
    # What is counted, not what is computed in floating point, nor what changes with the way of learning.
    for name in ("catalogue", "learned", "events", "pairs"):
        assert differences(one[name], other[name], name) == []
    held, rows = model.ratings.rows(), expected.ratings.rows()
    assert held["users"].keys() == rows["users"].keys()
    assert held["items"].keys() == rows["items"].keys()


def test_of_format_3_all_weights_are_kept_and_the_audiences_begin(tmp_path: Path) -> None:
    checkpoints, model = golden.model.put(golden.FOLDER / "model-3.xz", tmp_path), golden.model.new()
    checkpoints.restore(model)
    state = checkpoints.read()
    assert state is not None
    old, known = state["combiner"], np.array([name not in AUDIENCES for name in SCORERS])
    for name in ("base", "base_sums"):
        assert np.array_equal(getattr(model.combiner, name)[known], old[name])
    for name in ("shifts", "shift_sums"):
        assert np.array_equal(getattr(model.combiner, name)[: len(old["taught"]), known], old[name])
    assert np.array_equal(model.drift.alarms[[*np.flatnonzero(known), -1]], state["drift"]["alarms"])
    fresh = golden.model.new()
    assert np.array_equal(model.combiner.shifts[:, ~known], fresh.combiner.shifts[:, ~known])
    assert np.array_equal(model.combiner.taught[:3], old["taught"])
    assert not model.audiences.counts.any()


def test_a_checkpoint_is_written_back_as_it_was(tmp_path: Path) -> None:
    path = golden.FOLDER / golden.model.FILE
    assert path.exists(), f"{path.name} is missing: run `python -m tests.golden --write`"
    checkpoints, model = golden.model.put(path, tmp_path), golden.model.new()
    checkpoints.restore(model)
    before = checkpoints.read()
    checkpoints.write(model.state())
    assert differences(before, checkpoints.read()) == [], (
        f"a checkpoint of format {MODEL} {ADVICE.replace('the golden bytes', 'what it held')}"
    )


def test_marks_decode_and_the_salt_stands_in_its_key() -> None:
    salt, _, mark, _ = (golden.FOLDER / "mark.txt").read_bytes().split(b"\n")
    assert salt_of(salt) == golden.SALT
    assert decode_mark(mark) == golden.MARK


@pytest.mark.parametrize("path", stored("vector"), ids=lambda path: path.name)
def test_vectors_of_every_version_decode(path: Path) -> None:
    decoded = decode_vector(path.read_bytes())
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, golden.VECTOR, rtol=1e-3, atol=3e-8)


def test_lists_decode_with_any_json_parser_and_with_ours() -> None:
    value = (golden.FOLDER / "list.json").read_bytes()
    body, ours = orjson.loads(value), values.decode(values.UserList, "top", value)
    assert ours is not None
    assert body["model"] == "12345"
    for name in ("version", "items", "scores", "reasons", "time", "ratings"):
        assert getattr(ours, name) == body[name]
