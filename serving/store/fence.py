"""Writes that only the present owner of a partition can make.

Whoever becomes the owner of a partition raises its epoch. Every write names the epoch that its worker owns the
partition under, and a script in the store compares the two and writes, as one step: a worker that was stopped for a
minute, lost its partitions and goes on without knowing changes nothing. What one owner writes leaves it in order
(``streams.applying.outbox``), so no value of a partition is ever replaced by an older one.

Here keys are named by values of the scripts, which one Redis server allows; :mod:`serving.store.cluster_fence` holds
the same law on a Cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError

from contracts.redis import Keys

Epochs = Mapping[int, int]
"""Partition → the epoch under which this worker owns it."""
Command = tuple[Any, ...]
"""A command of Redis with its arguments."""
Step = tuple[str, int | None, int]
"""Topic, the offset that this worker knows to stand there, the offset to put in its place."""

# So many commands run as one step in the store, which serves nobody else meanwhile: about a millisecond.
AT_ONCE = 200

_NOW, _REFUSED, _WENT_BACK = 1, 0, -1

# KEYS: epoch. ARGV: epoch, then each command as the number of its words and these.
_GUARDED = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local at = 2
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return 1
"""

# KEYS: epoch, a hash. ARGV: epoch, seconds to live or 0 for ever, number of values, key and value of each, then fields
# of the hash and their values. The same could be said with commands, at twice the cost.
_REPLACE = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local last = 3 + 2 * tonumber(ARGV[3])
if ARGV[2] == '0' then
  for at = 4, last, 2 do redis.call('SET', ARGV[at], ARGV[at + 1]) end
else
  for at = 4, last, 2 do redis.call('SET', ARGV[at], ARGV[at + 1], 'EX', ARGV[2]) end
end
for at = last + 1, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
return 1
"""

# KEYS: epoch, applied. ARGV: epoch, run id of the server, then topic, offset before, offset after of each.
# "After" may stand there already: the answer to the same call was lost.
_ADVANCE = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if not string.find(redis.call('INFO', 'server'), 'run_id:' .. ARGV[2], 1, true) then return -1 end
for at = 3, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[2], ARGV[at]) or ''
  if held ~= ARGV[at + 1] and held ~= ARGV[at + 2] then return -1 end
end
for at = 3, #ARGV, 3 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 2]) end
return 1
"""

# KEYS: epoch. By the clock of the store where that is more, so that epochs of a store that was restored from a backup
# do not come a second time.
RAISE = """\
local before = tonumber(redis.call('GET', KEYS[1])) or 0
local epoch = string.format('%.0f', math.max(before + 1, tonumber(redis.call('TIME')[1])))
redis.call('SET', KEYS[1], epoch)
return epoch
"""

_SCRIPTS = (_GUARDED, _REPLACE, _ADVANCE, RAISE)
Call = tuple[str, Sequence[str], Sequence[Any]]
"""A script, its keys, its arguments."""


class WentBack(Exception):
    """The store does not hold what this worker has written: it was restarted, restored or emptied."""


