"""Examines a deployment: broker and topics, the learning log and its checkpoints, Redis' part, the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import confluent_kafka as ck

from contracts.redis import Keys
from contracts.topics import LEARNING, topic_name
from infra.errors import BrokerError, HeadraceError, StoreError
from infra.findings import Finding, ok, problem, warning
from infra.redis import connect, infos
from infra.redis_health import examine
from infra.secrecy import examine_secrecy
from infra.settings import Settings
from serving.store.store import Store
from streams.kafka.admin import compare_topics, topic_partitions, topics_by_user
from streams.kafka.whole import bounds
from streams.learning.checkpoints import Checkpoints

SILENT_S = 10.0
"""A worker reports twice a second; after so long it is taken for gone."""
_LATE = 10_000  # events of lag that are worth a word
_OFFSET = ck.TopicPartition
_REPLAY = "rebuild the namespace with `headrace replay`"


def examine_deployment(settings: Settings) -> Iterator[Finding]:
    """Yield what is found, from the ground up; what rests on something that is missing is not looked at.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis filled in.
    """
    partitions, store = 0, None
    yield from examine_secrecy(settings)
    try:
        partitions = yield from _topics(settings)
    except BrokerError as error:
        yield problem("Kafka", str(error), "start the broker, or mend kafka.bootstrap and kafka.client")
    try:
        client: Any = connect(settings.redis.url)
        for name, info in infos(client).items():
            yield from (replace(finding, subject=f"{finding.subject}{name}") for finding in examine(info))
        store = Store(client, Keys(settings.namespace, settings.redis.prefix), settings.worker.list_s)
    except StoreError as error:
        yield problem("Redis", str(error), "start the store, or mend redis.url")
    if partitions:
        yield from _log(settings)
    if partitions and store:
        yield from _positions(settings, store, partitions)
    if store:
        yield from _workers(store)


def _topics(settings: Settings) -> Any:
    missing, differences = compare_topics(settings)
    if missing:
        yield problem("topics", f"missing: {', '.join(sorted(missing))}", "create them with `headrace topics`")
        return 0
    for difference in differences:
        yield warning("topics", difference, "alter the topic, or the settings, so that they agree")
    names = topics_by_user(settings)
    counts = topic_partitions(settings, names)
    if len(set(counts.values())) > 1:
        yield problem(
            "topics", f"user-keyed topics differ in partitions: {counts}", "create them anew with equal numbers"
        )
        return 0
    strategy = settings.kafka.client.get("partition.assignment.strategy", "range")
    if strategy != "range":
        yield problem(
            "kafka.client",
            f"partition.assignment.strategy is {strategy}: a user's clicks and ratings part",
            "remove it",
        )
    partitions = counts[names[0]]
    yield ok("topics", f"{partitions} partitions each")
    return partitions


def _log(settings: Settings) -> Iterator[Finding]:
    name = topic_name(LEARNING, settings.kafka.prefix, settings.namespace)
    consumer = _consumer(settings)
    try:
        first, end = bounds(consumer, _OFFSET(name, 0))
    finally:
        consumer.close()
    position = Checkpoints(settings.checkpoints, lambda _: None).newest()
    found = "no checkpoint yet" if position is None else f"newest checkpoint at {position:,}"
    text = f"records {first:,} to {end:,}, {found}"
    if not first <= (position or 0) <= end:
        yield problem("learning log", f"{text}: what lies between is lost", _REPLAY)
    else:
        yield ok("learning log", text)


def _positions(settings: Settings, store: Store, partitions: int) -> Iterator[Finding]:
    """Compare what the group has committed with what Redis holds and with where the topics end."""
    applied = store.applied(range(partitions))
    consumer = _consumer(settings)
    lag, lost, beyond = 0, [], []
    try:
        for name in topics_by_user(settings):
            for part in consumer.committed([_OFFSET(name, number) for number in range(partitions)], timeout=10):
                _, end = bounds(consumer, part)
                done = max(0, part.offset)
                lag += max(0, end - done)
                if done > end:
                    beyond.append(f"{name}/{part.partition}")
                if done and (name, part.partition) not in applied:
                    lost.append(f"{name}/{part.partition}")
    finally:
        consumer.close()
    if beyond:
        yield problem("positions", f"committed beyond the end of {', '.join(beyond)}: created anew", _REPLAY)
    if lost:
        yield problem("positions", f"Redis holds no states of {', '.join(lost)}: it was emptied", _REPLAY)
    if not beyond and not lost:
        yield ok("positions", "what is committed is in Redis")
    if lag > _LATE:
        yield warning("lag", f"{lag:,} events wait", "start more workers, at most one for each partition")
    else:
        yield ok("lag", f"{lag:,} events wait")


def _workers(store: Store) -> Iterator[Finding]:
    reports = store.worker_reports()
    alive = {name: report for name, report in reports.items() if silence_s(report) <= SILENT_S}
    for name in sorted(reports.keys() - alive.keys()):
        if reports[name]["ready"]:  # the last word of one that ends in order is that it is not
            yield warning("workers", f"{name} has been silent for {silence_s(reports[name]):,.0f} s", "see its log")
    if not alive:
        yield warning("workers", "none is running", "start one with `headrace worker`")
    for name, report in sorted(alive.items()):
        if report["log_gaps"]:
            yield problem("workers", f"{name} has found {report['log_gaps']} gaps in the learning log", _REPLAY)
        letters = report["dead_letters"]
        if letters:
            yield warning("workers", f"{name} has written {letters:,} dead letters", "see `headrace deadletters`")
        if not report["log_gaps"]:
            yield ok("workers", f"{name}, {'ready' if report['ready'] else 'starting'}")


def silence_s(report: Mapping[str, Any]) -> float:
    """Return for how many seconds a worker has said nothing."""
    return max(0.0, time.time() - float(report["time"]) / 1000)


def _consumer(settings: Settings) -> Any:
    """Return a consumer that asks for the group's offsets and never joins it."""
    try:
        return ck.Consumer(
            {
                "log_level": 0,
                **settings.kafka.client,
                "bootstrap.servers": settings.kafka.bootstrap,
                "group.id": f"{settings.kafka.prefix}-{settings.namespace}",
                "enable.auto.commit": False,
            }
        )
    except ck.KafkaException as error:
        raise HeadraceError(f"kafka.client cannot be used: {error.args[0].str()}") from error
