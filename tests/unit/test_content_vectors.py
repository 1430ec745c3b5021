"""Vectors are the formula of their docstring, and items that are alike have vectors that are alike."""

from __future__ import annotations

import math

import numpy as np
import pytest

from contracts.events import Item
from contracts.learning import TERMS
from models.content.terms import UNIT, introduce
from models.content.vectors import _BITS, _EVIDENCE, _PLACES, LENGTH, Frequencies
from models.kernel import draw, draw_below

Floats = np.ndarray


def columns(items: list[Item]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    hashes, weights = np.zeros((len(items), TERMS), np.uint32), np.zeros((len(items), TERMS), np.uint8)
    lengths = np.zeros(len(items), np.uint8)
    for row, item in enumerate(items):
        content = introduce(item)
        lengths[row] = n = len(content.weights)
        hashes[row, :n], weights[row, :n] = np.frombuffer(content.hashes, "<u4"), list(content.weights)
    return hashes, weights, lengths


def counted(items: list[Item]) -> Frequencies:
    frequencies = Frequencies()
    for item in items:
        frequencies.add(np.frombuffer(introduce(item).hashes, "<u4"))
    return frequencies


def vectors(items: list[Item], frequencies: Frequencies) -> Floats:
    return frequencies.vectors(*columns(items))


def reference(item: Item, frequencies: Frequencies) -> Floats:
    """Return the formula of the docstring, term by term."""
    content, vector = introduce(item), np.zeros(LENGTH)
    vector[0] = 1.0
    for term, weight in zip(np.frombuffer(content.hashes, "<u4").tolist(), content.weights, strict=True):
        others = int(frequencies.counts[term >> (32 - _BITS)]) - 1
        if others <= 0:
            continue
        part = weight / UNIT * math.sqrt(math.log(1 + frequencies.items / others)) * others / (others + _EVIDENCE)
        for place in range(_PLACES):
            sign = 1 if draw(np.uint64(term), np.uint64(_PLACES + place)) & 1 else -1
            vector[1 + draw_below(np.uint64(term), np.uint64(place), LENGTH - 1)] += sign * part / math.sqrt(_PLACES)
    return vector


FILMS = [
    Item(str(n), title=f"{'Murder at' if n % 2 else 'Star of'} number {n}", categories=["crime" if n % 2 else "space"])
    for n in range(60)
]
TITLES = ["北京旅游指南", "北京美食地图", "上海美食地图", "上海旅游指南"] * 10


def alike(one: Floats, other: Floats) -> float:
    """Return the cosine without the first element."""
    return float(one[1:] @ other[1:] / np.linalg.norm(one[1:]) / np.linalg.norm(other[1:]))


def test_vectors_are_the_formula() -> None:
    frequencies = counted(FILMS)
    expected = [reference(item, frequencies) for item in FILMS[:6]]
    np.testing.assert_allclose(vectors(FILMS[:6], frequencies), expected, rtol=1e-12)


def test_items_of_one_kind_are_more_alike_than_of_two() -> None:
    one, other, like = vectors([FILMS[0], FILMS[1], FILMS[2]], counted(FILMS))
    assert alike(one, like) > 0.8 > alike(one, other) + 0.3


def test_chinese_titles_are_alike_by_the_words_that_they_share() -> None:
    items = [Item(str(n), title=title) for n, title in enumerate(TITLES)]
    guide, food, other, _ = vectors(items[:4], counted(items))
    assert alike(guide, food) > alike(guide, other) + 0.1
    assert alike(food, other) > alike(guide, other) + 0.1


def test_what_no_other_item_has_says_nothing() -> None:
    alone = Item("new", title="Unheard")
    (vector,) = vectors([alone], counted([*FILMS, alone]))
    assert vector[0] == 1.0
    assert not vector[1:].any()


def test_what_was_counted_can_be_taken_back() -> None:
    frequencies, without = counted(FILMS), counted(FILMS[1:])
    frequencies.remove(np.frombuffer(introduce(FILMS[0]).hashes, "<u4"))
    assert frequencies.items == without.items
    assert np.array_equal(frequencies.counts, without.counts)


@pytest.mark.parametrize("operation", ["add", "remove"])
def test_an_item_without_terms_is_not_counted(operation: str) -> None:
    frequencies = counted(FILMS)
    getattr(frequencies, operation)(np.zeros(0, np.uint32))
    assert frequencies.items == len(FILMS)
