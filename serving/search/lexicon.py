"""From free words to what is meant: names of things in several languages, and words that say nothing. Pure.

Of scripts without spaces the longest known phrase counts at each place; of others the longest run of known words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts.terms import pairs, parts, tokens

_OWN = Path(__file__).with_name("lexicon.toml")
MEANINGS = 12
"""Things that one text is about, at most; the first ones count."""


class InvalidLexicon(ValueError):
    """A file of words that cannot be used."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    same: list[list[str]] = []
    ignore: list[str] = []


class Meaning(NamedTuple):
    """One thing that a text is about."""

    forms: tuple[tuple[str, ...], ...]  # in which an item may name it, each as its tokens
    is_kind: bool = False  # a kind of things, which categories are named after, and not just a word


class Lexicon:
    """Understands texts.

    Parameters
    ----------
    same : sequence of sequences of str
        Names that mean the same.
    ignore : iterable of str
        Words that say nothing of what is wished.
    """

    def __init__(self, same: Sequence[Sequence[str]], ignore: Iterable[str]) -> None:
        self._known: dict[tuple[str, ...], Meaning] = {}
        for names in same:
            meaning = Meaning(tuple(dict.fromkeys(tuple(tokens(name)) for name in names)), True)
            self._known.update((_units(name), meaning) for name in names)
        self._ignored = {_units(word) for word in ignore}
        self._longest = max((len(units) for units in (*self._known, *self._ignored)), default=1)

    def meanings(self, text: str) -> list[Meaning]:
        """Return what a text is about, each thing once, in the order of the text; everything where all is ignored."""
        found = self._found(text, self._ignored) or self._found(text, set())
        return list(dict.fromkeys(found))[:MEANINGS]

    def _found(self, text: str, ignored: set[tuple[str, ...]]) -> list[Meaning]:
        units = _units(text)
        found: list[Meaning] = []
        run, at = "", 0  # characters of a script without spaces that belong to nothing known
        while at < len(units):
            size = self._size(units[at : at + self._longest], ignored)
            here = units[at : at + size]
            unspaced = _is_unspaced(here[0])
            if size == 1 and unspaced and here not in self._known and here not in ignored:
                run += here[0]
            else:
                found += _unknown_run(run)
                run = ""
                if here in self._known:
                    found.append(self._known[here])
                elif here not in ignored:
                    found.append(_unknown_word(here[0]))
            at += size
        return found + _unknown_run(run)

    def _size(self, units: tuple[str, ...], ignored: set[tuple[str, ...]]) -> int:
        """Return how many units the longest phrase has that begins here; 1 where none does."""
        for size in range(len(units), 0, -1):
            if units[:size] in self._known or units[:size] in ignored:
                return size
        return 1


def load_lexicon(more: Path | None = None) -> Lexicon:
    """Return the words that come with Headrace, and those of a file beside them.

    Raises
    ------
    InvalidLexicon
        When the file is missing, is not TOML, or is made otherwise.
    """
    files = [_read(path) for path in (_OWN, more) if path is not None]
    return Lexicon([names for file in files for names in file.same], [word for file in files for word in file.ignore])


def _read(path: Path) -> _File:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File)
    except OSError as error:
        raise InvalidLexicon(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidLexicon(f"{path}: {error}; it holds `same` and `ignore`, see the manual") from error


def _units(text: str) -> tuple[str, ...]:
    """Return the words of a text, and of scripts without spaces the characters."""
    return tuple(unit for run, word in parts(text) for unit in ([word] if word else run))


@lru_cache(4096)
def _is_unspaced(unit: str) -> bool:
    return any(run for run, _ in parts(unit))


def _unknown_word(word: str) -> Meaning:
    """Return what a word may stand as in an item's record: itself, and with or without an English plural."""
    forms = [word]
    if len(word) > 3 and word.endswith("ies"):
        forms.append(f"{word[:-3]}y")
    elif len(word) > 3 and word.endswith("s"):
        forms.append(word[:-1])
    elif len(word) > 2:
        forms.append(f"{word}s")
    return Meaning(tuple((form,) for form in forms))


def _unknown_run(run: str) -> list[Meaning]:
    return [Meaning(((pair,),)) for pair in pairs(run)] if run else []
