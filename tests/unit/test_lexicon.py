"""Free words mean the same in several languages, and what is said around them means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.search.lexicon import MEANINGS, InvalidLexicon, Lexicon, load_lexicon

OWN = load_lexicon()


def said(text: str) -> list[tuple[str, ...]]:
    """Return the first form of each thing that a text is about."""
    return [meaning.forms[0] for meaning in OWN.meanings(text)]


@pytest.mark.parametrize(
    "text",
    [
        "I like science fiction and action films",
        "sci-fi, ACTION!",
        "我喜欢科幻片和动作片",
        "推荐一些科幻和动作电影",
        "SciFi 动作片",
        "science   fiction\nfilms with action",
    ],
)
def test_the_same_wish_in_other_words_means_the_same(text: str) -> None:
    assert said(text) == [("science", "fiction"), ("action",)]


def test_words_that_nobody_knows_stand_for_themselves() -> None:
    assert said("films with Bogart") == [("bogart",)]
    assert said("北京旅游指南") == [("北京",), ("travel",), ("指南",)]


def test_what_says_nothing_is_left_out_unless_nothing_else_is_said() -> None:
    assert said("I would like to see something") == said("something like I would see to") or said("films")
    assert said("the who") == [("who",)]
    assert said("我") == [("我",)]


@pytest.mark.parametrize("text", ["", " ", "!?", "\x00", "😀", "'"])
def test_a_text_without_words_is_about_nothing(text: str) -> None:
    assert said(text) == []


def test_one_thing_counts_once_and_no_text_is_about_too_much() -> None:
    assert said("comedy, comedies, funny 喜剧") == [("comedy",)]
    assert len(OWN.meanings(" ".join(f"word{n}" for n in range(500)))) == MEANINGS


def test_a_file_adds_words(tmp_path: Path) -> None:
    file = tmp_path / "words.toml"
    file.write_text('same = [["anorak", "parka", "风衣"]]\nignore = ["bitte"]\n', "utf-8")
    meanings = load_lexicon(file).meanings("bitte 风衣 und action")
    assert [meaning.forms[0] for meaning in meanings] == [("anorak",), ("und",), ("action",)]


@pytest.mark.parametrize("content", ["same = 3", "also = []", "same = [", None])
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "words.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InvalidLexicon, match=r"words\.toml"):
        load_lexicon(file)


def test_the_longest_phrase_counts() -> None:
    lexicon = Lexicon([["science"], ["science fiction"], ["科"], ["科幻片"]], [])
    assert [m.forms[0] for m in lexicon.meanings("science fiction")] == [("science", "fiction")]
    assert [m.forms[0] for m in lexicon.meanings("科幻片科")] == [("科幻", "幻片"), ("科",)]
