"""What stands in Redis for others to read: keys, encodings, time to live. No input or output here.

A plain ``GET`` and a JSON parser are all that a reader needs. Braces are Redis Cluster hash tags; ids are
percent-encoded inside keys, so no id can reach another key.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import orjson
from numpy.typing import NDArray

SHARED = ("popular", "trending", "latest")
"""The lists for everybody."""
BEATS, BEAT_MS = 300, 2000
"""Of a namespace's pulse: how many are kept, ten minutes, and the time between two."""
_VECTOR_HEADER = struct.Struct("<BBH")  # format version, element kind (1 = float16), dimensions
_VECTOR_VERSION = 1


class Keys:
    """The names of all keys of one namespace.

    Parameters
    ----------
    namespace : str
        The deployment that wrote them, ``main`` unless the operator says otherwise.
    prefix : str
        First part of every key.

    Examples
    --------
    >>> Keys().top("a:b")
    'headrace:main:top:{a%3Ab}'
    """

    def __init__(self, namespace: str = "main", prefix: str = "headrace") -> None:
        self.namespace = namespace
        self._root = f"{prefix}:{namespace}"
        self.active = f"{prefix}:active"  # string: the namespace that readers should use
        self.previous = f"{prefix}:previous"  # private, string: the one that they used before
        self.replay = f"{self._root}:replay"  # private, JSON: what was replayed into it, see ``streams.replaying``
        self.withheld = f"{self._root}:withheld"  # set: items that must not be shown
        self.workers = (
            f"{self._root}:workers"  # hash: worker → JSON, what it says of itself, ``streams.watching.status``
        )
        self.pulse = (
            f"{self._root}:pulse"  # list, JSON: what all workers did, a beat every 2 s, ``streams.watching.pulse``
        )
        self.names = f"{self._root}:names"  # private, hash: item key as :func:`name_field` → the item's id
        self.categories = f"{self._root}:categories"  # set: categories that have lists of their own, see :meth:`shared`
        self.partitions = f"{self._root}:partitions"  # private, integer: how many the users were shared out among
        self.sources = f"{self._root}:sources"  # private, hash: topic → Kafka's id of the one that states contain
        self.probe = f"{self._root}:probe"  # private, for a minute: shows that the store takes writes
        self._top = f"{self._root}:top:{{"

    def top(self, user: str) -> str:
        """String, JSON, TTL: the user's list, see :func:`encode_list`. A missing key means a new user."""
        return f"{self._top}{_escape(user)}}}"

    def user_of(self, top: str) -> str:
        """Return whose list stands under a key of :meth:`top`."""
        return unquote(top.removeprefix(self._top).removesuffix("}"), errors="surrogatepass")

    def similar(self, item: str) -> str:
        """String, JSON: ``{"items", "scores", "time", "after", "before"}``, the item's neighbours.

        Of the first, how often people had each after the item and before it, within ten items; the k-th counts 1/k.
        """
        return f"{self._root}:similar:{{{_escape(item)}}}"

    def shared(self, name: str, category: str | None = None) -> str:
        """String, JSON: one of :data:`SHARED`, the lists to use when a user has none; of all items or of a category."""
        return f"{self._root}:{name}" if category is None else f"{self._root}:{name}:{_escape(category)}"

    def item(self, item: str) -> str:
        """String, JSON: the metadata that a page needs."""
        return f"{self._root}:item:{{{_escape(item)}}}"

    def content(self, item: str) -> str:
        """Private, string, JSON: ``{"text", "vector"}``, what an item's record says beyond its page; absent without."""
        return f"{self._root}:content:{{{_escape(item)}}}"

    def term(self, term: int) -> str:
        """Private, sorted set: the items that have a term of content (its 32-bit hash), by how strong it is in each."""
        return f"{self._root}:term:{term:08x}"

    def user_vector(self, user: str) -> str:
        """String, binary: the published user embedding, see :func:`encode_vector`."""
        return f"{self._root}:vector:user:{{{_escape(user)}}}"

    def item_vector(self, item: str) -> str:
        """String, binary: the published item embedding, see :func:`encode_vector`."""
        return f"{self._root}:vector:item:{{{_escape(item)}}}"

    def state(self, partition: int, user: str) -> str:
        """Private: what we know of a user, see ``models.users``. A partition is one hash slot."""
        return f"{self._root}:state:{{{partition}}}:{_escape(user)}"

    def applied(self, partition: int) -> str:
        """Private, hash: topic → next offset that the stored states of the partition do not contain."""
        return f"{self._root}:applied:{{{partition}}}"

    def trials(self, partition: int) -> str:
        """Private, hash: topic → JSON, how often it was begun without progress, ``streams.applying.attempts``."""
        return f"{self._root}:trials:{{{partition}}}"

    def watermark(self, partition: int) -> str:
        """Hash: topic → next offset whose lists are not yet written; a reader's own write is in once it has passed."""
        return f"{self._root}:watermark:{{{partition}}}"

    def epoch(self, partition: int) -> str:
        """Private, integer: raised at each assignment; the writes of a former owner are refused by it."""
        return f"{self._root}:epoch:{{{partition}}}"

    def epochs(self, tag: str) -> str:
        """Private, on a Cluster, hash: partition → epoch, for the hash slot in which a tag lies."""
        return f"{self._root}:epochs:{{{tag}}}"


