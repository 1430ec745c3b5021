"""Click models, and the data that they are measured on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import zstandard

from contracts.events import Click, Impression
from evaluation.clicks import ItemPlaceRate, Rate, rows
from evaluation.datasets import open_dataset
from evaluation.errors import EvaluationError
from evaluation.evaluate import evaluate_clicks, read_showings
from evaluation.open_bandit import OpenBandit
from evaluation.options import Options
from evaluation.rows import Dropped
from evaluation.shown import Showing, joined

HEADER = (
    ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3"
)
LINES = (
    "0,2019-11-24 00:00:02+00:00,14,3,0,0.25,aaaaaaaaaa,b,c,d",
    "1,2019-11-24 00:00:01+00:00,7,1,1,0.5,aaaaaaaaaa,b,c,e",
    "2,yesterday,7,1,1,0.5,a,b,c,d",
)
SECOND = 1_574_553_601_000  # of the second line, in ms


@pytest.fixture
def bandit(tmp_path: Path) -> Path:
    """A folder of Open Bandit with one file that is compressed and one that is not."""
    for policy, name, content in (("random", "men.csv.zst", LINES), ("bts", "men.csv", LINES[:1])):
        folder = tmp_path / "bandit" / policy / "men"
        folder.mkdir(parents=True)
        text = "\n".join((HEADER, *content)).encode()
        (folder / name).write_bytes(zstandard.compress(text) if name.endswith("zst") else text)
    return tmp_path / "bandit"


def test_open_bandit_is_recognised_and_read_in_time_order(bandit: Path) -> None:
    dataset = open_dataset(bandit)
    found = list(dataset.events())
    assert isinstance(found[0], Dropped)
    assert "yesterday" in found[0].detail
    assert found[1:3] == [
        Impression("aaaaaaaa-b-c-e", ["men-7"], "random.0", SECOND, [0.5], "random"),
        Click("aaaaaaaa-b-c-e", "men-7", SECOND, list_id="random.0"),
    ]
    assert (dataset.name, dataset.size, len(found)) == ("bandit", 5, 5)


def test_open_bandit_keeps_place_propensity_and_policy(bandit: Path) -> None:
    dataset = open_dataset(bandit)
    assert isinstance(dataset, OpenBandit)
    assert [(each.place, each.propensity, each.clicked, each.arm) for each in dataset.showings()] == [
        (1, 0.5, True, "random"),
        (3, 0.25, False, "random"),
        (3, 0.25, False, "bts"),
    ]


def test_a_click_belongs_to_the_list_that_it_names_and_to_no_other() -> None:
    lists = [
        Impression("a", ["x", "y"], "1", 1, [0.5]),
        Impression("a", ["y", "x"], "2", 2),
        Impression("b", ["x"], "1", 3),
    ]
    clicks = [Click("a", "x", 4, list_id="2"), Click("a", "y", 5), Click("b", "y", 6, list_id="1")]
    found = joined([*lists, *clicks, lists[0]])
    assert [(each.user, each.item, each.place, each.clicked, each.propensity) for each in found] == [
        ("a", "x", 1, False, 0.5),
        ("a", "y", 2, False, None),
        ("a", "y", 1, False, None),
        ("a", "x", 2, True, None),
        ("b", "x", 1, False, None),
    ]


def shown(item: str, place: int, clicked: bool, time: int = 0) -> Showing:
    return Showing(time, "u", item, place, clicked)


def test_the_rate_is_one_in_a_hundred_until_something_was_shown() -> None:
    model = Rate()
    assert model.predict(shown("x", 1, True)) == pytest.approx(0.01)
    model.learn(shown("x", 1, True))
    assert model.predict(shown("x", 1, False)) == pytest.approx(2 / 101)


def test_the_product_of_rates_is_that_computed_by_hand() -> None:
    model = ItemPlaceRate()
    for each in (shown("x", 1, True), shown("x", 2, False), shown("y", 1, False)):
        model.learn(each)
    rate = 2 / 103
    item, place = 2 / (2 * rate + 1), 2 / (2 * rate + 1)
    assert model.predict(shown("x", 1, False)) == pytest.approx(rate * item * place)
    assert model.predict(shown("new", 9, False)) == pytest.approx(rate)


def test_an_outcome_is_predicted_before_it_is_learned() -> None:
    (rate, _) = rows([shown("x", 1, True), shown("x", 1, False)])
    assert rate["log_loss"] == pytest.approx(-(math.log(0.01) + math.log(1 - 2 / 101)) / 2)


def test_what_item_and_place_decide_is_found() -> None:
    showings = [shown("xy"[n % 2], 1 + n % 3, n % 2 == 0 and n % 3 == 0, n) for n in range(600)]
    rate, product = rows(showings)
    assert product["auc"] > 0.9 > rate["auc"]
    assert product["log_loss"] < rate["log_loss"]


def test_the_result_says_what_it_was_made_from(bandit: Path) -> None:
    found = evaluate_clicks("bandit", read_showings([open_dataset(bandit)]), Options(protocol="clicks"))
    assert [(row["model"], row["scored"], row["clicks"]) for row in found["rows"]] == [
        ("rate", 3, 1),
        ("item-place-rate", 3, 1),
    ]
    assert found["stream"]["hash"] == found["rows"][0]["data_hash"]
    assert found["stream"]["first"] == "2019-11-24T00:00:01"


def test_without_impressions_there_is_nothing_to_predict() -> None:
    with pytest.raises(EvaluationError, match="no impressions"):
        evaluate_clicks("events", [], Options(protocol="clicks"))
