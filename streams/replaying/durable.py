"""What survives an interruption: the item model, the user states, how far the replay has come.

In this order, always at the end of a block:

1. a checkpoint of the item model, with how far *it* has come;
2. the changed user states;
3. the mark in the store, how far *they* have come.

So the model is never behind the states, and the states never behind the mark. Who goes on starts at the mark and takes
events into the states only, which skip what they contain, until it is where the model is; from there it learns. The
other way round would lose lessons: a state that contains an event teaches nothing when the event comes again.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from contracts.topics import LEARNING, topic_name
from infra.errors import HeadraceError, StoreError
from infra.redis import connect
from infra.settings import Settings
from models.engine import Engine
from models.user_state import CorruptState
from serving.store.namespaces import Namespaces
from streams.forgetting.marks import Marks
from streams.kafka.admin import topic_ids
from streams.learning.checkpoints import Checkpoints
from streams.replaying.owner import Owner
from streams.replaying.plan import DONE, Mark, Plan, Progress, start_of

_FOLDER = "replay"  # beside the checkpoints that workers look for: what is half done is not for them
_mark = msgspec.json.Decoder(Mark)


class Durable:
    """Saves a replay, and finds what was saved.

    Parameters
    ----------
    settings : Settings
        Of the namespace that is written.
    engine, owner, namespaces
        Of this replay.
    warn : callable
        Told of what cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        owner: Owner,
        namespaces: Namespaces,
        warn: Callable[[str], None],
    ) -> None:
        self._name, self._engine, self._owner, self._namespaces = settings.namespace, engine, owner, namespaces
        self._warn = warn
        log = topic_name(LEARNING, settings.kafka.prefix, settings.namespace)
        self._settings, self._log = settings, log
        self._place = settings.checkpoints
        self._checkpoints = Checkpoints(posixpath.join(self._place, _FOLDER), warn)
        self.marks: Marks  # of forgotten people, once they are read
        self._elsewhere = False  # whether the store may hold states of users who are not resident

    def find(self) -> Mark | None:
        """Return what the store says of a replay into this namespace."""
        value = self._namespaces.mark(self._name)
        return None if value is None else _mark.decode(value)

    def begin(self, plan: Plan) -> None:
        """Say that a replay has begun."""
        self._write(plan, start_of(plan))

    def resume(self, mark: Mark) -> Progress:
        """Bring the item model to its checkpoint; return how far it has come.

        Raises
        ------
        HeadraceError
            When no checkpoint is as new as the states: what was learned since cannot be learned again.
        """
        self._elsewhere = True
        state = self._checkpoints.read()
        reached = start_of(mark.plan)
        if state is not None:
            reached = msgspec.json.decode(state["replay"]["progress"], type=Progress)
            self._engine.items.restore(state)
        if reached.block < mark.progress.block:
            raise HeadraceError(
                f"the checkpoint in {self._place}/{_FOLDER} is missing or damaged: the replay into {self._name} cannot "
                "go on; start it anew with --fresh"
            )
        return reached

    def save(self, plan: Plan, progress: Progress) -> None:
        """Make durable what was folded up to the end of a block."""
        engine = self._engine
        state = engine.items.state()
        # Named by the block; its position in a learning log comes when the replay is done.
        state |= {"position": progress.block, "replay": {"progress": msgspec.json.encode(progress).decode()}}
        self._checkpoints.write(state)
        # Vectors follow from the item model too, and come when that is done.
        self._owner.write_states(engine.users.changed().encoded())
        self._write(plan, progress)
        resident = len(engine.users)
        engine.users.evict()
        self._elsewhere |= len(engine.users) < resident

    def complete(self, plan: Plan, progress: Progress) -> None:
        """Write the checkpoint that workers of the namespace start from, in place of any older one."""
        self._engine.items.position = plan.log_end
        checkpoints = Checkpoints(self._place, self._warn, topic_ids(self._settings, [self._log])[self._log])
        path = checkpoints.write(self._engine.items.state())
        checkpoints.keep_only(path)

    def done(self, plan: Plan, progress: Progress) -> None:
        """Say that the namespace may be used; what was kept for going on is removed."""
        self._write(plan, progress)
        self._checkpoints.remove()

    def admit(self, users: Sequence[str]) -> None:
        """Make users resident, with what the store holds of them; who was forgotten starts anew."""
        table = self._engine.users
        missing = table.missing(users)
        if not missing:
            return
        states: Sequence[bytes | None] = [None] * len(missing)
        if self._elsewhere:
            states = self._owner.load_states(missing)
        for user, state in zip(missing, states, strict=True):
            try:
                table.admit(user, state, self.marks.rebirth(user))
            except CorruptState as error:
                raise HeadraceError(f"{error} of {user!r}: start the replay anew with --fresh") from error

    def _write(self, plan: Plan, progress: Progress) -> None:
        mark: Any = Mark(plan, progress, time.time_ns() // 1_000_000)
        self._namespaces.set_mark(self._name, msgspec.json.encode(mark))


def unfinished(namespaces: Namespaces, name: str) -> str | None:
    """Say that a replay into a namespace has not ended, and what to do; None where nothing is half done."""
    value = namespaces.mark(name)
    if value is None or _mark.decode(value).progress.phase == DONE:
        return None
    return (
        f"a replay into namespace {name} is under way or was interrupted: `headrace replay --namespace {name} "
        "--resume` goes on with it, --fresh starts it anew"
    )


def refuse_unfinished(settings: Settings) -> None:
    """See that no replay into the namespace of the settings is half done: workers must not use it.

    Raises
    ------
    StoreError
        When one is.
    """
    with connect(settings.redis.url) as client:
        said = unfinished(Namespaces(client, settings.redis.prefix), settings.namespace)
    if said:
        raise StoreError(said)
