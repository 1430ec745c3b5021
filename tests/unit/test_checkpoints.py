"""A checkpoint is whole or is not used, and there is always an older one."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from workload import events, run

from models.checks import differences
from models.engine import Engine
from models.item_model import ItemModel
from streams.learning.checkpoints import CheckpointError, Checkpoints

BATCHES = 6


def models() -> list[ItemModel]:
    """Return the model after each of some batches."""
    engine, stream, found = Engine(seed=4, resident_users=100, rating_users=50), events(240), []
    for _ in run(engine, stream, 40):
        found.append(_copy(engine.items))
    found.append(_copy(engine.items))
    return found[1:]


def _copy(model: ItemModel) -> ItemModel:
    copy = new()
    copy.restore(model.state())
    return copy


def new() -> ItemModel:
    return ItemModel(seed=4, rating_users=50)


class Place:
    """A directory of checkpoints and what was said of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.warnings = folder, list[str]()
        self.checkpoints = Checkpoints(str(folder), self.warnings.append)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def restored(self) -> ItemModel | None:
        """Return what a new worker would start from."""
        model = new()
        position = Checkpoints(str(self.folder), self.warnings.append).restore(model)
        assert position in (None, model.position)
        return None if position is None else model


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "deep" / "checkpoints")


def same(one: ItemModel, other: ItemModel | None) -> bool:
    assert other is not None
    return differences({**one.state(), "ratings": 0}, {**other.state(), "ratings": 0}) == []


def test_a_model_comes_back_as_it_was(place: Place) -> None:
    model = models()[-1]
    path = place.checkpoints.write(model.state())
    restored = place.restored()
    assert same(model, restored)
    assert restored is not None
    assert restored.ratings.rows().keys() == model.ratings.rows().keys()
    assert Path(path).name == f"{model.position:020d}.model"
    assert place.warnings == []


def test_an_empty_model_comes_back(place: Place) -> None:
    place.checkpoints.write(new().state())
    assert same(new(), place.restored())


def test_a_restored_model_learns_on_alike(place: Place) -> None:
    states = models()
    place.checkpoints.write(states[2].state())
    restored = place.restored()
    assert restored is not None
    stream, engine, other = events(240), Engine(seed=4, rating_users=50), Engine(seed=4, rating_users=50)
    other.items = restored
    for position, observation in enumerate(run(engine, stream, 40)):
        if position >= restored.position:
            restored.learn(observation.lessons, position)
    assert same(engine.items, restored)
    one, again = engine.items.ratings.rows(), restored.ratings.rows()
    assert differences(_keyed(one), _keyed(again)) == []


def _keyed(rows: dict[str, dict[int, object]]) -> dict[str, dict[str, object]]:
    return {kind: {str(key): value for key, value in found.items()} for kind, found in rows.items()}


def test_the_last_two_are_kept(place: Place) -> None:
    states = models()
    for model in states:
        place.checkpoints.write(model.state())
    assert place.names() == [f"{model.position:020d}.model" for model in states[-2:]]
    assert same(states[-1], place.restored())


def test_without_checkpoints_nothing_is_restored(place: Place) -> None:
    assert place.restored() is None
    place.folder.mkdir(parents=True)
    (place.folder / "notes.txt").write_text("not ours")
    assert place.restored() is None
    assert place.warnings == []


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "foreign"])
def test_a_damaged_newest_is_set_aside_and_the_older_used(place: Place, damage: str) -> None:
    older, newest = models()[:2]
    place.checkpoints.write(older.state())
    path = Path(place.checkpoints.write(newest.state()))
    value = bytearray(path.read_bytes())
    value[len(value) // 2] ^= 4
    path.write_bytes({"flipped": value, "cut": value[: len(value) // 3], "empty": b"", "foreign": b"PK" * 99}[damage])
    assert same(older, place.restored())
    assert len(place.warnings) == 1
    assert path.name in place.warnings[0]
    assert place.names() == [f"{older.position:020d}.model", f"{newest.position:020d}.model.damaged"]
    assert same(older, place.restored())
    assert len(place.warnings) == 1


def test_when_all_are_damaged_nothing_is_restored(place: Place) -> None:
    for model in models()[:2]:
        Path(place.checkpoints.write(model.state())).write_bytes(b"")
    assert place.restored() is None
    assert len(place.warnings) == 2


@pytest.mark.parametrize("step", ["pipe_file", "mv"])
def test_an_interrupted_write_leaves_the_old_one(place: Place, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    older, newest = models()[:2]
    place.checkpoints.write(older.state())

    def interrupted(self: LocalFileSystem, path: str, value: bytes | str, **_: object) -> None:
        if isinstance(value, bytes):
            Path(path).write_bytes(value[: len(value) // 2])
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, step, interrupted)
        with pytest.raises(OSError, match="No space left"):
            place.checkpoints.write(newest.state())
    assert same(older, place.restored())
    assert place.warnings == []
    place.checkpoints.write(newest.state())
    assert same(newest, place.restored())


@pytest.mark.parametrize("other", [ItemModel(seed=5, rating_users=50), None], ids=["another seed", "a newer format"])
def test_a_whole_checkpoint_that_does_not_fit_stops_the_worker_and_stays(place: Place, other: ItemModel | None) -> None:
    model = models()[0]
    path = place.checkpoints.write(model.state() if other else {**model.state(), "format": 99})
    with pytest.raises(CheckpointError, match=r"seed 4|format 99"):
        place.checkpoints.restore(other or new())
    assert place.names() == [Path(path).name]


def test_an_object_store_does_as_well_as_a_directory() -> None:
    older, newest = models()[:2]
    warnings: list[str] = []
    checkpoints = Checkpoints("memory://headrace/checkpoints", warnings.append)
    assert checkpoints.restore(new()) is None
    checkpoints.write(older.state())
    path = checkpoints.write(newest.state())
    files = fsspec.filesystem("memory")
    files.pipe_file(path, b"damaged")
    model = new()
    assert checkpoints.restore(model) == older.position
    assert same(older, model)
    assert len(warnings) == 1
