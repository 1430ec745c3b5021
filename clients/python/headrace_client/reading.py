"""Every route that reads, as a function from what a caller wants to a request. Pure.

The methods of both clients are these functions, so each is written once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from headrace_client.answers import Explained, Exported, Listed, Recommended, Record, State
from headrace_client.call import Call, Id, query, quoted, said, several

_WAIT_MS = 1000
_EXPORT_S = 120.0


def recommend(
    user: Id,
    n: int = 10,
    *,
    offset: int = 0,
    categories: Iterable[str] = (),
    match: Literal["any", "all"] = "any",
    exclude: Iterable[Id] = (),
    per_category: int = 0,
    per_brand: int = 0,
    diversity: float = 0.0,
    titles: bool = False,
    explain: bool = False,
    after: str | None = None,
    wait: int = _WAIT_MS,
    namespace: str | None = None,
) -> Call[Recommended]:
    """Recommend items to a user: his own list, or what everyone is shown while he has none.

    Parameters
    ----------
    user : str or int
    n, offset : int
        A page of the list.
    categories : iterable of str
        Only items of ``any``, or of ``all`` (``match``), of these.
    match : str
    exclude : iterable of str or int
        Items to leave out.
    per_category, per_brand : int
        At most so many items of one category, or brand; 0 = any number.
    diversity : float
        0 = in the order of the list … 1 = each as unlike those above as possible.
    titles, explain : bool
        Give titles; give reasons, also in words.
    after : str, optional
        A token of what was published: wait until the list shows it; ``fresh`` of the answer says whether it does.
    wait : int
        Milliseconds that ``after`` may take, at most 10,000.
    namespace : str, optional
        Read another deployment's lists.
    """
    wishes = _wishes(n, offset, categories, match, exclude, per_category, per_brand, diversity, titles, explain)
    wishes |= {"after": after, "wait": wait if after is not None else None, "namespace": namespace}
    longer = wait / 1000 if after is not None else 0.0
    return Call("GET", f"/recommend/{quoted(user)}", Recommended, query(wishes), takes_s=longer)


def recommend_for(
    *,
    user: Id | None = None,
    recent: Iterable[Id] | None = None,
    text: str | None = None,
    candidates: Iterable[Id] | None = None,
    n: int | None = None,
    offset: int = 0,
    categories: Iterable[str] = (),
    match: Literal["any", "all"] = "any",
    exclude: Iterable[Id] = (),
    per_category: int = 0,
    per_brand: int = 0,
    diversity: float = 0.0,
    titles: bool = False,
    explain: bool = False,
    namespace: str | None = None,
) -> Call[Recommended]:
    """Recommend items to a guest or by free words, or order items of yours.

    Parameters
    ----------
    user, recent, text : str or int, iterable of ids, str
        One of them: a user, a guest's recent items (newest last), or a wish in free words.
    candidates : iterable of ids, optional
        Return these, ordered for the user or the guest; all of them unless ``n`` says otherwise.
    n : int, optional
        10 by default.
    **wishes
        As of :func:`recommend`.
    """
    wishes = _wishes(n, offset, categories, match, exclude, per_category, per_brand, diversity, titles, explain)
    wishes |= {"user": user, "text": text, "namespace": namespace}
    wishes |= {"recent": None if recent is None else list(recent)}
    wishes |= {"candidates": None if candidates is None else list(candidates)}
    return Call("POST", "/recommend", Recommended, body=said(wishes))


def similar(
    item: Id,
    n: int = 10,
    *,
    offset: int = 0,
    exclude: Iterable[Id] = (),
    titles: bool = False,
    namespace: str | None = None,
) -> Call[Listed]:
    """List an item's neighbours; none while nothing is known of it."""
    return Call("GET", f"/similar/{quoted(item)}", Listed, _page(n, offset, exclude, titles, namespace))


def popular(
    n: int = 10,
    *,
    category: str | None = None,
    offset: int = 0,
    exclude: Iterable[Id] = (),
    titles: bool = False,
    namespace: str | None = None,
) -> Call[Listed]:
    """List what most people choose, of all items or of a category."""
    return Call("GET", "/popular", Listed, _page(n, offset, exclude, titles, namespace, category))


def trending(
    n: int = 10,
    *,
    category: str | None = None,
    offset: int = 0,
    exclude: Iterable[Id] = (),
    titles: bool = False,
    namespace: str | None = None,
) -> Call[Listed]:
    """List what more and more people choose just now, of all items or of a category."""
    return Call("GET", "/trending", Listed, _page(n, offset, exclude, titles, namespace, category))


def latest(
    n: int = 10,
    *,
    category: str | None = None,
    offset: int = 0,
    exclude: Iterable[Id] = (),
    titles: bool = False,
    namespace: str | None = None,
) -> Call[Listed]:
    """List what is new in the catalogue, of all items or of a category."""
    return Call("GET", "/latest", Listed, _page(n, offset, exclude, titles, namespace, category))


def explain(user: Id, item: Id, *, namespace: str | None = None) -> Call[Explained]:
    """Say why an item stands on a user's list, or why it does not."""
    return Call("GET", f"/explain/{quoted(user)}/{quoted(item)}", Explained, query({"namespace": namespace}))


def item(item: Id) -> Call[Record]:
    """Return the record of an item, as the workers have seen it last."""
    return Call("GET", f"/items/{quoted(item)}", Record)


def export_user(user: Id) -> Call[Exported]:
    """Return all that is kept of a person; takes seconds, and a key with the role admin."""
    return Call("GET", f"/users/{quoted(user)}/export", Exported, takes_s=_EXPORT_S)


def stream(
    user: Id,
    n: int = 10,
    *,
    offset: int = 0,
    categories: Iterable[str] = (),
    match: Literal["any", "all"] = "any",
    exclude: Iterable[Id] = (),
    per_category: int = 0,
    per_brand: int = 0,
    diversity: float = 0.0,
    titles: bool = False,
    explain: bool = False,
    namespace: str | None = None,
) -> Call[Recommended]:
    """Follow a user's list: the list at once, and again whenever it has changed; connects again when it must."""
    wishes = _wishes(n, offset, categories, match, exclude, per_category, per_brand, diversity, titles, explain)
    return Call("GET", f"/stream/{quoted(user)}", Recommended, query(wishes | {"namespace": namespace}))


def health() -> Call[State]:
    """Say that the service is up."""
    return Call("GET", "/health", State)


def ready() -> Call[State]:
    """Say that the service's store answers and a worker keeps the lists fresh; raises ``Unavailable`` where not."""
    return Call("GET", "/ready", State, repeatable=False)


def _wishes(
    n: int | None,
    offset: int,
    categories: Iterable[str],
    match: str,
    exclude: Iterable[Id],
    per_category: int,
    per_brand: int,
    diversity: float,
    titles: bool,
    explain: bool,
) -> dict[str, Any]:
    exclude = [str(each) for each in several("exclude", exclude)]
    return {
        "n": n, "offset": offset or None, "categories": several("categories", categories), "exclude": exclude,
        "match": match if match != "any" else None, "per_category": per_category or None,
        "per_brand": per_brand or None, "diversity": diversity or None, "titles": titles, "explain": explain,
    }  # fmt: skip


def _page(
    n: int, offset: int, exclude: Iterable[Id], titles: bool, namespace: str | None, category: str | None = None
) -> list[tuple[str, str]]:
    wishes = {"n": n, "offset": offset or None, "exclude": several("exclude", exclude), "titles": titles}
    return query(wishes | {"namespace": namespace, "category": category})
