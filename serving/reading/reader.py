"""Reads the Redis contract: the one way from Redis to an answer, for the HTTP service and the commands alike."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import unquote

import hiredis
import numpy as np
import orjson
from numpy.typing import NDArray
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from contracts.redis import Keys, decode_vector
from serving.reading.cluster_line import ClusterLine
from serving.reading.coalesce import Coalesced
from serving.reading.patience import patience
from serving.reading.values import ItemList, ItemRecord, UserList, V, WorkerStatus, decode
from serving.store.postings import record

log = logging.getLogger(__name__)

# A question may wait for one exchange before its own. Together they stay below a second, because a page must not wait
# for a store that is away.
TIMEOUT_S = 0.45
FOLLOW_S = 3.0
# SCAN walks all keys: a larger step means fewer round trips, and this one still blocks Redis for less than 1 ms.
SCAN_STEP = 1000
WALK_STEPS = 500
KNOWN_ITEMS = 100_000
HEAD = 63  # the last byte of a list that tells it from any other: its version and the time when it was made
KNOWN_LISTS = 1000

Command = tuple[str | bytes | int, ...]
_pack: Callable[[Command], bytes] = cast(
    Any, hiredis
).pack_command  # a twentieth of the time that redis-py takes for it


class StoreUnavailable(Exception):
    """Redis does not answer, or not in time."""


class UnknownNamespace(Exception):
    """Nothing in Redis belongs to the namespace that a caller names."""


class Reader:
    """Reads what workers have written, from the namespace that readers should use.

    Everything goes over one connection, which is made when it is first needed and again when it is lost. Which items
    are withheld is remembered until Redis says, on that same connection and so before its next answer, that the set has
    changed (client-side caching): an answer costs one round trip and never shows what was withheld before it was asked.
    Of a Cluster there is a connection to each node, and every answer asks anew which of its items are withheld.

    Parameters
    ----------
    url : str
        Of the Redis server, e.g. ``redis://127.0.0.1:6379``; of a Cluster that of any node.
    prefix : str
        First part of every key.
    namespace : str
        The namespace to read as long as ``headrace:active`` names none.
    follow_s : float
        How often to look whether another namespace has become the active one, in seconds.

    Attributes
    ----------
    failures : int
        Questions that were not answered, or not in time.
    """

    def __init__(self, url: str, prefix: str = "headrace", namespace: str = "main", follow_s: float = FOLLOW_S) -> None:
        # `_exchange` limits and repeats a round trip as a whole; redis-py would do so for each of its parts.
        limits: dict[str, Any] = {"socket_timeout": None, "retry": Retry(NoBackoff(), 0), "protocol": 3}
        pool: Any = ConnectionPool.from_url(url, **limits)
        self._url = url
        self._cluster: ClusterLine | None = None
        self._connection: Any = pool.make_connection()
        self._questions: Coalesced[tuple[Command, ...], Any] = Coalesced(self._exchange)
        self._prefix = prefix
        self._configured = Keys(namespace, prefix)
        self._keys = self._configured
        self._follow_s = follow_s
        self._follow_at = 0.0  # monotonic seconds
        self._known: dict[str, bool] = {}  # item → whether it is withheld
        self.failures = 0
        self._decoded: dict[str, tuple[bytes | None, ItemList | None]] = {}  # lists for everybody: as read, decoded
        self._tracked = False  # whether Redis says so when that changes
        # As redis-py's own client-side cache does it; for asyncio it has none.
        self._connection._parser.set_invalidation_push_handler(self._forget)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RedisError, OSError):
            await self._connection.disconnect()
            if self._cluster is not None:
                await self._cluster.close()

    async def namespace(self, name: str | None = None) -> Keys:
        """Return the keys of the namespace to read now, or of the one that is named.

        Handed to the calls that make one answer, so that it comes from one namespace even when another becomes the
        active one meanwhile.

        Raises
        ------
        UnknownNamespace
            When there is none of that name.
        """
        followed = await self._followed()
        if name is None or name == followed.namespace:
            return followed
        keys = Keys(name, self._prefix)
        # Whoever makes a namespace begins with one of these.
        for mark in (keys.partitions, keys.replay, keys.workers, keys.shared("popular")):
            if await self._ask(("EXISTS", mark)):
                return keys
        raise UnknownNamespace(f"there is no namespace {name!r}; `headrace namespaces` lists them")

    async def user_list(self, user: str, keys: Keys | None = None) -> UserList | None:
        """Return the user's own list, or ``None`` for a new user."""
        keys = keys or await self._followed()
        return decode(UserList, keys.top(user), await self.stored_list(user, keys))

    async def stored_list(self, user: str, keys: Keys) -> bytes | None:
        """Return the user's own list as it stands in Redis."""
        value: bytes | None = await self._ask(("GET", keys.top(user)))
        return value

    async def heads(self, users: Sequence[str]) -> list[bytes]:
        """Return how each user's own list begins: with its version; empty where there is none."""
        keys = await self._followed()
        asked = (self._ask(("GETRANGE", keys.top(user), 0, HEAD)) for user in users)
        heads: list[bytes] = await asyncio.gather(*asked)
        return heads

    async def similar(self, item: str, keys: Keys | None = None) -> ItemList | None:
        """Return the item's neighbours, or ``None`` when none are known."""
        key = (keys or await self._followed()).similar(item)
        return decode(ItemList, key, await self._ask(("GET", key)))

    async def shared(
        self, names: Sequence[str], category: str | None = None, keys: Keys | None = None
    ) -> list[ItemList | None]:
        """Return the shared lists of these names, e.g. ``popular``, of a category or of all; ``None`` where absent."""
        return await self.shared_of([(name, category) for name in names], keys or await self._followed())

    async def shared_of(self, wanted: Sequence[tuple[str, str | None]], keys: Keys) -> list[ItemList | None]:
        """Return the shared lists of these (name, category), category ``None`` = of all; ``None`` where absent."""
        places = [keys.shared(name, category) for name, category in wanted]
        return [self._shared(key, value) for key, value in zip(places, await self._values(places), strict=True)]

    def _shared(self, key: str, value: bytes | None) -> ItemList | None:
        # Asked for again and again and changed once a second: the last that was read is kept decoded.
        before, listed = self._decoded.get(key, (None, None))
        if value != before:
            if len(self._decoded) >= KNOWN_LISTS:
                self._decoded.clear()
            listed = decode(ItemList, key, value)
            self._decoded[key] = value, listed
        return listed

    async def neighbours(self, items: Sequence[str], keys: Keys) -> list[ItemList | None]:
        """Return the neighbours of several items; ``None`` where none are known."""
        return await self._many(ItemList, [keys.similar(item) for item in items])

    async def item_vectors(self, items: Sequence[str], keys: Keys) -> dict[str, NDArray[np.float32]]:
        """Return the published vectors, embedding and bias, of those of the items that have one."""
        values = await self._values([keys.item_vector(item) for item in items])
        found = ((item, _vector(keys.item_vector(item), value)) for item, value in zip(items, values, strict=True))
        return {item: vector for item, vector in found if vector is not None}

    async def user_vector(self, user: str, keys: Keys) -> NDArray[np.float32] | None:
        """Return the user's published vector: his embedding, and 1 for the items' bias."""
        key = keys.user_vector(user)
        return _vector(key, await self._ask(("GET", key)))

    async def items(self, items: Collection[str], keys: Keys | None = None) -> dict[str, ItemRecord]:
        """Return the metadata of those of the items that have some."""
        keys = keys or await self._followed()
        records = await self._many(ItemRecord, [keys.item(item) for item in items])
        return {item: record for item, record in zip(items, records, strict=True) if record is not None}

    async def record(self, item: str) -> dict[str, Any] | None:
        """Return all fields of an item's record, ``None`` where there is none or it says that the item is deleted."""
        keys = await self._followed()
        page, content = await self._ask(("MGET", keys.item(item), keys.content(item)))
        found = record(page, content) if page else {}
        return None if not found or found.get("deleted") else found

    async def withheld(self, items: Collection[str], keys: Keys | None = None) -> frozenset[str]:
        """Return those of the items that must not be shown, as things stood when Redis last answered or later."""
        keys = keys or await self._followed()
        if not self._tracked or len(self._known) > KNOWN_ITEMS:
            self._known = {}
        # Replaced when the set changes: what is then still being learned is for this call only, as is what is learned
        # of a namespace that is no longer the one to read.
        known = self._known if keys is self._keys else {}
        unknown = [item for item in items if item not in known]
        if unknown:
            flags = await self._ask(("CLIENT", "CACHING", "YES"), ("SMISMEMBER", keys.withheld, *unknown))
            known.update(zip(unknown, flags, strict=True))
        return frozenset(item for item in items if known[item])

    async def reached(self, partitions: Collection[int], items: Collection[int] = ()) -> dict[tuple[str, int], int]:
        """Return up to where input has its effect on what readers see: (full topic name, partition) → next offset.

        Parameters
        ----------
        partitions : collection of int
            Of the topics keyed by user.
        items : collection of int
            Of the topic of items.
        """
        keys = await self._followed()
        # Whoever names others waits in vain, and costs nobody anything by it.
        exist = range(int(await self._ask(("GET", keys.partitions)) or 0))
        partitions, items = (sorted(number for number in given if number in exist) for given in (partitions, items))
        # Items first: of user-keyed topics the same hashes say up to where states are durable, which comes later.
        wanted = [(number, keys.applied(number)) for number in items]
        wanted += [(number, keys.watermark(number)) for number in partitions]
        found = await asyncio.gather(*(self._ask(("HGETALL", key)) for _, key in wanted))  # together, one round trip
        return {
            (topic.decode(), number): int(offset)
            for (number, _), marks in zip(wanted, found, strict=True)
            for topic, offset in marks.items()
        }

    async def term_sizes(self, terms: Sequence[int], keys: Keys) -> list[int]:
        """Return how many items have each of these terms of content."""
        sizes: list[int] = await asyncio.gather(*(self._ask(("ZCARD", keys.term(term))) for term in terms))
        return sizes

    async def postings(self, terms: Sequence[int], most: int, keys: Keys) -> list[dict[str, float]]:
        """Return of each term the items in which it is strongest, with how strong it is; ``most`` of them."""
        asked = (self._ask(("ZREVRANGE", keys.term(term), 0, most - 1, "WITHSCORES")) for term in terms)
        found = await asyncio.gather(*asked)
        return [{item.decode(errors="surrogatepass"): float(strength) for item, strength in each} for each in found]

    async def term_strengths(self, term: int, items: Sequence[str], keys: Keys) -> dict[str, float]:
        """Return how strong a term is in those of the items that have it."""
        found = await self._ask(("ZMSCORE", keys.term(term), *items)) if items else []
        return {item: float(strength) for item, strength in zip(items, found, strict=True) if strength is not None}

    async def categories(self, keys: Keys) -> list[str]:
        """Return the categories that have lists of their own."""
        return [name.decode(errors="surrogatepass") for name in await self._ask(("SMEMBERS", keys.categories))]

    async def statuses(self) -> list[WorkerStatus]:
        """Return what workers say of themselves, those that have fallen silent included."""
        key = (await self._followed()).workers
        found = await self._ask(("HGETALL", key))
        statuses = [decode(WorkerStatus, f"{key} {worker!r}", value) for worker, value in found.items()]
        return [status for status in statuses if status is not None]

    async def status(self, worker: str) -> dict[str, Any] | None:
        """Return all that one worker of the configured namespace says of itself, see ``streams.watching.status``."""
        value = await self._ask(("HGET", self._configured.workers, worker))
        found: dict[str, Any] | None = orjson.loads(value) if value else None
        return found

    async def users(self) -> list[str]:
        """Return the users who have a list of their own, sorted; walks all keys of Redis."""
        head = (await self._followed()).top("").removesuffix("}")
        keys = await self._scan(f"{head}*")
        return sorted(unquote(key.removeprefix(head).removesuffix("}"), errors="surrogatepass") for key in keys)

    async def asked(self, *commands: Command) -> Any:
        """Return what Redis answers to the last of some commands that only read."""
        return await self._ask(*commands)

    async def walk(self, of: Literal["item", "top"], cursor: str, most: int) -> tuple[list[str], str]:
        """Return ids of items that have a record, or of users who have a list, and where to go on; empty = nowhere.

        All calls together, each with the cursor of the one before, give everything that stands there throughout, some
        of it perhaps twice, as Redis' SCAN does. One looks at so many keys that it takes little time: it may return
        fewer than ``most``, even none, or a few more.
        """
        keys = await self._followed()
        head = getattr(keys, of)("").removesuffix("}")
        found: list[str] = []
        at, steps = cursor or "0", 0
        while len(found) < most and steps < WALK_STEPS:
            step, names = await self._ask(("SCAN", at, "MATCH", f"{head}*", "COUNT", most - len(found)))
            found += [unquote(key.decode().removeprefix(head).removesuffix("}")) for key in names]
            at, steps = step.decode(), steps + 1
            if at == "0":
                return found, ""
        return found, at

    async def _scan(self, pattern: str) -> set[str]:
        names: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, found = await self._ask(("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_STEP))
            names.update(found)
            if cursor == b"0":
                return {name.decode() for name in names}

    async def _followed(self) -> Keys:
        if time.monotonic() >= self._follow_at:
            active = await self._ask(("GET", self._configured.active))
            keys = Keys(active.decode(errors="replace"), self._prefix) if active else self._configured
            if keys.withheld != self._keys.withheld:
                self._keys, self._known = keys, {}
            self._follow_at = time.monotonic() + self._follow_s
        return self._keys

    async def _many(self, kind: type[V], keys: Sequence[str]) -> list[V | None]:
        values = await self._values(keys)
        return [decode(kind, key, value) for key, value in zip(keys, values, strict=True)]

    async def _values(self, keys: Sequence[str]) -> list[bytes | None]:
        values: list[bytes | None] = await self._ask(("MGET", *keys)) if keys else []
        return values

    async def _ask(self, *commands: Command) -> Any:
        try:
            return await self._questions.ask(commands)
        except TimeoutError as error:
            self.failures += 1
            raise StoreUnavailable(f"Redis did not answer within {TIMEOUT_S} s") from error
        except (RedisError, OSError) as error:
            self.failures += 1
            raise StoreUnavailable(f"Redis cannot be read: {error}") from error

    async def _exchange(self, questions: list[tuple[Command, ...]]) -> list[Any]:
        reused = self._connection.is_connected
        async with patience(TIMEOUT_S):
            try:
                return await self._round_trip(questions)
            except (RedisError, OSError):
                if not reused:
                    raise
            # The connection had been lost since it was last used, as when Redis was restarted.
            return await self._round_trip(questions)

    async def _round_trip(self, questions: list[tuple[Command, ...]]) -> list[Any]:
        if self._cluster is None and not self._connection.is_connected:
            await self._connect()
        if self._cluster is not None:
            return await self._cluster.exchange(questions)
        packed = [_pack(command) for question in questions for command in question]
        await self._connection.send_packed_command(packed, check_health=False)
        return [[await self._response() for _ in question][-1] for question in questions]

    async def _connect(self) -> None:
        await self._connection.connect()
        self._known = {}
        # Tracking is refused by some proxies; then each answer asks anew which items are withheld.
        told, tracked = await self._round_trip([(("HELLO",),), (("CLIENT", "TRACKING", "ON", "OPTIN"),)])
        self._tracked = tracked == b"OK"
        if isinstance(told, dict) and told.get(b"mode") == b"cluster":
            await self._connection.disconnect()
            self._cluster, self._tracked = ClusterLine(self._url), False

    async def _response(self) -> Any:
        # redis-py gives up the connection when a reading ends early, so no answer is ever taken for that of another.
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error

    async def _forget(self, _: object) -> None:
        self._known = {}


def _vector(key: str, value: bytes | None) -> NDArray[np.float32] | None:
    """Decode a vector; one that is not what the contract says is logged and reads as absent."""
    try:
        return None if value is None else decode_vector(value)
    except ValueError as error:
        log.warning("ignored the value of %s: %s", key, error)
        return None
