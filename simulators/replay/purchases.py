"""Real purchases, read from a file of transactions, in time order."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")


@dataclass(frozen=True)
class Columns:
    """The headers of a file's columns.

    The value of a line is quantity × price; without a quantity column it is the price alone, so that files with one
    line and one total per order can be read too. Without an order column every line is an order.

    Raises
    ------
    ValueError
        When shopper, time or price has no column.
    """

    order: str | None
    shopper: str
    time: str
    price: str
    quantity: str | None = None
    product: str | None = None

    def __post_init__(self) -> None:
        for name in ("shopper", "time", "price"):
            if not getattr(self, name):
                raise ValueError(f"the column of the {name} must be named")

    @property
    def named(self) -> list[str]:
        """The headers that the file must have."""
        columns = (self.order, self.shopper, self.quantity, self.price, self.time, self.product)
        return [column for column in columns if column is not None]


UCI = Columns("InvoiceNo", "CustomerID", "InvoiceDate", "UnitPrice", "Quantity", "Description")
"""The headers of the UCI Online Retail data."""


class PurchasesUnreadable(ValueError):
    """The file cannot be read as transactions; the text says where and why."""


@dataclass(frozen=True)
class Purchase:
    """One order of one shopper; ``at`` in epoch seconds (the shop's local time taken as UTC)."""

    invoice: str
    shopper: str
    at: float
    value: float
    product: str


def read_purchases(path: Path, columns: Columns = UCI) -> list[Purchase]:
    """Read the purchases of a transaction file (CSV, gzipped or not), in time order.

    A line is one product of an order. A purchase is one order of a known shopper; cancellations, whose numbers
    start with C, are left out. The value of a purchase is Σ quantity × price.

    Raises
    ------
    PurchasesUnreadable
        When a header is missing or a line cannot be read; the text names the header or the line.
    """
    invoices: dict[str, Purchase] = {}
    for purchase in _read_lines(path, columns):
        earlier = invoices.get(purchase.invoice)
        if earlier is not None:
            purchase = replace(earlier, value=earlier.value + purchase.value)
        invoices[purchase.invoice] = purchase
    return sorted(invoices.values(), key=lambda purchase: (purchase.at, purchase.invoice))


def _read_lines(path: Path, columns: Columns) -> Iterator[Purchase]:
    try:
        with _open(path) as file:
            rows = csv.DictReader(file)
            missing = [name for name in columns.named if name not in (rows.fieldnames or ())]
            if missing:
                raise PurchasesUnreadable(f"{path.name}: the header lacks {', '.join(missing)}")
            for row in rows:
                order = str(rows.line_num) if columns.order is None else row[columns.order]
                if row[columns.shopper] and not order.startswith("C"):
                    yield _parse_line(path.name, rows.line_num, order, row, columns)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise PurchasesUnreadable(f"{path.name}: cannot be read: {error}") from None


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _parse_line(name: str, number: int, order: str, row: dict[str, str], columns: Columns) -> Purchase:
    try:
        quantity = 1.0 if columns.quantity is None else float(row[columns.quantity])
        return Purchase(
            invoice=order,
            shopper=row[columns.shopper].removesuffix(".0"),
            at=_parse_time(columns.time, row[columns.time]),
            value=quantity * float(row[columns.price]),
            product="" if columns.product is None else row[columns.product].strip().capitalize(),
        )
    except ValueError as error:
        raise PurchasesUnreadable(f"{name}:{number}: {error}") from None


def _parse_time(column: str, text: str) -> float:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise ValueError(f"{column} {text!r} is no time that is understood")
