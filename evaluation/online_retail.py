"""Online Retail: a year of purchases from a British wholesaler of gifts.

Kept are lines of known customers that are no cancellation (an invoice that begins with C) and in which something was
bought. Times are those of the invoices, in whole minutes, read as UTC; each line is an event of its own, with an id.

References
----------
Chen, Sain, Guo: Data mining for the online retail industry. Journal of Database Marketing 19(3), 2012.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from contracts.events import Click, Item
from evaluation.rows import Dropped, Row
from evaluation.tabular import milliseconds, table

FILE = "online_retail.csv"
_COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "CustomerID")


class OnlineRetail:
    """The folder of Online Retail; lines of the same minute stay in the order of the file.

    Parameters
    ----------
    path : Path
        The CSV file, with the header of the original.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.absolute().parent.name
        self.files = (path,)

    @property
    def size(self) -> int:
        """Number of lines, those that are not kept included."""
        purchases, dropped = self._rows
        return len(purchases) + len(dropped)

    def events(self) -> Iterator[Row]:
        """Yield the lines that are not kept, then the purchases in the order of time."""
        purchases, dropped = self._rows
        yield from dropped
        yield from purchases

    def items(self) -> Iterator[Item]:
        """Yield the articles under their last description."""
        with table(self._path, _COLUMNS) as rows:
            titles = {row["StockCode"]: row["Description"].strip() for _, row in rows if row["Description"].strip()}
        for article, title in titles.items():
            yield Item(article, title=title)

    @cached_property
    def _rows(self) -> tuple[list[Click], list[Dropped]]:
        purchases: list[Click] = []
        dropped: list[Dropped] = []
        with table(self._path, _COLUMNS) as rows:
            for line, row in rows:
                event = _purchase(line, row)
                if isinstance(event, Click):
                    purchases.append(event)
                else:
                    dropped.append(event)
        purchases.sort(key=lambda event: event.time or 0)
        return purchases, dropped


def _purchase(line: int, row: dict[str, str]) -> Click | Dropped:
    customer = row["CustomerID"].removesuffix(".0")
    text = ",".join(row[column] for column in _COLUMNS).encode()
    if not customer:
        return Dropped.of("no customer", line, text, "nobody is named whose purchase it is")
    if row["InvoiceNo"].startswith("C"):
        return Dropped.of("cancelled", line, text, "the invoice is a cancellation")
    try:
        quantity, time = int(row["Quantity"]), milliseconds(row["InvoiceDate"])
    except ValueError as error:
        return Dropped.of("malformed", line, text, str(error))
    if quantity <= 0:
        return Dropped.of("nothing bought", line, text, f"the quantity is {quantity}")
    return Click(customer, row["StockCode"], time, "purchase", value=float(quantity), id=f"{row['InvoiceNo']}-{line}")
