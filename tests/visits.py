"""What visitors do in tests of workers: a few acts of everybody, or walks through the films of two tastes."""

from __future__ import annotations

from contracts.events import Click

USERS = 30

# Two tastes without a film in common; every visitor of a walk keeps to one of them.
FILMS = {taste: [f"{taste}{number}" for number in range(30)] for taste in ("crime", "space")}


def visits(step: int) -> list[Click]:
    """One click of each of :data:`USERS` users, ``u0`` to ``u29``, on one of seven items; at each step another one."""
    return [Click(f"u{user}", f"i{(user + step) % 7}", time=1_000_000 + step * 1000 + user) for user in range(USERS)]


def walks(users: int = 24, length: int = 12) -> list[Click]:
    """Visitors who walk through their taste's films, each from another start; even ones like ``space``."""
    clicks = []
    for step in range(length):
        for user in range(users):
            taste = "crime" if user % 2 else "space"
            clicks.append(Click(f"u{user}", FILMS[taste][(user * 5 + step) % 30], time=1_000_000 + step * 1000 + user))
    return clicks


def taste_of(items: list[str]) -> dict[str, int]:
    """Return how many items are of each taste."""
    return {taste: sum(item.startswith(taste) for item in items) for taste in FILMS}
