"""The tokens that have weights: bounded, because a caller may invent any number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.heads.crossings import TOKENS

MOST_TOKENS = 1_000
"""How many tokens of one name are admitted. With more of them each would be met too rarely to teach."""


class TokenRegister:
    """Admits the first `MOST_TOKENS` tokens of each name. Later tokens are dropped: they have no weights, for ever.

    >>> register = TokenRegister(most=1)
    >>> register.admit("caller", "weather_rain"), register.admit("caller", "weather_sun")
    (True, False)
    >>> register.has_place("caller", "weather_rain"), register.has_place("caller", "weather_sun")
    (True, False)
    """

    def __init__(self, tokens: Mapping[str, Sequence[str]] | None = None, most: int | None = None) -> None:
        self._most = MOST_TOKENS if most is None else most
        self._tokens = {name: dict.fromkeys((tokens or {}).get(name, ())) for name in TOKENS}

    def admit(self, name: str, token: str) -> bool:
        """Return whether a token is admitted, now or before."""
        tokens = self._tokens[name]
        if token in tokens:
            return True
        if len(tokens) >= self._most:
            return False
        tokens[token] = None
        return True

    def has_place(self, name: str, token: str) -> bool:
        """Return whether a token is admitted or would be: then its weights count, with their priors at least."""
        return token in self._tokens[name] or len(self._tokens[name]) < self._most

    def lists(self) -> dict[str, list[str]]:
        """Return the admitted tokens by name, in the order of their admission."""
        return {name: list(tokens) for name, tokens in self._tokens.items()}
