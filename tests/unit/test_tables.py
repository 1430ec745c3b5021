"""Tables: CSV with named columns, and Online Retail as it is filtered."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from contracts.events import Click, Item, Rating
from evaluation.datasets import DatasetError, Dropped, open_dataset
from evaluation.tabular import milliseconds

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
RETAIL = f"""{HEADER}
3,B,"BOX, SMALL ",2,2011-01-04 10:00:00,1.5,17.0,France
1,A, ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
1,A,LANTERN,1,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
C2,A,LANTERN,-1,2010-12-02 08:26:00,2.55,17850.0,United Kingdom
4,A,LANTERN,-5,2010-12-03 08:26:00,0,17850.0,United Kingdom
5,A,LANTERN,1,2010-12-03 08:26:00,2.55,,United Kingdom
6,A,LANTERN,many,2010-12-03 08:26:00,2.55,17850.0,United Kingdom
"""
MORNING = 1_291_191_960_000  # 2010-12-01 08:26 UTC in ms


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("by_folder", [False, True])
def test_online_retail_is_the_purchases_of_known_customers_in_time_order(
    compressed: bool, by_folder: bool, tmp_path: Path
) -> None:
    path = tmp_path / f"online_retail.csv{'.zst' * compressed}"
    path.write_bytes(zstandard.compress(RETAIL.encode()) if compressed else RETAIL.encode())
    dataset = open_dataset(tmp_path if by_folder else path)
    rows = list(dataset.events())
    assert [(row.user, row.item, row.type, row.value) for row in rows if isinstance(row, Click)] == [
        ("17850", "A", "purchase", 6.0),
        ("17850", "A", "purchase", 1.0),
        ("17", "B", "purchase", 2.0),
    ]
    assert rows[-3].time == MORNING
    reasons = {row.line: row.reason for row in rows if isinstance(row, Dropped)}
    assert reasons == {5: "cancelled", 6: "nothing bought", 7: "no customer", 8: "malformed"}
    assert list(dataset.items()) == [Item("B", title="BOX, SMALL"), Item("A", title="LANTERN")]
    assert (dataset.name, dataset.size) == (tmp_path.name, 7)


def test_lines_of_the_same_invoice_and_article_are_different_events(tmp_path: Path) -> None:
    (tmp_path / "online_retail.csv").write_text(RETAIL)
    clicks = [row for row in open_dataset(tmp_path).events() if isinstance(row, Click)]
    assert len({click.id for click in clicks}) == len(clicks)


def test_named_columns_make_a_table_a_data_set(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("sku,when,who,stars\nx,2024-05-01T12:00:00+02:00,ann,4.5\ny,1714557600,bob,many\n")
    named = {"user": "who", "item": "sku", "time": "when"}
    assert list(open_dataset(path, named).events()) == [
        Click("ann", "x", 1_714_557_600_000),
        Click("bob", "y", 1_714_557_600_000),
    ]
    rated = list(open_dataset(path, named | {"rating": "stars"}).events())
    assert rated[0] == Rating("ann", "x", 4.5, 1_714_557_600_000)
    assert isinstance(rated[1], Dropped)
    assert (rated[1].line, rated[1].reason) == (3, "invalid")
    assert "many" in rated[1].detail


@pytest.mark.parametrize(
    "text", ["1714557600", "1714557600.0", "1714557600000", "2024-05-01 10:00:00", "2024-05-01T12:00+02:00"]
)
def test_times_may_be_in_seconds_in_milliseconds_or_in_iso_8601(text: str) -> None:
    assert milliseconds(text) == 1_714_557_600_000


@pytest.mark.parametrize("text", ["", "yesterday", "nan", "inf"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        milliseconds(text)


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"user": "who", "item": "sku"}, "time=COLUMN"),
        ({"user": "who", "item": "sku", "time": "date"}, "no column 'date'; it has sku, when, who"),
        ({"user": "who", "item": "sku", "time": "when", "colour": "x"}, "'colour' is no field"),
    ],
)
def test_a_wrong_column_is_named_with_the_remedy(columns: dict[str, str], word: str, tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("sku,when,who\nx,1,ann\n")
    with pytest.raises(DatasetError, match=word):
        list(open_dataset(path, columns).events())
