"""What a disturbed deployment learned, compared with what it should have: its own log, and an undisturbed deployment.

Nothing is lost and nothing doubled when

- the item model equals, bit for bit, a fresh fold of its learning log;
- both deployments have learned the same number of events of every item;
- every user's stored state (history, seen items, offsets contained) is the same bytes in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import confluent_kafka as ck
import msgspec
import numpy as np
import redis

from contracts.learning import decode_lessons
from contracts.redis import Keys
from contracts.topics import CLICKS, LEARNING, RATINGS, topic_name
from infra.settings import Settings
from models.item_model import ItemModel
from models.life import Life
from models.user_state import decode_state
from streams.kafka.admin import topic_ids
from streams.kafka.whole import read_whole
from streams.learning.checkpoints import Checkpoints

Offsets = dict[str, int]
"""``topic/partition`` → next offset."""


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes
    ----------
    events, users : int
        Events learned, and users with a state, of the disturbed deployment.
    model_equals_log, counts_equal, histories_equal : bool
        See the module.
    lost, doubled : int
        Events by which items' counts and users' histories fall short of the undisturbed deployment's, or exceed them.
    gaps : int
        Offsets of the input that no learning record covers.
    """

    events: int
    users: int
    model_equals_log: bool
    counts_equal: bool
    histories_equal: bool
    lost: int
    doubled: int
    gaps: int

    @property
    def passed(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        equal = self.model_equals_log and self.counts_equal and self.histories_equal
        return equal and not self.lost and not self.doubled and not self.gaps


def compare(settings: Settings, store: redis.Redis, disturbed: str, undisturbed: str) -> Comparison:
    """Compare two namespaces whose workers have ended in order after the same input.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis, and where checkpoints are.
    store : redis.Redis
        A client with binary replies.
    disturbed, undisturbed : str
        Namespaces.
    """
    model, reference = checkpointed(settings, disturbed), checkpointed(settings, undisturbed)
    states, expected = (user_states(settings, store, namespace) for namespace in (disturbed, undisturbed))
    by_item = missing_and_surplus(item_counts(model), item_counts(reference))
    by_user = missing_and_surplus(history_lengths(states), history_lengths(expected))
    return Comparison(
        events=model.events,
        users=len(states),
        model_equals_log=same(contents(model), contents(folded(settings, disturbed))),
        counts_equal=item_counts(model) == item_counts(reference),
        histories_equal=states == expected,
        lost=max(by_item[0], by_user[0]),
        doubled=max(by_item[1], by_user[1]),
        gaps=model.gaps,
    )


def folded(settings: Settings, namespace: str) -> ItemModel:
    """Fold the whole learning log of a namespace into a new model."""
    model = new_model(settings)
    for message in read_whole(settings, topic_name(LEARNING, settings.kafka.prefix, namespace)):
        model.learn(decode_lessons(message.value()), message.offset())
    return model


def checkpointed(settings: Settings, namespace: str) -> ItemModel:
    """Return the model as the worker that ended last left it."""
    model = new_model(settings)
    own = msgspec.structs.replace(settings, namespace=namespace)
    log = topic_name(LEARNING, settings.kafka.prefix, namespace)
    Checkpoints(own.checkpoints, print, topic_ids(settings, [log])[log]).restore(model)
    return model


def new_model(settings: Settings) -> ItemModel:
    """Return an empty item model as a worker with these settings begins it."""
    model, life = settings.model, Life(**msgspec.structs.asdict(settings.catalogue))
    return ItemModel(model.seed, model.rating_users, model.repeats, model.rating_slope, life)


def contents(model: ItemModel) -> dict[str, Any]:
    """Return all that a model holds; of the rating model its rows, since equal ones have several stored forms."""
    return model.state() | {"ratings": model.ratings.rows()}


def item_counts(model: ItemModel) -> dict[str, int]:
    """Return item → number of events learned, those without any left out."""
    events = model.catalogue.events[: len(model.catalogue)].tolist()
    return {item: n for item, n in zip(model.catalogue.ids, events, strict=True) if n}


def user_states(settings: Settings, store: redis.Redis, namespace: str) -> dict[str, bytes]:
    """Return every user's stored state, by its key without the namespace."""
    prefix = f"{settings.redis.prefix}:{namespace}:state:"
    keys = sorted(store.scan_iter(prefix + "*", count=1000))
    values: list[Any] = []
    for start in range(0, len(keys), 500):
        pipeline = store.pipeline(transaction=False)
        for key in keys[start : start + 500]:
            pipeline.get(key)
        values += pipeline.execute()
    return {key.decode().removeprefix(prefix): value for key, value in zip(keys, values, strict=True)}


def history_lengths(states: Mapping[str, bytes]) -> dict[str, int]:
    """Return for each user how many events he has had."""
    return {user: decode_state(state).events for user, state in states.items()}


def missing_and_surplus(found: Mapping[str, int], expected: Mapping[str, int]) -> tuple[int, int]:
    """Return by how much counts fall short of what is expected, and by how much they exceed it, in all."""
    more = [found.get(name, 0) - expected.get(name, 0) for name in found.keys() | expected.keys()]
    return sum(-n for n in more if n < 0), sum(n for n in more if n > 0)


def same(a: Any, b: Any) -> bool:
    """Return whether two states are equal bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.tobytes() == b.tobytes())
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))
    return bool(a == b)


def applied(settings: Settings, store: Any, namespace: str) -> Offsets:
    """Return which input the stored states of a namespace contain."""
    keys = Keys(namespace, settings.redis.prefix)
    return {
        f"{topic.decode()}/{partition}": int(offset)
        for partition in range(settings.kafka.partitions)
        for topic, offset in store.hgetall(keys.applied(partition)).items()
    }


def ends(settings: Settings) -> Offsets:
    """Return where the input of clicks and ratings ends now, partitions without messages left out."""
    consumer = ck.Consumer({"bootstrap.servers": settings.kafka.bootstrap, "group.id": "ends", "log_level": 0})
    found = {}
    try:
        for topic in (CLICKS, RATINGS):
            name = topic_name(topic, settings.kafka.prefix, settings.namespace)
            for partition in consumer.list_topics(name, timeout=10).topics[name].partitions:
                _, end = consumer.get_watermark_offsets(ck.TopicPartition(name, partition), timeout=10)
                if end:
                    found[f"{name}/{partition}"] = end
    finally:
        consumer.close()
    return found
