"""What answers look like as JSON. What was not asked for, or is not known, is absent rather than null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own is not enough for pydantic

from serving.answers import answers, words
from serving.lists.recommend import Answer, Recommendation
from serving.reading.reader import Reader

Stage = Literal["personal", "session", "popular", "trending", "latest", "candidates", "text", "empty"]


class Shown(TypedDict):
    """One item of a list."""

    item: str
    score: Annotated[float, Field(description="Comparable within one list only.")]
    rating: NotRequired[Annotated[float, Field(description="Predicted, of users who rate.")]]
    title: NotRequired[Annotated[str, Field(description="With `titles`, where it is known.")]]
    reasons: NotRequired[
        Annotated[list[str], Field(description="With `explain`: what speaks loudest for it, then the items behind.")]
    ]
    because: NotRequired[Annotated[str, Field(description="With `explain`: the reasons in words.")]]


class Recommended(TypedDict):
    """A list for a user or a guest."""

    stage: Annotated[Stage, Field(description="Where the first item comes from; `empty` when there is none.")]
    namespace: Annotated[str, Field(description="The deployment that made the list.")]
    version: Annotated[
        str | None, Field(description="Of the user's own list: the list id that clicks may name; null without one.")
    ]
    time: Annotated[int | None, Field(description="When the list was made, ms since the epoch; null without any.")]
    items: list[Shown]


class Listed(TypedDict):
    """A list that belongs to no user: an item's neighbours, or what is popular."""

    namespace: Annotated[str, Field(description="The deployment that made the list.")]
    time: Annotated[int | None, Field(description="When it was made, ms since the epoch; null when there is none yet.")]
    items: list[Shown]


RECOMMENDED = {
    "stage": "personal",
    "namespace": "main",
    "version": "1790000000.17",
    "time": 1790000001234,
    "items": [{"item": "1196", "score": 5.213, "title": "Star Wars V"}, {"item": "1210", "score": 4.87}],
}
LISTED = {"namespace": "main", "time": 1790000001234, "items": [{"item": "1196", "score": 0.98}]}
"""Examples for the documentation."""


async def entries(
    reader: Reader, namespace: str, items: Sequence[Recommendation], with_titles: bool, explain: bool = False
) -> list[dict[str, Any]]:
    """Return items as :class:`Shown`, with the titles that are wished; see :func:`shown`."""
    named = {entry.item for entry in items} if with_titles else set()
    if explain:
        named.update(item for entry in items for item in entry.reasons[1:])
    titles = await answers.titles(reader, sorted(named), namespace) if named else {}
    return shown(items, titles, with_titles=with_titles, explain=explain)


def shown(
    entries: Sequence[Recommendation], titles: Mapping[str, str], *, with_titles: bool = False, explain: bool = False
) -> list[dict[str, Any]]:
    """Return items as :class:`Shown`.

    Parameters
    ----------
    entries : sequence of Recommendation
    titles : mapping of item to title
        Of the items, and with ``explain`` of those that their reasons name.
    with_titles, explain : bool
        Whether to give titles, and reasons with their words.
    """
    rows = []
    for entry in entries:
        row: dict[str, Any] = {"item": entry.item, "score": entry.score}
        if entry.rating is not None:
            row["rating"] = entry.rating
        if with_titles and entry.item in titles:
            row["title"] = titles[entry.item]
        if explain:
            row["reasons"] = entry.reasons
            row["because"] = words.explain(entry.reasons, titles)
        rows.append(row)
    return rows


def recommended(answer: Answer, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an answer as :class:`Recommended`."""
    return {
        "stage": answer.stage,
        "namespace": answer.namespace,
        "version": answer.version,
        "time": answer.time,
        "items": items,
    }
