"""Terms are what items have in common: across fields, spellings and scripts."""

from __future__ import annotations

import numpy as np
import pytest
import xxhash

from contracts.events import Item
from contracts.learning import TERMS
from models.content.terms import digest, introduce


def weights(item: Item) -> dict[int, int]:
    """Return hash → weight."""
    content = introduce(item)
    return dict(zip(np.frombuffer(content.hashes, "<u4").tolist(), content.weights, strict=True))


def term(text: str) -> int:
    return xxhash.xxh32_intdigest(text)


def common(one: str, other: str) -> float:
    """Return which share of the first title's terms the second one has too."""
    first, second = weights(Item("1", title=one)), weights(Item("2", title=other))
    return len(first.keys() & second.keys()) / len(first)


def test_every_field_has_terms_of_its_own() -> None:
    item = Item("1", title="War", categories=["War"], tags=["War"], text="War")
    assert {term(f"{field} war") for field in ("title", "category", "tag", "text")} <= weights(item).keys()


def test_case_width_and_composition_of_letters_do_not_matter() -> None:
    decomposed = "cre\u0300me bru\u0302le\u0301e ＡＢＣ"
    assert weights(Item("1", title="CRÈME Brûlée ABC")) == weights(Item("2", title=decomposed))


def test_a_label_counts_whole_and_by_its_words() -> None:
    found = weights(Item("1", categories=["Science Fiction"]))
    assert found.keys() == {term(f"category {label}") for label in ("science fiction", "science", "fiction")}


def test_chinese_titles_with_a_word_in_common_have_a_term_in_common() -> None:
    # "Beijing travel guide", "Beijing food map", "Shanghai food map"
    guide, food, other = "北京旅游指南", "北京美食地图", "上海美食地图"
    assert common(guide, food) > 0
    assert common(food, other) > common(guide, other) == 0
    assert weights(Item("1", title="北京")).keys() == {term("title 北京"), term("gram <北京>")}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("iPhone手机壳", ["iphone", "手机", "机壳"]),
        ("猫", ["猫"]),
        ("カメラ・テスト", ["カメ", "メラ", "テス", "スト"]),
        ("हिन्दी फ़िल्म", ["हिन्दी", "फ़िल्म"]),
        ("snake_case, don't 1995!", ["snake", "case", "don", "t", "1995"]),
        ("Straße №5", ["strasse", "no5"]),
        ("", []),
        ("… — !", []),
    ],
    ids=["mixed", "one character", "Katakana", "Hindi", "punctuation", "folded", "empty", "no words"],
)
def test_texts_part_into_words_or_pairs_of_characters(text: str, tokens: list[str]) -> None:
    assert weights(Item("1", text=text)).keys() == {term(f"text {token}") for token in tokens}


def test_inflections_and_compounds_have_runs_of_letters_in_common() -> None:
    assert common("cushion", "cushions") > 0.5
    assert common("Lampenschirm", "Schirm") > 0
    assert common("lamp", "door") == 0


def test_a_repeated_word_weighs_more_and_a_longer_text_spreads_its_weight() -> None:
    found = weights(Item("1", text="sea sea sea boat"))
    assert found[term("text sea")] > found[term("text boat")]
    longer = weights(Item("1", text="sea sea sea boat " + " ".join(f"word{n}" for n in range(20))))
    assert longer[term("text sea")] < found[term("text sea")]


def test_only_the_strongest_terms_are_kept_and_categories_are_among_them() -> None:
    found = weights(Item("1", title="A title", categories=["drama"], text=" ".join(f"w{n}" for n in range(900))))
    assert len(found) == TERMS
    assert {term("category drama"), term("title title")} <= found.keys()


def test_an_endless_text_costs_no_more_than_its_beginning() -> None:
    beginning = "one two three " * 150
    assert introduce(Item("1", text=beginning[:2000])).hashes == introduce(Item("1", text=beginning * 100)).hashes


def test_an_item_without_content_has_no_terms_and_no_digest() -> None:
    content = introduce(Item("1", hidden=True, expires=7, created=5))
    assert (content.item, content.digest, content.hashes, content.weights, content.created) == ("1", 0, b"", b"", 5)


def test_the_digest_changes_with_the_content_and_with_nothing_else() -> None:
    item = Item("1", title="a", tags=["b"], categories=["c"], text="d")
    assert digest(item) == digest(Item("2", title="a", tags=["b"], categories=["c"], text="d", hidden=True, expires=9))
    others = [
        Item("1", title="x", tags=["b"], categories=["c"], text="d"),
        Item("1", title="a", tags=["c"], categories=["b"], text="d"),
        Item("1", title="a", tags=["b"], categories=["c"]),
    ]
    assert len({digest(item), *map(digest, others)}) == 4
