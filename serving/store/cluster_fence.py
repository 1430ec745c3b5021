"""The fence on a Redis Cluster: the same law where keys lie in many slots.

A script of a Cluster sees the keys of one hash slot, and a user's list lies in the user's, not in his partition's. So
the epochs stand in every slot: a hash each, partition → epoch. Whoever takes partitions raises their epochs in all of
them before he reads anything; from then on no slot takes a write of a former owner, whatever it is and however late it
comes. Each slot's writes and the look at the epoch are one step, as on one server.

What is not one step is a write to several slots. Where one must be seen before another, the caller says so in stages:
each is acknowledged before the next is sent. How far the input has come is always the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.cluster import RedisCluster

from contracts.redis import Keys
from serving.store.fence import AT_ONCE, RAISE, Call, Command, Epochs, Step, WentBack, epoch_word, offset_word, run, sha
from serving.store.scatter import Routed, scatter
from serving.store.slots import slot_of, tags

# KEYS: the slot's epochs, keys that the commands name. ARGV: partition, epoch, then each command as the number of its
# words and these.
_GUARDED = """\
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local at = 3
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return 1
"""

# KEYS: the slot's epochs. ARGV: partitions, then the epoch of each. Two who take a partition at the same time come in
# any order: the greater stays, and is the answer where it is not the one given.
_ENTER = """\
local size = #ARGV / 2
local held = redis.call('HMGET', KEYS[1], unpack(ARGV, 1, size))
local entered, greater = {}, false
for at = 1, size do
  local own = ARGV[size + at]
  if held[at] and tonumber(held[at]) > tonumber(own) then own, greater = held[at], true end
  entered[2 * at - 1], entered[2 * at] = ARGV[at], own
end
redis.call('HSET', KEYS[1], unpack(entered))
return greater and redis.call('HMGET', KEYS[1], unpack(ARGV, 1, size)) or 1
"""

# KEYS: epoch. ARGV: epoch, a greater one.
_LIFT = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

# KEYS: epoch, applied. ARGV: epoch, run ids of all masters, then topic, offset before, offset after of each.
_ADVANCE = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local own = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if not string.find(ARGV[2], own, 1, true) then return -1 end
for at = 3, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[2], ARGV[at]) or ''
  if held ~= ARGV[at + 1] and held ~= ARGV[at + 2] then return -1 end
end
for at = 3, #ARGV, 3 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 2]) end
return 1
"""

_SCRIPTS = (_GUARDED, _ENTER, _LIFT, _ADVANCE, RAISE)
_ENTERED, _REFUSED, _WENT_BACK = 1, 0, -1
_SLOTS_AT_ONCE = 2048


