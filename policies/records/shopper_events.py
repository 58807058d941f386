"""The types of shopper events: what a shopper can do."""

from __future__ import annotations

from typing import Literal

ShopperEventType = Literal[
    "page_view", "product_view", "add_to_cart", "cart_abandoned", "purchase", "refund", "session", "signup", "wishlist"
]
