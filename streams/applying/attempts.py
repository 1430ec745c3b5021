"""Poison: an event that ends every worker that applies it is found, set aside with its traceback, and nothing else is.

An exception while applying ends the process, and so does a crash in native code; a supervisor starts it again, and it
comes to the same event again. So an owner counts, once at each assignment, how often a partition was begun at the same
offset. At the third time its events are applied one by one, each marked in Redis before. An exception leaves its
traceback at the mark, and the next start makes a dead letter of that event. Where the process died without a word, the
event is tried once more, between two barriers of its own: somebody may have killed the process just then. Once it is
passed, the partition goes on at full speed.

In good times this costs one write at an assignment, and one when the first barrier has passed.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import replace

import msgspec

from infra.errors import HeadraceError
from serving.store.store import Store
from streams.applying.outbox import stubbornly
from streams.consuming.records import Records

Partition = tuple[str, int]

CAREFUL_AT = 3
"""Beginning at the same offset for the so-manieth time, events are applied one by one."""
_DEATHS = 2
# What a worker may apply between two barriers: the poison lies no further on.
_CAREFUL_FOR = 5_000


class Trial(msgspec.Struct, omit_defaults=True):
    """What Redis remembers of one partition of one topic.

    Attributes
    ----------
    start : int
        Offset at which its owner began.
    end : int
        Offset at which the partition ended then: what has ended a process before lies below.
    begun : int
        How often in turn, without having made anything durable.
    trying : int
        Offset of the event that is applied now, alone; -1 = none.
    deaths : dict of int to int
        Offset → how often a process ended without a word while it applied that event alone.
    poison : dict of int to str
        Offset → the traceback of the event that must not be applied.
    """

    start: int = 0
    end: int = 0
    begun: int = 0
    trying: int = -1
    deaths: dict[int, int] = {}
    poison: dict[int, str] = {}

    def begin(self, start: int, end: int) -> None:
        """Count a beginning, and what became of the event tried last."""
        self.begun = self.begun + 1 if start == self.start else 1
        self.start, self.end = start, min(end, start + _CAREFUL_FOR)
        if self.trying >= 0 and self.trying not in self.poison:
            self.deaths[self.trying] = self.deaths.get(self.trying, 0) + 1
            if self.deaths[self.trying] >= _DEATHS:
                self.poison[self.trying] = f"the process died {_DEATHS} times while it applied this event alone"
                self.begun = 1  # it may have been the only one
        self.trying = -1

    def is_careful(self, offset: int) -> bool:
        """Return whether events from this offset on are to be applied one by one."""
        suspected = any(each not in self.poison and each >= offset for each in self.deaths)
        return suspected or (self.begun >= CAREFUL_AT and offset < self.end)

    def is_over(self, offset: int) -> bool:
        """Return whether nothing of it matters any more once everything below an offset is durable."""
        ahead = any(each >= offset for each in (*self.poison, *self.deaths))
        return offset > self.start and not ahead and not self.is_careful(offset)


class Attempts:
    """Finds poison.

    Parameters
    ----------
    store : Store
        Remembers trials across processes.
    warn : callable
        Told of what is found.
    crash : callable
        Told of an exception while applying, after which nothing may become durable: the process must end.
    settle : callable
        Makes everything applied so far durable.
    """

    def __init__(
        self,
        store: Store,
        warn: Callable[[str], None],
        crash: Callable[[BaseException], None],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._store, self._warn, self._crash, self._settle = store, warn, crash, settle
        self._trials: dict[Partition, Trial] = {}
        self._one = asyncio.Lock()
        self._writing = asyncio.Lock()  # else a trial that is being marked might be written after it was forgotten

    def begin(self, starts: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        """Count that partitions are begun at these offsets, and end at those; in the thread that takes them."""
        known = self._store.trials({partition for _, partition in starts})
        trials = {}
        for place, start in starts.items():
            trial = msgspec.json.decode(known[place], type=Trial) if place in known else Trial()
            trial.begin(start, ends[place])
            trials[place] = trial
            if trial.is_careful(start):
                self._warn(
                    f"{place[0]} partition {place[1]} is begun at offset {start}, {trial.begun} times in turn: its "
                    "events are applied one by one, to find the one that ends the process"
                )
        self._store.write_trials({place: msgspec.json.encode(trial) for place, trial in trials.items()})
        self._trials |= trials

    async def through(self, records: Records, apply: Callable[[Records], Awaitable[None]]) -> None:
        """Apply a batch; where there is poison, event by event, each marked before."""
        for piece in self._pieces(records):
            async with self._one:  # of all topics: what is marked is what is applied
                await self._try(piece, apply)

    async def passed(self, durable: Mapping[Partition, int]) -> None:
        """Forget the trials that are over, now that everything below these offsets is durable."""
        await self._forget([p for p, trial in self._trials.items() if p in durable and trial.is_over(durable[p])])

    async def ended(self, numbers: Container[int]) -> None:
        """Forget the trials of partitions that are let go in order, those with poison ahead excepted."""
        await self._forget([place for place, trial in self._trials.items() if place[1] in numbers and not trial.poison])

    def _pieces(self, records: Records) -> list[Records]:
        trials = {number: self._trials.get((records.topic, number)) for number in records.stretches}
        poison = {
            (number, offset): words
            for number, trial in trials.items()
            for offset, words in (trial.poison if trial else {}).items()
        }
        if not any(trial and trial.is_careful(records.stretches[number][0]) for number, trial in trials.items()):
            return [replace(records, poison=poison)] if poison else [records]
        return _one_by_one(records, poison)

    async def _try(self, piece: Records, apply: Callable[[Records], Awaitable[None]]) -> None:
        suspected = self._is_suspected(piece)
        if suspected:
            # Nothing but this event can be what a death from here on comes from.
            await self._settle()
        if piece.alone:
            await self._mark(piece)
        try:
            await apply(piece)
        except Exception as error:
            if piece.alone and not isinstance(error, HeadraceError):
                await self._convict(piece, error)
            self._crash(error)
            raise
        if suspected:
            await self._settle()

    def _is_suspected(self, piece: Records) -> bool:
        if not piece.alone:
            return False
        message = piece.messages[0]
        trial = self._trials.get((piece.topic, message.partition()), Trial())
        return message.offset() in trial.deaths and message.offset() not in trial.poison

    async def _mark(self, piece: Records) -> None:
        message = piece.messages[0]
        place = piece.topic, message.partition()
        changed = {other: trial for other, trial in self._trials.items() if trial.trying >= 0}
        for trial in changed.values():
            trial.trying = -1
        if place in self._trials and message.offset() not in self._trials[place].poison:
            self._trials[place].trying = message.offset()
            changed[place] = self._trials[place]
        await self._remember(changed)

    async def _convict(self, piece: Records, error: Exception) -> None:
        message = piece.messages[0]
        place = piece.topic, message.partition()
        trial = self._trials.get(place)
        if trial is None:
            return
        trial.poison[message.offset()] = "".join(traceback.format_exception(error))
        trial.trying, trial.begun = -1, 0  # it may have been the only one
        self._warn(f"{place[0]} partition {place[1]} offset {message.offset()} cannot be applied: {error!r}")
        await self._remember({place: trial})

    async def _forget(self, places: list[Partition]) -> None:
        if not places:
            return
        async with self._writing:
            for place in places:
                self._trials.pop(place, None)
            await stubbornly(None, self._warn_of, self._store.write_trials, dict.fromkeys(places))

    async def _remember(self, trials: Mapping[Partition, Trial]) -> None:
        async with self._writing:
            kept = {place: trial for place, trial in trials.items() if self._trials.get(place) is trial}
            values = {place: msgspec.json.encode(trial) for place, trial in kept.items()}
            await stubbornly(None, self._warn_of, self._store.write_trials, values)

    def _warn_of(self, text: str, *args: object) -> None:
        self._warn(text % args)


def _one_by_one(records: Records, poison: Mapping[tuple[int, int], str]) -> list[Records]:
    """Return each message as a batch of its own; together they cover the same offsets, and are done together."""
    left = len(records.messages)

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            records.done()

    reached = {number: first for number, (first, _) in records.stretches.items()}
    pieces = []
    for message in records.messages:
        number, offset = message.partition(), message.offset()
        stretch = {number: (reached[number], offset)}
        reached[number] = offset + 1
        pieces.append(replace(records, messages=[message], stretches=stretch, done=done, poison=poison, alone=True))
    return pieces