def encode_list(
    version: str,
    items: Sequence[str],
    scores: Sequence[float],
    reasons: Sequence[Sequence[str]],
    time: int,
    model: str,
    ratings: Sequence[float] | None = None,
) -> bytes:
    """Encode a recommendation list.

    Parameters
    ----------
    version : str
        ``"EPOCH.SEQUENCE"``; also the list's id, which clicks and impressions may name.
    items : sequence of str
        Best first.
    scores : sequence of float
        Of the same length; they fall, except where the list policy moved an item.
    reasons : sequence of (scorer, item, …)
        For the first items: the scorer that speaks loudest for it and the user's earlier items that it rests on.
    time : int
        When the list was made, ms since the epoch.
    model : str
        The log position that the item model had reached.
    ratings : sequence of float, optional
        Predicted ratings of the first items, for users who rate.
    """
    body: dict[str, Any] = {
        "version": version,
        "items": items,
        "scores": scores,
        "reasons": reasons,
        "time": time,
        "model": model,
    }
    if ratings is not None:
        body["ratings"] = ratings
    return orjson.dumps(body)


def name_field(key: int) -> str:
    """Return the field of ``names`` that holds the id of the item with this key."""
    return f"{key:016x}"


def encode_vector(vector: NDArray[np.float32]) -> bytes:
    """Encode an embedding as a four-byte header and little-endian float16 values, shape ``(d,)``."""
    return _VECTOR_HEADER.pack(_VECTOR_VERSION, 1, len(vector)) + vector.astype("<f2").tobytes()


def decode_vector(value: bytes) -> NDArray[np.float32]:
    """Decode :func:`encode_vector`'s bytes.

    Raises
    ------
    ValueError
        When the version or the element kind is not known here, or the length does not fit.
    """
    if len(value) < _VECTOR_HEADER.size:
        raise ValueError(f"not a vector of format {_VECTOR_VERSION}: {len(value)} bytes")
    version, kind, dimensions = _VECTOR_HEADER.unpack_from(value)
    if version != _VECTOR_VERSION or kind != 1 or len(value) != _VECTOR_HEADER.size + 2 * dimensions:
        raise ValueError(
            f"not a vector of format {_VECTOR_VERSION}: version {version}, kind {kind}, {len(value)} bytes"
        )
    return np.frombuffer(value, "<f2", dimensions, _VECTOR_HEADER.size).astype(np.float32)


def _escape(identifier: str) -> str:
    # Most ids need no escaping, and isalnum on ASCII is far cheaper than quote.
    if identifier.isascii() and identifier.isalnum():
        return identifier
    return quote(identifier, safe="", errors="surrogatepass")
