"""Something that shows a line to the person who started the service."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
