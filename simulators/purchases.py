"""Real purchases: transactions read from a file, in time order."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

_COLUMNS = ("InvoiceNo", "CustomerID", "Quantity", "UnitPrice", "InvoiceDate", "Description", "Country")
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M", "%Y-%m-%d %H:%M")


class PurchasesUnreadable(ValueError):
    """The file holds no transactions that are understood; the text says where and why."""


@dataclass(frozen=True)
class Purchase:
    """One invoice of one shopper: ``at`` in epoch seconds (the shop's local time taken as UTC), its value."""

    invoice: str
    shopper: str
    at: float
    value: float
    product: str
    country: str


def read_purchases(path: Path) -> list[Purchase]:
    """Read the purchases of a transaction file (CSV, gzipped or not), in time order.

    The headers are those of the UCI Online Retail data: InvoiceNo, CustomerID, Quantity, UnitPrice,
    InvoiceDate, Description, Country, one line per product. A purchase is one invoice with a customer that
    is no cancellation (InvoiceNo starting with C); its value is Σ Quantity × UnitPrice.

    Raises
    ------
    PurchasesUnreadable
        Naming the missing header, or the line that cannot be read.
    """
    invoices: dict[str, Purchase] = {}
    for purchase in _lines(path):
        known = invoices.get(purchase.invoice)
        if known is not None:
            purchase = Purchase(
                known.invoice, known.shopper, known.at, known.value + purchase.value, known.product, known.country
            )
        invoices[purchase.invoice] = purchase
    return sorted(invoices.values(), key=lambda purchase: (purchase.at, purchase.invoice))


def _lines(path: Path) -> Iterator[Purchase]:
    try:
        with _open(path) as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise PurchasesUnreadable(f"{path.name}: the header lacks {', '.join(missing)}")
            for row in rows:
                if row["CustomerID"] and not row["InvoiceNo"].startswith("C"):
                    yield _line(path.name, rows.line_num, row)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise PurchasesUnreadable(f"{path.name}: cannot be read: {error}") from None


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _line(name: str, number: int, row: dict[str, str]) -> Purchase:
    try:
        return Purchase(
            invoice=row["InvoiceNo"],
            shopper=row["CustomerID"].removesuffix(".0"),
            at=_time(row["InvoiceDate"]),
            value=int(row["Quantity"]) * float(row["UnitPrice"]),
            product=row["Description"].strip().capitalize(),
            country=row["Country"],
        )
    except ValueError as error:
        raise PurchasesUnreadable(f"{name}:{number}: {error}") from None


def _time(text: str) -> float:
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise ValueError(f"InvoiceDate {text!r} is no time that is understood")
