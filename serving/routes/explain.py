"""Why an item is on a user's list, or why it is not."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import BaseRoute
from typing_extensions import TypedDict

from serving.answers import words
from serving.answers.evidence import Near, Taste, evidence
from serving.reading.reader import Reader
from serving.routes.parameters import Identifier, Name
from serving.routes.route import answered, route
from serving.writing.people import Naming, as_given


class TasteShown(TypedDict):
    """What the published vectors say."""

    score: Annotated[float, Field(description="The user's vector · the item's.")]
    below: Annotated[int, Field(description="Items of the list that score lower.")]
    of: Annotated[int, Field(description="Items of the list that have a vector.")]


class NearShown(TypedDict):
    """An item that goes with the one in question."""

    item: str
    title: NotRequired[str]
    score: Annotated[float, Field(description="How closely, 0 … 1.")]
    rank: Annotated[int | None, Field(description="Its place on the list; null: an item that the list rests on.")]


class Explained(TypedDict):
    """An item and a user's list, in words and in numbers."""

    item: str
    title: NotRequired[str]
    namespace: str
    version: Annotated[str | None, Field(description="Of the list; null without one.")]
    time: Annotated[int | None, Field(description="When the list was made, ms since the epoch.")]
    because: Annotated[str, Field(description="All of it in words.")]
    listed: bool
    withheld: bool
    rank: Annotated[int | None, Field(description="Its place on the list, from 1.")]
    score: float | None
    rating: Annotated[float | None, Field(description="Predicted.")]
    reasons: Annotated[list[str], Field(description="What speaks loudest for it, then the items behind.")]
    taste: TasteShown | None
    near: Annotated[list[NearShown], Field(description="What goes with it and is of this user, closest first.")]


_EXAMPLE = {
    "item": "1196",
    "title": "Star Wars V",
    "namespace": "main",
    "version": "1790000000.17",
    "time": 1790000001234,
    "because": "number 1 of 100 on the list, because of Star Wars IV: people who had it went on to this",
    "listed": True,
    "withheld": False,
    "rank": 1,
    "score": 5.213,
    "rating": None,
    "reasons": ["followed", "260"],
    "taste": {"score": 3.1, "below": 99, "of": 99},
    "near": [{"item": "260", "title": "Star Wars IV", "score": 0.98, "rank": None}],
}


class Where(BaseModel):
    """Where to look."""

    model_config = ConfigDict(extra="forbid")

    namespace: Name | None = Field(None, description="Of this deployment; by default the active one.")


def routes(reader: Reader, naming: Naming = as_given) -> list[BaseRoute]:
    """Return the routes; parameters as for :func:`serving.routes.lists.routes`."""

    async def explain(user: Identifier, item: Identifier, where: Annotated[Where, Query()]) -> Response:
        """Say why an item stands on a user's list, or why it does not.

        Where it stands there, what speaks for it; in any case what the published vectors say, and which of the user's
        items go with it. In ids a slash is written `%2F`.
        """
        user = naming(user)
        keys = await reader.namespace(where.namespace)
        stored = await reader.user_list(user, keys)
        neighbours = await reader.similar(item, keys)
        vector = await reader.user_vector(user, keys)
        among = [item, *(stored.items if stored else [])] if vector is not None else []
        found = evidence(item, stored, neighbours, vector, await reader.item_vectors(among, keys))
        withheld = bool(await reader.withheld([item], keys))
        named = {item, *found.reasons[1:], *(near.item for near in found.near)}
        records = await reader.items(sorted(named), keys)
        titles = {name: record.title for name, record in records.items() if record.title}
        body: dict[str, Any] = {
            "item": item,
            **({"title": titles[item]} if item in titles else {}),
            "namespace": keys.namespace,
            "version": stored.version if stored else None,
            "time": stored.time if stored else None,
            "because": words.verdict(found, withheld, titles),
            "listed": found.rank is not None,
            "withheld": withheld,
            "rank": found.rank,
            "score": found.score,
            "rating": found.rating,
            "reasons": found.reasons,
            "taste": _taste(found.taste),
            "near": [_near(near, titles) for near in found.near],
        }
        return answered(body)

    return [route("/explain/{user:id}/{item:id}", explain, Explained, 404, 422, 503, role="read", example=_EXAMPLE)]


def _taste(taste: Taste | None) -> dict[str, Any] | None:
    return None if taste is None else {"score": taste.score, "below": taste.below, "of": taste.of}


def _near(near: Near, titles: dict[str, str]) -> dict[str, Any]:
    title = {"title": titles[near.item]} if near.item in titles else {}
    return {"item": near.item, **title, "score": near.score, "rank": near.rank}
