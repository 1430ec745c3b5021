"""``headrace replay``: from what Kafka holds to a namespace that a worker goes on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import confluent_kafka as ck

from contracts.redis import Keys
from contracts.topics import LEARNING, partition_of, topic_name
from infra.errors import BrokerError, HeadraceError
from infra.kernels import compile_kernels
from infra.redis import connect
from infra.settings import Settings
from models.kernel import COMPILED
from models.warmup import warm_up
from serving.store.namespaces import Namespaces
from serving.store.store import Store
from streams.forgetting.marks import Marks
from streams.kafka.admin import ensure_topics
from streams.kafka.whole import bounds
from streams.learning.engine import create_engine
from streams.replaying.deployment import SILENCE_MS, clear, commit
from streams.replaying.durable import Durable, unfinished
from streams.replaying.fold import Fold
from streams.replaying.items import Items
from streams.replaying.listing import Listing
from streams.replaying.owner import Owner
from streams.replaying.plan import DONE, FOLDING, LISTING, Mark, Plan, Progress, make_plan
from streams.replaying.source import Source

SAVE_S = 60.0
"""Between two saves: so much is folded again after a kill."""


@dataclass
class Report:
    """What a replay has done, in this call but for what is said of the whole.

    Attributes
    ----------
    phase : str
        ``folding``, ``listing`` or ``done``.
    total, read : int
        Messages to be read, and read, of the whole.
    events, duplicates : int
        Events that counted, of the whole; repeats of earlier ones.
    users, items, lists : int
        Users and items known at the end; lists written.
    refused : dict of str to int
        Reason → messages that could not be used.
    skipped : int
        Events left out because their users were forgotten after them.
    scored : int
        Events ranked before they were learned, of the whole.
    hit_rate_at_10, ndcg_at_10, popularity_hit_rate_at_10 : float
    folding_s, listing_s, seconds : float
        How long it took: reading and learning, making lists, everything.
    events_per_second : float
        Messages read and learned in a second.
    """

    namespace: str
    phase: str = FOLDING
    total: int = 0
    read: int = 0
    events: int = 0
    duplicates: int = 0
    users: int = 0
    items: int = 0
    lists: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    scored: int = 0
    hit_rate_at_10: float = 0.0
    ndcg_at_10: float = 0.0
    popularity_hit_rate_at_10: float = 0.0
    folding_s: float = 0.0
    listing_s: float = 0.0
    seconds: float = 0.0
    events_per_second: float = 0.0
    to_list: int = 0


@dataclass(frozen=True)
class Wishes:
    """What is asked for.

    Attributes
    ----------
    since, until : str
        See :func:`streams.replaying.plan.make_plan`.
    users : sequence of str or None
        Only these get lists; None = all.
    fresh, resume : bool
        Clear the namespace first; go on with an interrupted replay.
    score_every : int
        Rank every n-th event before it is learned; 0 = none.
    save_s : float
        Between two saves.
    """

    since: str = "beginning"
    until: str = "now"
    users: Sequence[str] | None = None
    fresh: bool = False
    resume: bool = False
    score_every: int = 500
    save_s: float = SAVE_S


def replay(
    settings: Settings,
    wishes: Wishes,
    *,
    on_progress: Callable[[Report], None] = lambda report: None,
    stop: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda text: None,
) -> Report:
    """Replay into the namespace of the settings; returns early, with everything saved, once ``stop`` says so.

    Raises
    ------
    HeadraceError
        When the namespace is in use, when Kafka or Redis does not answer, or when what is needed is gone.
    """
    return _Replay(settings, wishes, on_progress, stop, warn).run()


class _Replay:
    def __init__(
        self,
        settings: Settings,
        wishes: Wishes,
        on_progress: Callable[[Report], None],
        stop: Callable[[], bool],
        warn: Callable[[str], None],
    ) -> None:
        self._settings, self._wishes = settings, wishes
        self._on_progress, self._stop, self._warn = on_progress, stop, warn
        self._name = settings.namespace
        client = connect(settings.redis.url)
        self._namespaces = Namespaces(client, settings.redis.prefix)
        work = settings.worker
        store = Store(
            client, Keys(self._name, settings.redis.prefix), work.list_s, work.state_s, settings.worker.search_terms
        )
        self._engine = create_engine(settings)
        self._home: Callable[[str], int] = lru_cache(maxsize=200_000)(
            lambda user: partition_of(user, self._plan.partitions)
        )
        self._owner = Owner(store, self._home, self._name)
        self._durable = Durable(settings, self._engine, self._owner, self._namespaces, warn)
        self._report = Report(self._name)
        self._kafka = {"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0, **settings.kafka.client}
        self._plan: Plan
        self._marks: Marks

    def run(self) -> Report:
        began = time.monotonic()
        mark = self._begin()
        self._plan = plan = mark.plan
        self._durable.marks = self._marks = Marks.read(self._settings)
        compile_kernels(COMPILED)
        warm_up()
        progress = self._durable.resume(mark) if mark.progress.block else mark.progress
        items = Items(plan)
        items.read(self._settings, self._engine, self._owner)
        fold = Fold(self._engine, plan, progress, items.records, self._durable.admit)
        if mark.progress.phase == FOLDING:
            self._fold(fold, mark, progress, items)
        if not self._stop():
            self._finish(progress)
        self._report.seconds = round(time.monotonic() - began, 3)
        return self._report

    # Begin.

    def _begin(self) -> Mark:
        """Find out that the namespace may be written; return what is to be done, and from where."""
        now, name, wishes = time.time_ns() // 1_000_000, self._name, self._wishes
        live = self._namespaces.live_workers(name, now, SILENCE_MS)
        if live:
            raise HeadraceError(f"workers of namespace {name} are running ({', '.join(live)}): stop them first")
        mark = self._durable.find()
        half_done = unfinished(self._namespaces, name)
        if wishes.resume:
            if mark is None or not half_done:
                raise HeadraceError(f"no interrupted replay into {name} is known: leave --resume away")
            self._owner.take(mark.plan.partitions)
            return mark
        if wishes.fresh:
            self._clear()
        elif half_done:
            raise HeadraceError(half_done)
        elif self._namespaces.has_states(name):
            raise HeadraceError(
                f"namespace {name} holds users already: name another one, or clear it first with --fresh"
            )
        ensure_topics(self._settings)
        plan = make_plan(self._settings, wishes.since, wishes.until, wishes.score_every, self._log_end(), now)
        self._durable.begin(plan)
        self._owner.take(plan.partitions)
        found = self._durable.find()
        assert found is not None
        return found

    def _clear(self) -> None:
        if self._name == self._namespaces.active():
            raise HeadraceError(
                f"{self._name} is what readers use: replay into another namespace, and `headrace promote` that one"
            )
        for _ in clear(self._settings, self._namespaces):
            if self._stop():
                raise HeadraceError(f"interrupted while {self._name} was being cleared: the same command goes on")

    def _log_end(self) -> int:
        topic = topic_name(LEARNING, self._settings.kafka.prefix, self._name)
        consumer = ck.Consumer({**self._kafka, "group.id": "headrace-replay"})
        try:
            return bounds(consumer, ck.TopicPartition(topic, 0))[1]
        except ck.KafkaException as error:
            raise BrokerError(f"{topic} cannot be read: {error.args[0].str()}") from error
        finally:
            consumer.close()

    # Read and learn.

    def _fold(self, fold: Fold, mark: Mark, progress: Progress, items: Items) -> None:
        plan, started = self._plan, time.monotonic()
        saved = told = started
        block = mark.progress.block
        behind = progress.block  # the item model has the blocks before it
        from_ = mark.progress
        read_before = progress.read if behind == block else from_.read
        source = Source(
            plan.parts, self._kafka, self._home, from_.positions, from_.times, items.entries(from_.positions),
            self._marks, rekey=bool(plan.rekeyed),
        )  # fmt: skip
        with fold, source as blocks:
            for entries in blocks:
                fold.block(entries, learns=block >= behind)
                block += 1
                now = time.monotonic()
                progress.read = read_before + sum(source.read)
                stopping = self._stop()
                if now - told >= 0.5:
                    told = now
                    self._tell(fold, progress, source, now - started)
                crowded = len(self._engine.users) > 2 * self._settings.worker.resident_users
                if block >= behind and (stopping or crowded or now - saved >= self._wishes.save_s):
                    fold.settle()
                    self._durable.save(plan, progress)
                    saved = time.monotonic()
                if stopping:
                    self._tell(fold, progress, source, time.monotonic() - started)
                    return
            fold.finish()
        progress.read, progress.phase = plan.total, LISTING
        self._durable.save(plan, progress)
        self._tell(fold, progress, source, time.monotonic() - started)

    def _tell(self, fold: Fold, progress: Progress, source: Source, seconds: float) -> None:
        report = self._report
        report.total, report.read = self._plan.total, progress.read
        report.events, report.duplicates = progress.applied, fold.duplicates
        report.refused, report.skipped = dict(source.refused), source.skipped
        progress.open_wishes = source.open_wishes | progress.open_wishes  # the earlier run's are the first
        report.items = self._engine.items.catalogue.items
        report.scored = fold.quality.scored
        report.hit_rate_at_10 = round(fold.quality.hit_rate, 5)
        report.ndcg_at_10 = round(fold.quality.ndcg, 5)
        report.popularity_hit_rate_at_10 = round(fold.popularity.hit_rate, 5)
        report.folding_s = round(seconds, 3)
        report.events_per_second = round(sum(source.read) / max(seconds, 1e-9), 1)
        self._on_progress(report)

    # Write what readers and workers find.

    def _finish(self, progress: Progress) -> None:
        plan, report, began = self._plan, self._report, time.monotonic()
        report.phase, report.total, report.read, report.events = LISTING, plan.total, plan.total, progress.applied
        # Where workers of the namespace go on, and what lists name as the model they were made by.
        self._engine.items.position = plan.log_end
        known = self._namespaces.users(self._name)
        users = known if self._wishes.users is None else sorted(set(self._wishes.users) & set(known))
        report.users, report.to_list = len(known), len(users)
        listing = Listing(self._settings, self._engine, self._owner, self._durable)
        for written in listing.users(users):
            report.lists += written
            report.listing_s = round(time.monotonic() - began, 3)
            self._on_progress(report)
            if self._stop():
                return
        listing.shared()
        for _ in listing.items(topic_name(LEARNING, self._settings.kafka.prefix, self._name)):
            if self._stop():
                return
        self._durable.complete(plan, progress)
        of_items = {(part.topic, part.partition): part.end for part in plan.parts if part.kind == "items"}
        # A wish to be forgotten on which nobody has acted yet is left to the workers of the namespace.
        wishes = progress.open_wishes
        by_user = {
            (part.topic, part.partition): wishes.get(part.name, part.end) for part in plan.parts if part.kind != "items"
        }
        # Strays were taken from where they lie; what any worker has forwarded of them is not to be read again.
        by_user |= {(topic, number): end for topic, ends in plan.rekeyed.items() for number, end in ends.items()}
        self._owner.write_handled(of_items)
        self._owner.write_reached({place: end for place, end in by_user.items() if end})
        commit(self._settings, by_user)
        progress.phase = report.phase = DONE
        self._durable.done(plan, progress)
        report.listing_s = round(time.monotonic() - began, 3)
        self._on_progress(report)
