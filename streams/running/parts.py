"""The parts of a worker, made from its settings; none of them runs yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import confluent_kafka as ck
import faust

from contracts.events import Click, Rating
from contracts.redis import Keys
from contracts.topics import CLICKS, IMPRESSIONS, ITEMS, LEARNING, MARKS, RATINGS, USERS, topic_name
from infra.errors import BrokerError
from infra.redis import connect
from infra.seldom import Seldom
from infra.settings import Settings
from models.engine import Engine
from serving.store.store import Store
from streams.applying.agents import declare
from streams.applying.applier import Applier
from streams.applying.attempts import Attempts
from streams.applying.epochs import Epochs
from streams.applying.lists import ListMaker
from streams.applying.measuring import Measuring
from streams.applying.outbox import Outbox
from streams.consuming.consumer import GroupConsumer
from streams.consuming.membership import group_properties
from streams.consuming.sources import Sources, what_changed
from streams.deadletters.letters import DeadLetters
from streams.forgetting.marks import Marks
from streams.forgetting.wishes import Forgetting
from streams.kafka.admin import Found, topics_by_user
from streams.kafka.producer import rekeyed_topics
from streams.kafka.reader import TopicReader
from streams.kafka.whole import read_whole
from streams.learning.checkpoints import Checkpoints
from streams.learning.engine import create_engine, limits_of
from streams.learning.log import LearningLog
from streams.owning.barrier import Barrier
from streams.owning.ownership import Ownership
from streams.stewarding.neighbours import Neighbours
from streams.stewarding.pages import Pages
from streams.stewarding.shared import SharedLists
from streams.stewarding.shelf import Shelf
from streams.stewarding.steward import Steward
from streams.watching.status import Status

# Records of the learning log folded in one turn of the event loop.
_LOG_BATCH = 20
_BY_USER = ("clicks", "ratings", "users")
"""Topics with an agent."""


@dataclass(slots=True)
class Parts:
    """What a worker consists of, see the files of the same names; ``kafka`` are the properties of its clients."""

    partitions: int
    topics: Mapping[str, Found]
    kafka: Mapping[str, Any]
    engine: Engine
    store: Store
    epochs: Epochs
    status: Status
    outbox: Outbox
    log: LearningLog
    lists: ListMaker
    applier: Applier
    barrier: Barrier
    ownership: Ownership
    shelf: Shelf
    neighbours: Neighbours
    steward: Steward
    checkpoints: Checkpoints
    forgetting: Forgetting
    log_reader: TopicReader
    item_reader: TopicReader
    mark_reader: TopicReader
    consumer: GroupConsumer


def build(
    app: faust.App,
    settings: Settings,
    found: Mapping[str, Found],
    status: Status,
    warn: Callable[..., None],
    crash: Callable[[BaseException], None],
) -> Parts:
    """Make the parts and declare the agents.

    Parameters
    ----------
    app : faust.App
    settings : Settings
        With the addresses of Kafka and Redis filled in.
    found : mapping of str to Found
        The topics of the deployment, by their full names.
    status : Status
        Where they count what happens.
    warn : callable
        Of a logger.
    crash : callable
        Told of an exception that must end the process; callable from any thread.

    Raises
    ------
    HeadraceError
        When Redis does not answer, or topics do not fit together.
    """
    model, work = settings.model, settings.worker
    topics = {
        topic.name: topic_name(topic, settings.kafka.prefix, settings.namespace)
        for topic in (CLICKS, RATINGS, IMPRESSIONS, USERS, ITEMS, MARKS, LEARNING)
    }
    rekeyed = rekeyed_topics(settings)
    partitions = _same_partitions({topic: found[topic].partitions for topic in topics_by_user(settings)})
    ids = {name: found[name].id for name in (*topics.values(), *rekeyed.values())}
    kafka = {"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0, **settings.kafka.client}
    engine = create_engine(settings)
    keys = Keys(settings.namespace, settings.redis.prefix)
    store = Store(connect(settings.redis.url), keys, work.list_s, work.state_s, settings.worker.search_terms)
    seldom = Seldom(warn)
    producer = ck.Producer(
        {"enable.idempotence": True, "linger.ms": 1, "compression.type": "zstd", "message.max.bytes": 5_000_000}
        | {"error_cb": lambda error: seldom.tell(f"kafka: {error.str()}")}
        | kafka
    )
    epochs, outbox = Epochs(partitions), Outbox(crash)
    log = LearningLog(engine, producer, topics["learning"], warn)
    letters = DeadLetters(producer, settings)
    lists = ListMaker(
        engine, model.list_length, model.reasons, lambda user: epochs.now.get(applier.home(user), 0),
        limits_of(settings),
    )  # fmt: skip
    forgetting = Forgetting(
        Marks(settings, ids), topics["marks"], topics["users"], kafka, log, lambda user: applier.home(user), warn
    )
    kinds: dict[str, type[Click] | type[Rating]] = {topics["clicks"]: Click, topics["ratings"]: Rating}
    applier = Applier(
        engine, store, log, outbox, letters, lists, Measuring(engine, lists, status, work.measured_share), status,
        kinds=kinds | {rekeyed[topic]: kind for topic, kind in kinds.items() if rekeyed},
        topic_ids=ids,
        partitions=partitions,
        rekeyed=rekeyed,
        epochs=epochs,
        refused=lambda numbers, under: ownership.refused(numbers, under),
        in_flight=lambda: consumer.in_flight,
        together=work.lists_together,
        forgetting=forgetting,
        warn=warn,
    )  # fmt: skip
    barrier = Barrier(
        engine, log, store, outbox, epochs, lambda: ownership, applier.home, lambda offsets: consumer.commit(offsets)
    )
    attempts = Attempts(store, warn, crash, lambda: ownership.make_durable())
    ownership = Ownership(
        engine.users, store, applier, barrier, epochs, Sources(settings, store), attempts, lambda: consumer, warn,
        taken=lambda: status.start_up.done("join"),
    )  # fmt: skip
    availability = engine.availability
    pages = Pages(
        store, log, outbox, letters, topics["items"], availability.is_withheld,
        lambda reason: status.refused([reason]),
    )  # fmt: skip
    shelf = Shelf(engine, log, pages, lambda: epochs.steward)
    neighbours = Neighbours(engine, topics["learning"])
    checkpoints = Checkpoints(settings.checkpoints, warn, ids[topics["learning"]])
    # Room for what the consumer may have in flight, so that its thread never waits for a channel.
    channels = {name: app.channel(maxsize=work.window + 1) for name in _BY_USER}
    declare(app, channels, applier, attempts)
    by_topic = {topics[name]: channels[name] for name in _BY_USER}
    by_topic |= {other: by_topic[topic] for topic, other in rekeyed.items()}
    log_reader = TopicReader(topics["learning"], kafka, log.arrived, crash, batch=_LOG_BATCH)
    item_reader = TopicReader(topics["items"], kafka, shelf.put, crash)
    mark_reader = TopicReader(topics["marks"], kafka, forgetting.hear, crash)
    consumer = GroupConsumer(
        by_topic,
        partitions,
        partial(what_changed, settings, {topic: found[topic] for topic in topics_by_user(settings)}),
        ownership,
        kafka | group_properties(f"{settings.kafka.prefix}-{settings.namespace}", work),
        batch=work.batch,
        window=work.window,
        linger_s=work.linger_ms / 1000,
        crash=crash,
    )
    steward = Steward(
        engine, store, outbox, epochs,
        lists=lists,
        shared=SharedLists(engine, model.list_length, model.category_lists),
        shelf=shelf,
        pages=pages,
        neighbours=neighbours,
        checkpoints=checkpoints,
        item_partitions=found[topics["items"]].partitions,
        read_items=lambda begin: _items(settings, topics["items"], begin),
        warn=warn,
        refused=ownership.refused,
    )  # fmt: skip
    return Parts(
        partitions, found, kafka, engine, store, epochs, status, outbox, log, lists, applier, barrier, ownership, shelf,
        neighbours, steward, checkpoints, forgetting, log_reader, item_reader, mark_reader, consumer,
    )  # fmt: skip


def _items(settings: Settings, topic: str, begin: Mapping[tuple[str, int], int]) -> list[Any]:
    """Return the item records from the given offsets to the end of the topic."""
    return list(read_whole(settings, topic, {number: offset for (of, number), offset in begin.items() if of == topic}))


def _same_partitions(counts: Mapping[str, int]) -> int:
    if len(set(counts.values())) != 1:
        raise BrokerError(
            f"the user-keyed topics have different numbers of partitions ({counts}): a user's clicks and ratings would "
            "part; create them anew with equal numbers"
        )
    return next(iter(counts.values()))
