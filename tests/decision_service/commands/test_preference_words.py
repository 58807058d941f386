"""The document that GET gives can be put again: that changes nothing, also where the catalogue changed in between."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from decision_service.catalogues.past_names import PastNames
from decision_service.commands.preference_words import Words, find_mistakes, have_unknown_names, new_words
from decision_service.log.base import NewRow
from decision_service.log.sql import SqlLog
from decision_service.schemas.preferences import preferences_of
from decision_service.schemas.preferences_change import PreferencesBody
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.records.quiet_hours import QuietHours, QuietSpan
from policies.records.rows import CatalogueRow
from policies.shopper.fold import fold
from policies.shopper.renames import rename_state
from policies.shopper.state import ShopperState
from tests.factories import NOW, small_document

DEFAULTS = {"consent": {"push": True}, "time_zone": "Europe/Madrid", "locale": "en"}
BEFORE = small_document(defaults=DEFAULTS)


def document_after_renames() -> dict[str, Any]:
    """The same catalogue after email was renamed to letters, and the category cart to basket."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(BEFORE).replace(b'"email"', b'"letters"'))
    document["channels"]["letters"] |= {"formerly": ["email"]}
    document["messages"]["reminder"]["category"] = "basket"
    document["categories"] = {"basket": {"formerly": ["cart"]}}
    return document


def document_without_email() -> dict[str, Any]:
    """The same catalogue without the channel email and the category cart."""
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(BEFORE))
    del document["channels"]["email"]
    for message in document["messages"].values():
        message["category"] = "browse"
        del message["templates"]["email"]
    return document


RULEBOOKS = [
    Rulebook.of(Catalogue.from_document(document), number)
    for number, document in enumerate((BEFORE, document_after_renames(), document_without_email()), start=1)
]


def past_names() -> PastNames:
    rows = [CatalogueRow(at=NOW, version=book.version, document=book.catalogue.to_document()) for book in RULEBOOKS]
    with TemporaryDirectory() as directory:
        log = SqlLog.open(f"sqlite:///{directory}/log.sqlite")
        log.append([NewRow(row) for row in rows])
        past = PastNames(log)
        past.look()
        log.close()
    return past


PAST = past_names()
flags = st.dictionaries(st.sampled_from(("push", "email", "letters")), st.booleans())
states = st.builds(
    ShopperState,
    consent=flags,
    reachable=flags,
    subscribed=st.sampled_from((None, True, False)),
    muted_categories=st.lists(st.sampled_from(("cart", "browse", "basket")), unique=True).map(tuple),
    max_per_week=st.sampled_from((None, 0, 3)),
    quiet_hours=st.sampled_from(
        (
            None,
            QuietHours(22 * 60, 7 * 60),
            QuietHours(0, 1_440, (5, 6)),
            QuietHours.of([QuietSpan(0, 60), QuietSpan(22 * 60, 7 * 60, (4,))]),
        )
    ),
    time_zone=st.sampled_from((None, "Europe/Madrid", "localtime")),
    locale=st.sampled_from((None, "en", "es")),
    erased=st.booleans(),
)
rulebooks = st.sampled_from(RULEBOOKS)


def body_of(document: dict[str, Any]) -> PreferencesBody:
    return PreferencesBody.model_validate_json(msgspec.json.encode(document))


def document_of(state: ShopperState, rulebook: Rulebook) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(preferences_of(state, rulebook)))
    return document


def changes(document: dict[str, Any], state: ShopperState, rulebook: Rulebook) -> Words:
    body, state = body_of(document), rename_state(state, rulebook.former_names)
    return new_words(Words.of(body, rulebook), body.stated or (), state, rulebook, PAST)


@given(states, rulebooks)
def test_putting_what_get_gave_changes_nothing(state: ShopperState, rulebook: Rulebook) -> None:
    assert not changes(document_of(state, rulebook), state, rulebook).are_any


@given(states, rulebooks, st.sampled_from(("push", "email")))
def test_one_channel_is_switched_off_whatever_the_catalogue_has_become(
    state: ShopperState, today: Rulebook, channel: str
) -> None:
    assume("letters" not in {*state.consent, *state.reachable} and "basket" not in state.muted_categories)
    document = document_of(state, RULEBOOKS[0])
    document["consent"][channel] = False
    words = changes(document, state, today)
    assert find_mistakes(words, today, PAST) == []
    row = words.row("s-1", NOW, NOW, today.former_names)
    assert True not in row.consent.values()
    after = rename_state(fold(state, row), today.former_names)
    assert not document_of(after, today)["consent"].get(today.former_names.channel(channel), False)
    before = rename_state(state, today.former_names)
    assert {*after.muted_categories} >= {*before.muted_categories}


@given(states, rulebooks)
def test_an_assumed_consent_that_is_listed_becomes_the_shopper_s_own(state: ShopperState, rulebook: Rulebook) -> None:
    document = document_of(state, rulebook)
    document["stated"] = [*document["stated"], "consent.push", "time_zone"]
    after = fold(state, changes(document, state, rulebook).row("s-1", NOW, NOW, rulebook.former_names))
    assert after.consent["push"] is document["consent"]["push"]
    assert after.time_zone == document["time_zone"]
    assert document_of(after, rulebook)["consent"] == document["consent"]


def test_a_name_that_no_catalogue_had_is_a_mistake_and_one_of_the_past_may_be_withheld() -> None:
    today = RULEBOOKS[2]
    for document, wrong in (
        ({"consent": {"email": False, "fax": False}}, ["consent.fax"]),
        ({"consent": {"email": True, "push": None}}, ["consent.email"]),
        ({"reachable": {"email": False, "fax": None}}, ["reachable.fax"]),
        ({"muted_categories": ["cart", "crat"]}, ["muted_categories.1"]),
        ({"time_zone": "localtime"}, ["time_zone"]),
        ({"time_zone": "right/Europe/Madrid"}, ["time_zone"]),
    ):
        words = Words.of(body_of(document), today)
        assert [mistake.field for mistake in find_mistakes(words, today, PAST)] == wrong
    assert have_unknown_names(Words.of(body_of({"consent": {"fax": False}}), today), today, PAST)
    assert not have_unknown_names(Words.of(body_of({"muted_categories": ["cart"]}), today), today, PAST)


def test_a_typing_error_beside_what_get_gave_is_no_silent_word() -> None:
    state, today = ShopperState(), RULEBOOKS[0]
    document = document_of(state, today)
    document["consent"]["pusch"] = False
    words = changes(document, state, today)
    assert [mistake.field for mistake in find_mistakes(words, today, PAST)] == ["consent.pusch"]
