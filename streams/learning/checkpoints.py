"""Checkpoints of the item model: files that carry their log offset, in a directory or an object store.

The last two are kept. A damaged one is set aside and the one before it is used; what it lacks is in the learning log.
"""

from __future__ import annotations

import contextlib
import io
import json
import posixpath
from collections.abc import Callable
from typing import Any

import fsspec
import numpy as np
import xxhash

from infra import failpoints
from infra.errors import HeadraceError
from models.item_model import ItemModel, UnfitModel

_KEPT = 2
_SUFFIX = ".model"
_PART = ".part"  # of a name whose file may be cut
_DIGEST = 8


class CheckpointError(HeadraceError):
    """A checkpoint that cannot be used."""


class Checkpoints:
    """The checkpoints of one namespace.

    Parameters
    ----------
    place : str
        A path or an fsspec URL; created when missing.
    warn : callable
        Told of a checkpoint that is set aside.
    log : str
        Kafka's id of the learning log's topic: a log that was deleted and created again continues nothing.
    """

    def __init__(self, place: str, warn: Callable[[str], None], log: str = "") -> None:
        self._files, self._root = fsspec.core.url_to_fs(place)
        self._warn, self._log = warn, log

    def write(self, state: dict[str, Any]) -> str:
        """Write a state of :meth:`models.item_model.ItemModel.state`; return its path. Older ones are removed.

        Raises
        ------
        OSError
            When there is no room, or no access; what was there before stays.
        """
        self._files.makedirs(self._root, exist_ok=True)
        path = posixpath.join(self._root, f"{state['position']:020d}{_SUFFIX}")
        body = _encode(state | {"log": self._log})
        failpoints.before("part")
        # Written whole under another name first: what has the right name is complete.
        try:
            self._files.pipe_file(path + _PART, body)
        except OSError:
            self._remove(path + _PART)  # it would keep the room that is missing
            raise
        failpoints.after("part")
        failpoints.before("checkpoint")
        self._files.mv(path + _PART, path)
        failpoints.after("checkpoint")
        failpoints.before("prune")
        kept = self._paths()[:_KEPT]
        for old in self._paths()[_KEPT:] + [part for part in self._paths(_SUFFIX + _PART) if part < kept[-1]]:
            self._remove(old)
        failpoints.after("prune")
        return path

    def restore(self, model: ItemModel) -> int | None:
        """Bring a new model to the newest usable checkpoint; return its log position, None where there is none.

        Raises
        ------
        CheckpointError
            When the newest undamaged one is of another format, seed or learning log: going on without it would lose
            what it holds.
        """
        for path in self._paths():
            try:
                state = _decode(self._files.cat_file(path))
                if state.pop("log") != self._log:
                    raise CheckpointError(
                        f"checkpoint {path} was learned from a learning log that is gone: the topic was deleted and "
                        "created again; rebuild this namespace with `headrace replay`"
                    )
                model.restore(state)
            except UnfitModel as error:
                raise CheckpointError(f"checkpoint {path} is {error}; use the version or the seed it needs") from error
            except (ValueError, KeyError, EOFError) as error:
                self._set_aside(path, error)
                continue
            return model.position
        return None

    def newest(self) -> int | None:
        """Return the log position of the newest checkpoint by its name, None where there is none."""
        paths = self._paths()
        return int(posixpath.basename(paths[0]).removesuffix(_SUFFIX)) if paths else None

    def _remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # another worker of the namespace was faster
            self._files.rm(path)

    def read(self) -> dict[str, Any] | None:
        """Return the newest undamaged state, None where there is none."""
        for path in self._paths():
            try:
                return _decode(self._files.cat_file(path))
            except (ValueError, KeyError, EOFError) as error:
                self._set_aside(path, error)
        return None

    def keep_only(self, path: str) -> None:
        """Remove all checkpoints but one: they belong to another history."""
        for other in self._paths():
            if other != path:
                self._files.rm(other)

    def remove(self) -> None:
        """Remove everything, the place itself included."""
        if self._files.exists(self._root):
            self._files.rm(self._root, recursive=True)

    def _set_aside(self, path: str, error: Exception) -> None:
        self._warn(f"checkpoint {path} is set aside: {error}")
        self._files.mv(path, path + ".damaged")

    def _paths(self, suffix: str = _SUFFIX) -> list[str]:
        """Return the paths of all checkpoints, newest first."""
        if not self._files.exists(self._root):
            return []
        return sorted(
            (path for path in self._files.ls(self._root, detail=False) if path.endswith(suffix)), reverse=True
        )


def digest(state: dict[str, Any]) -> str:
    """Return a hash of a state, to see that two workers hold the same."""
    return _encode(state)[-_DIGEST:].hex()


def _encode(state: dict[str, Any]) -> bytes:
    """Nested dicts become one flat archive: arrays as they are, bytes as uint8 arrays, the rest as one JSON text.

    Behind it stands a digest of it. It is written and read without copying the whole, which may be gigabytes.
    """
    arrays: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for name, value in _flat(state):
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, bytes):
            arrays["bytes " + name] = np.frombuffer(value, np.uint8)
        else:
            plain[name] = value
    arrays["plain"] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with buffer.getbuffer() as body:
        digest = xxhash.xxh3_64_digest(body)
    buffer.seek(0, io.SEEK_END)
    buffer.write(digest)
    return buffer.getvalue()


def _decode(value: bytes) -> dict[str, Any]:
    if xxhash.xxh3_64_digest(memoryview(value)[:-_DIGEST]) != value[-_DIGEST:]:
        raise ValueError("its checksum does not fit")
    state: dict[str, Any] = {}
    with np.load(io.BytesIO(value), allow_pickle=False) as archive:  # what stands behind an archive does not disturb it
        flat = {name: archive[name] for name in archive.files if name != "plain"}
        flat |= json.loads(archive["plain"].tobytes())
    for name, entry in flat.items():
        is_bytes = name.startswith("bytes ")
        *path, last = name.removeprefix("bytes ").split(".")
        at = state
        for step in path:
            at = at.setdefault(step, {})
        at[last] = entry.tobytes() if is_bytes else entry
    return state


def _flat(state: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    entries: list[tuple[str, Any]] = []
    for name, value in state.items():
        entries += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return entries
