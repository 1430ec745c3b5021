"""Every route that publishes, as a function from what a caller wants to a request. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from headrace_client.answers import Accepted, Record
from headrace_client.call import Call, Id, quoted, said
from headrace_client.events import Event, plain

_LOOKING_UP_S = 30.0
_OWN = frozenset({"id", "time"})


def send(event: Event, *more: Event, key: str | None = None) -> Call[Accepted]:
    """Publish one event or several; when this returns, Kafka has them.

    Parameters
    ----------
    event, *more : Click, Rating, Impression or mapping
    key : str, optional
        Names the request: the same events sent again under the same key count once. By default a new one, so that what
        this client itself sends again, after a lost connection, counts once. What has a ``time`` or an ``id`` counts
        once by these without a key.

    Returns
    -------
    Accepted
        With a token for ``after``. Look at ``refused``: what cannot be used is not sent.
    """
    return send_many([event, *more], key=key)


def send_many(events: Iterable[Event], *, key: str | None = None) -> Call[Accepted]:
    """Publish many events, at most ``serving.events_at_once`` (1,000); see :func:`send`."""
    return _publish("/events", events, key)


def put_item(
    item: Id,
    *,
    title: str | None = None,
    categories: Iterable[str] = (),
    text: str | None = None,
    tags: Iterable[str] = (),
    vector: Iterable[float] | None = None,
    hidden: bool = False,
    expires: int | None = None,
    created: int | None = None,
    brand: str | None = None,
) -> Call[Accepted]:
    """Replace the record of an item whole, or make it known."""
    record = {
        "title": title, "categories": list(categories), "text": text, "tags": list(tags), "hidden": hidden,
        "vector": None if vector is None else list(vector), "expires": expires, "created": created, "brand": brand,
    }  # fmt: skip
    return Call("PUT", f"/items/{quoted(item)}", Accepted, body=said(record))


def patch_item(item: Id, change: Mapping[str, Any]) -> Call[Accepted]:
    """Change the fields that are named, and remove those that are None (JSON Merge Patch)."""
    return Call("PATCH", f"/items/{quoted(item)}", Accepted, body=dict(change))


def delete_item(item: Id) -> Call[Accepted]:
    """Delete an item: it leaves all lists, now and in every replay."""
    return Call("DELETE", f"/items/{quoted(item)}", Accepted)


def put_items(records: Iterable[Record | Mapping[str, Any]]) -> Call[Accepted]:
    """Publish many item records; each replaces what was known of its item, ``{"item": …, "deleted": True}`` deletes."""
    return _publish("/items", (record if isinstance(record, Mapping) else _record(record) for record in records), None)


def put_user(user: Id, attributes: Mapping[str, str | float | bool]) -> Call[Accepted]:
    """Describe a user by attributes, in place of all earlier ones."""
    return Call("PUT", f"/users/{quoted(user)}", Accepted, body={"attributes": dict(attributes)})


def patch_user(user: Id, attributes: Mapping[str, str | float | bool | None]) -> Call[Accepted]:
    """Change some attributes of a user; one that is None is removed."""
    return Call(
        "PATCH", f"/users/{quoted(user)}", Accepted, body={"attributes": dict(attributes)}, takes_s=_LOOKING_UP_S
    )


def forget_user(user: Id) -> Call[Accepted]:
    """Forget a person: all goes, and stays away in every replay; needs a key with the role admin."""
    return Call("DELETE", f"/users/{quoted(user)}", Accepted)


def undo(user: Id, item: Id) -> Call[Accepted]:
    """Take back all that a user did with an item: a refund, "remove from my history"."""
    return Call("DELETE", f"/users/{quoted(user)}/items/{quoted(item)}", Accepted)


def _publish(path: str, events: Iterable[Event], key: str | None) -> Call[Accepted]:
    body = [plain(event) for event in events]
    headers = {}
    if path == "/events":
        # What has a time or an id of its own counts once by these, also when it is sent by another request.
        without = [event for event in body if not _OWN.intersection(event)]
        if key is not None or len(without) == len(body):
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        else:
            for event in without:
                event["id"] = uuid.uuid4().hex
    return Call("POST", path, Accepted, body=body, headers=headers)


def _record(record: Record) -> dict[str, Any]:
    names = ("item", "title", "text", "hidden", "expires", "created", "brand")
    several = {name: list(getattr(record, name) or ()) for name in ("categories", "tags", "vector")}
    return said({name: getattr(record, name) for name in names} | several)
