"""What routes take: ids, and what is wished of a list, as FastAPI's parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import quote, unquote

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.convertors import Convertor, register_url_convertor

from contracts.events import MAX_ID_BYTES
from contracts.tokens import MAX_LENGTH
from serving.lists.recommend import Wishes

DEFAULT_N = 10
MAX_N = 1000  # no list is longer
MAX_NAMED = 1000  # ids in one parameter
MAX_CATEGORIES = 100
Identifier = Annotated[str, Path(min_length=1, max_length=MAX_ID_BYTES, examples=["260"])]
Tag = Annotated[
    str | None, Header(alias="If-None-Match", description="An `ETag` from before: 304 while the answer is the same.")
]
Name = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")]


class _Segment(Convertor[str]):
    """One part of the path as it was sent; see :class:`serving.routes.route.Route`."""

    regex = "[^/]*"  # empty too, so that it is refused with a reason

    def convert(self, value: str) -> str:
        return unquote(value, errors="surrogateescape")  # what is no UTF-8 is refused as no text

    def to_string(self, value: str) -> str:
        return quote(value, safe="", errors="surrogateescape")


register_url_convertor("id", _Segment())


class Paged(BaseModel):
    """What may be said of every list. A parameter that does not exist is refused, so that no wish goes unheard."""

    model_config = ConfigDict(extra="forbid")

    n: int = Field(DEFAULT_N, ge=1, le=MAX_N, description="At most so many items.")
    offset: int = Field(0, ge=0, le=MAX_N, description="Leave out so many that would come first.")
    exclude: list[str] = Field(
        [], max_length=MAX_NAMED, description="Items to leave out; repeat it, or separate ids by commas."
    )
    titles: bool = Field(False, description="Give titles.")
    namespace: Name | None = Field(
        None, description="Read this deployment's lists; by default those of the active one."
    )

    def wishes(self) -> Wishes:
        """Return what is wished of a list."""
        return Wishes(self.n, self.offset, frozenset(ids(self.exclude)))


class Everyones(Paged):
    """What may be said of a list for everybody."""

    category: str | None = Field(None, description="Of this category only; none where it has no list of its own.")


class Wanted(Paged):
    """What may be said of a list for a user."""

    categories: list[str] = Field(
        [], max_length=MAX_CATEGORIES, description="Only items of these; repeat it, or separate names by commas."
    )
    match: Literal["any", "all"] = Field("any", description="Of any of the categories, or of all of them.")
    per_category: int = Field(
        0, ge=0, le=MAX_N, description="At most so many items of one category, an item's first; 0 = any number."
    )
    per_brand: int = Field(0, ge=0, le=MAX_N, description="At most so many items of one brand; 0 = any number.")
    diversity: float = Field(
        0.0, ge=0.0, le=1.0, description="0 = in the order of the list … 1 = each as unlike those above as possible."
    )
    explain: bool = Field(False, description="Give reasons, also in words.")

    @field_validator("categories")
    @classmethod
    def _few(cls, values: list[str]) -> list[str]:
        named = len(ids(values))
        if named > MAX_CATEGORIES:
            raise ValueError(f"names {named} categories, at most {MAX_CATEGORIES} may be asked for at once")
        return values

    def wishes(self) -> Wishes:
        """Return what is wished of a list."""
        every = self.match == "all"
        names = {part for value in self.categories for part in value.split(",")} if every else ids(self.categories)
        return Wishes(
            self.n,
            self.offset,
            frozenset(ids(self.exclude)),
            frozenset(names - {""}),
            every,
            self.per_category,
            self.per_brand,
            self.diversity,
        )


class Own(Wanted):
    """What may be said of a user's own list."""

    after: str | None = Field(
        None,
        max_length=MAX_LENGTH,
        description="A token of what was published: wait until the list shows it.",
    )
    wait: int = Field(1000, ge=0, le=10_000, description="Milliseconds that `after` may take.")


def ids(values: Iterable[str]) -> set[str]:
    """Return the ids that a parameter names, which may be repeated or hold several separated by commas.

    An id may itself contain a comma, so the whole value counts as well as its parts.
    """
    return {part for value in values for part in (value, *value.split(","))} - {""}