class Fence:
    """Runs commands for the present owner of a partition, on one server.

    Parameters
    ----------
    client : redis.Redis
    keys : Keys
        Names the namespace.
    """

    def __init__(self, client: Any, keys: Keys) -> None:
        self._client, self._keys = client, keys

    def run_id(self) -> str:
        """Return what identifies the running server: another after each of its restarts."""
        return str(self._client.info("server")["run_id"])

    def raise_epochs(self, partitions: Iterable[int]) -> dict[int, int]:
        """Become the owner of partitions: return their new epochs, greater than all before."""
        return {number: int(*self._run([(RAISE, [self._keys.epoch(number)], [])])) for number in partitions}

    def holds(self, partition: int, epoch: int) -> bool:
        """Return whether an epoch is still the present one."""
        return bool(self._client.get(self._keys.epoch(partition)) == str(epoch).encode())

    def write(self, stages: Sequence[Mapping[int, Sequence[Command]]], epochs: Epochs) -> frozenset[int]:
        """Run the commands of each partition, in order, if it is owned.

        Parameters
        ----------
        stages : sequence of mappings
            Partition → commands. Whoever sees what a stage writes sees what those before it have written.
        epochs : mapping
            Those under which the commands were made.

        Returns
        -------
        frozenset of int
            The partitions that have another owner now; nothing was written there from some command on.
        """
        commands: dict[int, list[Command]] = {}
        for stage in stages:
            for partition, some in stage.items():
                commands.setdefault(partition, []).extend(some)
        partitions, calls = [], []
        for partition, own in commands.items():
            for start in range(0, len(own), AT_ONCE):
                partitions.append(partition)
                calls.append(self._guarded(partition, own[start : start + AT_ONCE], epochs))
        return self._refused(partitions, calls)

    def replace(
        self,
        values: Mapping[int, Sequence[tuple[str, bytes]]],
        marks: Mapping[int, Sequence[tuple[str, int]]],
        epochs: Epochs,
        live_s: int = 0,
    ) -> frozenset[int]:
        """Replace whole values of each partition, if it is owned, and then say so in its watermark.

        Parameters
        ----------
        values : mapping
            Partition → (key, value).
        marks : mapping
            Partition → (field of its watermark, value).
        epochs : mapping
        live_s : int
            Seconds after which the values are gone; 0 = never.

        Returns
        -------
        frozenset of int
            As :meth:`write` does.
        """
        partitions: list[int] = []
        calls: list[Call] = []
        for partition in values.keys() | marks.keys():
            own, fields = values.get(partition, ()), marks.get(partition, ())
            for start in range(0, max(1, len(own)), AT_ONCE):
                some = own[start : start + AT_ONCE]
                words: list[Any] = [epoch_word(partition, epochs), live_s, len(some)]
                for pair in some:
                    words += pair
                if start + AT_ONCE >= len(own):
                    for field in fields:
                        words += field
                partitions.append(partition)
                calls.append((_REPLACE, [self._keys.epoch(partition), self._keys.watermark(partition)], words))
        return self._refused(partitions, calls)

    def advance(
        self, steps: Mapping[int, Iterable[Step]], epochs: Epochs, run_ids: Mapping[int, str]
    ) -> frozenset[int]:
        """Say how far the stored states have come; return the partitions that have another owner now.

        Parameters
        ----------
        steps : mapping
            Partition → steps.
        epochs : mapping
        run_ids : mapping
            Partition → run id of the server that held the offsets from which its first step went.

        Raises
        ------
        WentBack
            When the server has been restarted since, or other offsets stand there: it may lack what was written.
        """
        calls: list[Call] = []
        for partition, own in steps.items():
            words = [word for topic, before, after in own for word in (topic, offset_word(before), offset_word(after))]
            keys = [self._keys.epoch(partition), self._keys.applied(partition)]
            calls.append((_ADVANCE, keys, [epoch_word(partition, epochs), run_ids.get(partition, "none"), *words]))
        answers = self._run(calls)
        if _WENT_BACK in answers:
            raise WentBack
        return frozenset(partition for partition, answer in zip(steps, answers, strict=True) if answer == _REFUSED)

    def _refused(self, partitions: Sequence[int], calls: Sequence[Call]) -> frozenset[int]:
        answers = self._run(calls)
        return frozenset(partition for partition, answer in zip(partitions, answers, strict=True) if answer != _NOW)

    def _guarded(self, partition: int, commands: Sequence[Command], epochs: Epochs) -> Call:
        words: list[Any] = [epoch_word(partition, epochs)]
        for command in commands:
            words.append(len(command))
            words += command
        return _GUARDED, [self._keys.epoch(partition)], words

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        return run(calls, self._send, _SCRIPTS, self._client)

    def _send(self, calls: Sequence[Call]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for script, keys, words in calls:
            pipeline.execute_command("EVALSHA", sha(script), len(keys), *keys, *words)
        return list(pipeline.execute(raise_on_error=False))


def run(
    calls: Sequence[Call], send: Callable[[Sequence[Call]], list[Any]], scripts: Iterable[str], client: Any
) -> list[Any]:
    """Run scripts in one round trip; in two where the store has not seen them yet.

    Raises
    ------
    RedisError
        What any of them answers with.
    """
    if not calls:
        return []
    answers = send(calls)
    if any(isinstance(answer, NoScriptError) for answer in answers):
        for script in scripts:
            client.script_load(script)
        answers = send(calls)  # those that were run are repeated with the same bytes
    for answer in answers:
        if isinstance(answer, ResponseError) and "OOM " in str(answer):
            raise OutOfMemoryError(str(answer))  # an error within a script has another class
        if isinstance(answer, Exception):
            raise answer
    return answers


@cache
def sha(script: str) -> str:
    """Return the name under which a store knows a script."""
    return sha1(script.encode()).hexdigest()


def epoch_word(partition: int, epochs: Epochs) -> str:
    """Return an epoch as scripts compare it."""
    # Of a partition that is not owned at all: no epoch is ever empty.
    return str(epochs.get(partition, ""))


def offset_word(offset: int | None) -> str:
    """Return an offset as scripts compare it; empty = none."""
    return "" if offset is None else str(offset)