class ClusterFence:
    """Runs commands for the present owner of a partition, see :class:`serving.store.fence.Fence`.

    Parameters
    ----------
    client : redis.cluster.RedisCluster
    keys : Keys
        Names the namespace.
    """

    def __init__(self, client: Any, keys: Keys) -> None:
        self._client, self._keys = client, keys

    def run_id(self) -> str:
        """Return what identifies the running masters: another after a restart, a failover or a new master."""
        told: Any = self._client.info("server", target_nodes=RedisCluster.PRIMARIES)
        # Of a single master redis-py returns what it says without its name.
        each = [told] if "run_id" in told else told.values()
        return " ".join(sorted(str(node["run_id"]) for node in each))

    def raise_epochs(self, partitions: Iterable[int]) -> dict[int, int]:
        """Become the owner of partitions: return their new epochs, greater than all before, once every slot has them.

        An epoch follows the clock of one node. Should another that failed have forgotten it, and its successor's clock
        be behind, slots hold a greater one still: then it is lifted above that, unless a newer owner's is meant.
        """
        numbers = list(partitions)
        raised = self._run([(RAISE, [self._keys.epoch(number)], []) for number in numbers])
        epochs = {number: int(epoch) for number, epoch in zip(numbers, raised, strict=True)}
        lifted = {}
        for number, highest in self._enter(epochs).items():
            if highest > epochs[number]:
                key, above = self._keys.epoch(number), highest + 1
                if self._run([(_LIFT, [key], [epochs[number], above])]) == [1]:
                    lifted[number] = epochs[number] = above
        if lifted:
            self._enter(lifted)
        return epochs

    def holds(self, partition: int, epoch: int) -> bool:
        """Return whether an epoch is still the present one."""
        return bool(self._client.get(self._keys.epoch(partition)) == str(epoch).encode())

    def write(self, stages: Sequence[Mapping[int, Sequence[Command]]], epochs: Epochs) -> frozenset[int]:
        """Run the commands of each partition, if it is owned: a stage when the one before it is acknowledged.

        Within a stage, commands about keys of one slot keep their order, others have none.
        """
        refused = frozenset[int]()
        for stage in stages:
            partitions, calls = [], []
            for partition, commands in stage.items():
                if partition not in refused:
                    own = self._guarded(partition, commands, epochs)
                    partitions += [partition] * len(own)
                    calls += own
            answers = self._run(calls)
            refused |= {partition for partition, answer in zip(partitions, answers, strict=True) if answer == _REFUSED}
        return refused

    def replace(
        self,
        values: Mapping[int, Sequence[tuple[str, bytes]]],
        marks: Mapping[int, Sequence[tuple[str, int]]],
        epochs: Epochs,
        live_s: int = 0,
    ) -> frozenset[int]:
        """Replace whole values of each partition, if it is owned, and then say so in its watermark."""
        life = ("EX", live_s) if live_s else ()
        written = {number: [("SET", key, value, *life) for key, value in own] for number, own in values.items()}
        marked = {
            number: [("HSET", self._keys.watermark(number), *(word for field in own for word in field))]
            for number, own in marks.items()
        }
        return self.write((written, marked), epochs)

    def advance(
        self, steps: Mapping[int, Iterable[Step]], epochs: Epochs, run_ids: Mapping[int, str]
    ) -> frozenset[int]:
        """Say how far the stored states have come; return the partitions that have another owner now.

        Raises
        ------
        WentBack
            When any master has been restarted or replaced since, or other offsets stand there. The lists of a partition
            lie on all of them, and those of the last second may be lost with one.
        """
        calls: list[Call] = []
        for partition, own in steps.items():
            words = [word for topic, before, after in own for word in (topic, offset_word(before), offset_word(after))]
            keys = [self._keys.epoch(partition), self._keys.applied(partition)]
            calls.append((_ADVANCE, keys, [epoch_word(partition, epochs), run_ids.get(partition, "none"), *words]))
        # A look beforehand at the masters that hold none of this partition's offsets; at its own, in one step with it.
        present = self.run_id() if calls else ""
        others = [partition for partition in steps if run_ids.get(partition) != present]
        if any(partition in epochs and self.holds(partition, epochs[partition]) for partition in others):
            raise WentBack
        answers = self._run(calls)
        if _WENT_BACK in answers:
            raise WentBack
        return frozenset(partition for partition, answer in zip(steps, answers, strict=True) if answer == _REFUSED)

    def _enter(self, epochs: Epochs) -> dict[int, int]:
        """Let every slot know epochs; return the highest that stands in any."""
        words = [*epochs, *epochs.values()]
        highest = dict(epochs)
        names = tags()
        for start in range(0, len(names) if epochs else 0, _SLOTS_AT_ONCE):
            part = names[start : start + _SLOTS_AT_ONCE]
            for held in self._run([(_ENTER, [self._keys.epochs(tag)], words) for tag in part]):
                if held != _ENTERED:
                    highest = {number: max(highest[number], int(own)) for number, own in zip(epochs, held, strict=True)}
        return highest

    def _guarded(self, partition: int, commands: Sequence[Command], epochs: Epochs) -> list[Call]:
        slots: dict[int, list[Command]] = {}
        for command in commands:
            for each in _apart(command):
                slots.setdefault(slot_of(each[1]), []).append(each)
        calls: list[Call] = []
        for slot, own in slots.items():
            for start in range(0, len(own), AT_ONCE):
                words: list[Any] = [partition, epoch_word(partition, epochs)]
                some = own[start : start + AT_ONCE]
                for command in some:
                    words.append(len(command))
                    words += command
                keys = [self._keys.epochs(tags()[slot]), *dict.fromkeys(command[1] for command in some)]
                calls.append((_GUARDED, keys, words))
        return calls

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        return run(calls, self._send, _SCRIPTS, self._client)

    def _send(self, calls: Sequence[Call]) -> list[Any]:
        commands: list[Routed] = [
            (keys[0], ("EVALSHA", sha(script), len(keys), *keys, *words)) for script, keys, words in calls
        ]
        return scatter(self._client, commands)


def _apart(command: Command) -> Iterable[Command]:
    """Return a command as several of one key each; all but this one name only one."""
    return ((command[0], key) for key in command[1:]) if command[0] == "DEL" else (command,)
