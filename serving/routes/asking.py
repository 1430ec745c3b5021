"""Asking for a list by a body: a guest's recent items, candidates that the caller brings, or free words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from fastapi import Body, Response
from pydantic import Field, StrictInt, model_validator
from starlette.routing import BaseRoute

from contracts.events import MAX_ID_BYTES
from serving.answers import answers, wire
from serving.lists.recommend import FALLBACKS, Answer
from serving.reading.reader import Reader
from serving.routes.parameters import DEFAULT_N, MAX_N, MAX_NAMED, Wanted
from serving.routes.route import answered, route
from serving.search.lexicon import Lexicon
from serving.search.search import MAX_TEXT
from serving.writing.people import Naming, as_given

MAX_RECENT = 100
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_BYTES)] | StrictInt  # a number is an id as its digits

_EXAMPLES = {
    "guest": {"summary": "What goes with a guest's last items", "value": {"recent": ["260", "1196"], "n": 5}},
    "text": {
        "summary": "What fits free words, in any of several languages",
        "value": {"text": "I like science fiction and action films", "titles": True},
    },
    "candidates": {
        "summary": "Items of the caller, ordered for a user",
        "value": {"user": "ann", "candidates": ["50", "181", "258"], "explain": True},
    },
}
_ANSWER = wire.RECOMMENDED | {"stage": "session", "version": None}


class Asked(Wanted):
    """Whom a list is for, and what is wished of it."""

    user: Id | None = Field(None, description="A user; his list is returned, or the candidates ordered for him.")
    recent: list[Id] | None = Field(
        None, min_length=1, max_length=MAX_RECENT, description="What a guest had lately, newest last."
    )
    candidates: list[Id] | None = Field(
        None, min_length=1, max_length=MAX_NAMED, description="Return these, ordered; by default all of them."
    )
    text: str | None = Field(None, min_length=1, max_length=MAX_TEXT, description="What is wished, in free words.")
    n: int = Field(DEFAULT_N, ge=1, le=MAX_N, description="At most so many items; of candidates by default all.")

    @model_validator(mode="after")
    def _for_one(self) -> Self:
        if [self.user, self.recent, self.text].count(None) != 2:
            raise ValueError("name either a user, or a guest's recent items, or a text")
        if self.text is not None and self.candidates is not None:
            raise ValueError("candidates are ordered for a user or a guest, not by a text")
        if self.candidates is not None and "n" not in self.model_fields_set:
            self.n = len(self.candidates)
        return self


def routes(
    reader: Reader, lexicon: Lexicon, fallbacks: Sequence[str] = FALLBACKS, naming: Naming = as_given
) -> list[BaseRoute]:
    """Return the routes; ``lexicon`` understands free words, others as for :func:`serving.routes.lists.routes`."""

    async def ask(asked: Annotated[Asked, Body(openapi_examples=_EXAMPLES)]) -> Response:
        """Recommend items to a guest by his recent items or by free words, or order candidates for a user or a guest.

        With `recent`: the recency-weighted sum of the items' neighbours, stage `session`, then what everyone is shown.
        With `candidates`: these alone, first those on the user's list in its order, then by the product of his vector
        and theirs, then as they came. With `text`: the items whose categories, titles, tags and texts say what the
        words mean, stage `text`, then what everyone is shown.
        """
        answer = await _answer(asked)
        entries = await wire.entries(reader, answer.namespace, answer.items, asked.titles, asked.explain)
        return answered(wire.recommended(answer, entries))

    async def _answer(asked: Asked) -> Answer:
        wishes, namespace = asked.wishes(), asked.namespace
        user = None if asked.user is None else naming(str(asked.user))
        recent = [str(item) for item in asked.recent or ()]
        if asked.text is not None:
            return await answers.for_text(reader, lexicon, asked.text, wishes, namespace, fallbacks)
        if asked.candidates is not None:
            candidates = [str(item) for item in asked.candidates]
            return await answers.of_candidates(reader, candidates, user, recent, wishes, namespace)
        if user is not None:
            return await answers.for_user(reader, user, wishes, namespace, fallbacks)
        return await answers.for_guest(reader, recent, wishes, namespace, fallbacks)

    return [route("/recommend", ask, wire.Recommended, 404, 422, 503, role="read", example=_ANSWER, methods=["POST"])]
