"""What a PUT of preferences says: its words under the names of today, which of them are new, and which are wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from decision_service.catalogues.past_names import PastNames
from decision_service.errors import FieldError
from decision_service.schemas.preferences_change import PreferencesBody
from policies.catalogue.former_names import FormerNames
from policies.catalogue.quiet_hours import quiet_hours_of
from policies.catalogue.rulebook import Rulebook
from policies.catalogue.time_zones import is_time_zone
from policies.records.rows import PreferencesRow
from policies.rules.consent import consents_by_itself
from policies.shopper.state import ShopperState

ByChannel = Mapping[str, bool | None]


@dataclass(frozen=True)
class Words:
    """Words about preferences; null takes a word back.

    Parameters
    ----------
    consent, reachable
        By channel.
    muted
        The muted categories, None where nothing is said about them.
    others
        The other preferences that are said, by field.
    """

    consent: ByChannel = field(default_factory=dict)
    reachable: ByChannel = field(default_factory=dict)
    muted: tuple[str, ...] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, body: PreferencesBody, rulebook: Rulebook) -> Words:
        """Read a body; a former name stands for the name of today."""
        names, said = rulebook.former_names, body.model_fields_set
        others = {name: getattr(body, name) for name in _OTHERS if name in said}
        if "quiet_hours" in said:
            others["quiet_hours"] = quiet_hours_of(body.quiet_hours)
        return cls(
            consent=_by_channel(body.consent, rulebook) if "consent" in said else {},
            reachable=_by_channel(body.reachable, rulebook) if "reachable" in said else {},
            muted=tuple(map(names.category, body.muted_categories or ())) if "muted_categories" in said else None,
            others=others,
        )

    @property
    def are_any(self) -> bool:
        """Whether anything is said."""
        return bool(self.consent or self.reachable or self.others) or self.muted is not None

    def withheld_paths(self, but_muted: Collection[str] = ()) -> Iterator[str]:
        """Yield the paths that the words withhold, without the categories that were muted before."""
        for name, words in (("consent", self.consent), ("reachable", self.reachable)):
            yield from (f"{name}.{channel}" for channel, word in words.items() if word is False)
        yield from (f"muted_categories.{category}" for category in self.muted or () if category not in but_muted)
        if self.others.get("subscribed") is False:
            yield "subscribed"

    def row(self, shopper_id: str, at: float, stated_at: float, names: FormerNames) -> PreferencesRow:
        """Return the row that says the words: a renamed channel or category stands under all its names."""
        changes = dict(self.others)
        if self.muted is not None:
            muted = (name for category in self.muted for name in names.names_of_category(category))
            changes["muted_categories"] = tuple(dict.fromkeys(muted))
        return PreferencesRow(
            at,
            shopper_id,
            _under_all_names(self.consent, names),
            reachable=_under_all_names(self.reachable, names),
            stated_at=None if stated_at == at else stated_at,
            **changes,
        )


_OTHERS = ("subscribed", "max_per_week", "quiet_hours", "time_zone", "locale")


def _by_channel(words: ByChannel | None, rulebook: Rulebook) -> dict[str, bool | None]:
    """Return words under the names of today; where two names become one, what withholds wins."""
    if words is None:
        return dict.fromkeys(rulebook.catalogue.channels)
    renamed: dict[str, bool | None] = {}
    for name, word in words.items():
        channel = rulebook.former_names.channel(name)
        renamed[channel] = False if renamed.get(channel) is False else word
    return renamed


def _under_all_names(words: ByChannel, names: FormerNames) -> dict[str, bool | None]:
    return {name: word for channel, word in words.items() for name in names.names_of_channel(channel)}


def new_words(words: Words, stated: Collection[str], state: ShopperState, rulebook: Rulebook, past: PastNames) -> Words:
    """Return the words of a document that change something.

    A field of the document is the shopper's word if it is listed in ``stated`` or differs from what is in force, and a
    word changes something if the shopper has not said it before. A channel that the catalogue no longer has can only be
    withheld. ``stated`` and ``state`` are under the names of today.
    """
    catalogue, defaults = rulebook.catalogue, rulebook.catalogue.defaults
    gone = {name: True for name in (*words.consent, *words.reachable) if past.had_channel(name)}
    consent = gone | {name: consents_by_itself(state, name, catalogue.consents(name)) for name in catalogue.channels}
    reachable = gone | {name: state.reachable.get(name, True) for name in catalogue.channels}
    in_force = {"subscribed": True, "time_zone": defaults.time_zone, "locale": defaults.locale}
    said = {name: value for name in _OTHERS if (value := getattr(state, name)) is not None}
    return Words(
        consent=_new(words.consent, state.consent, consent, stated, "consent."),
        reachable=_new(words.reachable, state.reachable, reachable, stated, "reachable."),
        muted=None if words.muted is None or {*words.muted} == {*state.muted_categories} else words.muted,
        others=_new(words.others, said, in_force, stated),
    )


def _new(
    words: Mapping[str, Any],
    said: Mapping[str, Any],
    in_force: Mapping[str, Any],
    stated: Collection[str],
    prefix: str = "",
) -> dict[str, Any]:
    def is_new(name: str, word: Any) -> bool:
        if name in said or word is None:
            return bool(word != said.get(name))
        return f"{prefix}{name}" in stated or word != in_force.get(name)

    return {name: word for name, word in words.items() if is_new(name, word)}


def merge_words(first: Words, second: Words) -> Words:
    """Return the words of both, which do not contradict each other."""
    return Words(
        consent={**first.consent, **second.consent},
        reachable={**first.reachable, **second.reachable},
        muted=second.muted if first.muted is None else first.muted,
        others={**first.others, **second.others},
    )


def keep_withdrawals(words: Words, muted: tuple[str, ...] | None) -> Words:
    """Return only the words that withhold something.

    ``muted`` are the categories that are muted already; None where they are not known, and then none is muted.
    """
    new_mutes = [category for category in words.muted or () if muted is not None and category not in muted]
    return Words(
        consent={channel: word for channel, word in words.consent.items() if word is False},
        reachable={channel: word for channel, word in words.reachable.items() if word is False},
        muted=(*(muted or ()), *dict.fromkeys(new_mutes)) if new_mutes else None,
        others={"subscribed": False} if words.others.get("subscribed") is False else {},
    )


def have_unknown_names(words: Words, rulebook: Rulebook, past: PastNames) -> bool:
    """Return whether words name a channel or category that is not in the catalogue and not known as a past name."""
    channels = (name for name in (*words.consent, *words.reachable) if name not in rulebook.catalogue.channels)
    categories = (name for name in words.muted or () if name not in categories_of(rulebook))
    return not all(map(past.had_channel, channels)) or not all(map(past.had_category, categories))


def known_words(words: Words, rulebook: Rulebook, past: PastNames) -> Words:
    """Return the words without channels and categories that no catalogue ever had."""
    channels, categories = rulebook.catalogue.channels, categories_of(rulebook)
    return replace(
        words,
        consent={name: word for name, word in words.consent.items() if name in channels or past.had_channel(name)},
        reachable={name: word for name, word in words.reachable.items() if name in channels or past.had_channel(name)},
        muted=words.muted and tuple(name for name in words.muted if name in categories or past.had_category(name)),
    )


def find_mistakes(words: Words, rulebook: Rulebook, past: PastNames) -> list[FieldError]:
    """Return what is wrong with words: names that do not exist, and a time zone that is none.

    A name that the catalogue no longer has may be withheld.
    """
    channels, categories = rulebook.catalogue.channels, categories_of(rulebook)
    mistakes = [
        FieldError(f"{name}.{channel}", "the catalogue has no such channel")
        for name, of_channels in (("consent", words.consent), ("reachable", words.reachable))
        for channel, word in of_channels.items()
        if channel not in channels and not (word is False and past.had_channel(channel))
    ]
    mistakes += [
        FieldError(f"muted_categories.{number}", "the catalogue has no such category")
        for number, category in enumerate(words.muted or ())
        if category not in categories and not past.had_category(category)
    ]
    zone = words.others.get("time_zone")
    if zone is not None and not is_time_zone(zone):
        mistakes.append(FieldError("time_zone", "is not a known IANA time zone"))
    return mistakes


def categories_of(rulebook: Rulebook) -> set[str]:
    """Return the categories of the catalogue in force."""
    return {message.category for message in rulebook.catalogue.messages.values()}
