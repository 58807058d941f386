"""Real transactions: how they become purchases, and the texts of refused files."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import pytest

from simulators.replay.purchases import Columns, PurchasesUnreadable, read_purchases

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
LINES = """\
536366,22633,HAND WARMER,6,2010-12-01 08:28:00,1.85,17850.0,United Kingdom
536365,85123A,WHITE LANTERN,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,METAL LANTERN,2,2010-12-01 08:26:00,3.00,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
"""
REAL = Path(__file__).parents[4] / "shared" / "data" / "online_retail" / "online_retail.csv.gz"


def test_a_purchase_is_an_invoice_of_a_customer_that_is_no_cancellation(tmp_path: Path) -> None:
    file = tmp_path / "transactions.csv"
    file.write_text(HEADER + LINES)
    purchases = read_purchases(file)
    assert [(one.invoice, one.shopper, round(one.value, 2)) for one in purchases] == [
        ("536365", "17850", 21.3),
        ("536366", "17850", 11.1),
    ]
    assert purchases[0].at == 1_291_191_960.0
    assert purchases[0].product == "White lantern"


def test_a_gzipped_file_is_the_same(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_text(HEADER + LINES)
    packed.write_bytes(gzip.compress((HEADER + LINES).encode()))
    assert read_purchases(packed) == read_purchases(plain)


def test_the_columns_of_another_file_are_named(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("day,who,total\n1997-01-01,7,11.77\n1997-01-12,7,12.00\n")
    purchases = read_purchases(file, Columns(order=None, shopper="who", time="day", price="total"))
    assert [(one.shopper, one.value) for one in purchases] == [("7", 11.77), ("7", 12.0)]
    assert purchases[0].invoice != purchases[1].invoice
    with pytest.raises(PurchasesUnreadable, match="the header lacks sum"):
        read_purchases(file, Columns(order=None, shopper="who", time="day", price="sum"))
    with pytest.raises(ValueError, match="the column of the shopper must be named"):
        Columns(order=None, shopper="", time="day", price="total")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("InvoiceNo,Quantity\n1,2\n", "the header lacks CustomerID, UnitPrice, InvoiceDate, Description"),
        (HEADER + LINES.replace("2.55", "cheap"), r"a.csv:3: could not convert string to float: 'cheap'"),
        (HEADER + LINES.replace("2010-12-01 08:28:00", "yesterday"), r"a.csv:2: InvoiceDate 'yesterday'"),
        ("", "the header lacks InvoiceNo"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(PurchasesUnreadable, match=complaint):
        read_purchases(file)


def test_a_file_that_is_not_there_or_not_gzip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PurchasesUnreadable, match=r"none\.csv: cannot be read"):
        read_purchases(tmp_path / "none.csv")
    broken = tmp_path / "a.csv.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(PurchasesUnreadable, match="cannot be read"):
        read_purchases(broken)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} is not beside the checkout")
def test_the_real_transactions_are_read() -> None:
    purchases = read_purchases(REAL)
    assert len(purchases) > 15_000
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(purchases))
    assert not any(purchase.invoice.startswith("C") or not purchase.shopper for purchase in purchases)
