"""The answer to a request for a decision: two documents with the same fields in the same order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_service.schemas.decision_answer import (
    ActionAnswer,
    HoldAnswer,
    SendAnswer,
    answer,
    degraded_answer,
    iso,
    optional_iso,
)
from policies.catalogue.document import Catalogue
from policies.catalogue.rulebook import Rulebook
from policies.decide import decide
from policies.decision_row import decision_row, degraded_row
from policies.models.rule import rule_policy
from policies.records.reasons import Reason
from policies.records.request import Exclusion
from policies.records.rows import PolicyRecord, Scalar
from policies.shopper.state import NEW_SHOPPER
from tests.factories import NOW, request, small_document, trigger

FIELDS = [
    *("event_id", "decision", "hold_reason", "action", "trigger", "send_at", "content", "propensity", "policy"),
    *("arm", "eligible", "excluded", "attribution_ends_at"),
]
"""As they stand in every answer that the log keeps."""

NEW_FIELDS: dict[type[msgspec.Struct], list[str]] = {
    SendAnswer: ["locale", "ignored"],
    HoldAnswer: ["locale", "next_possible_at", "ignored"],
}
"""Fields of later versions come after, and may be absent."""

SMALL_RULEBOOK = Rulebook.of(Catalogue.from_document(small_document()), 1)


@pytest.mark.parametrize("kind", [SendAnswer, HoldAnswer])
def test_the_fields_and_their_order_are_those_of_the_log(kind: type[msgspec.Struct]) -> None:
    assert list(kind.__struct_fields__) == [*FIELDS, *NEW_FIELDS[kind]]
    assert len(kind.__struct_defaults__) == len(NEW_FIELDS[kind])


def test_a_time_is_written_in_utc() -> None:
    assert iso(NOW) == "2026-11-21T17:00:00Z"
    assert optional_iso(None) is None


def test_a_send_says_what_to_send_and_when(small_rulebook: Rulebook) -> None:
    decision = decide(request(), NEW_SHOPPER, small_rulebook, rule_policy(0.0), b"seed")
    answered = answer(decision, decision_row(decision))
    assert isinstance(answered, SendAnswer)
    assert decision.action is not None
    assert answered.action == ActionAnswer(*decision.action)
    assert (answered.trigger, answered.eligible, answered.propensity) == ("cart_abandoned", 9, decision.propensity)
    assert msgspec.json.decode(answered.encode())["send_at"] == iso(NOW + decision.action.delay_s)
    assert answered.content == {"title": "T", "body": "B", "data": {"trigger": "cart_abandoned", "event_id": "e-1"}}
    assert answered.locale == "en"


@given(st.floats(min_value=1.0, max_value=4e9))
def test_an_encoded_answer_writes_its_times_as_everything_else_does(at: float) -> None:
    decision = decide(request(), NEW_SHOPPER, SMALL_RULEBOOK, rule_policy(0.0), b"seed")
    row = msgspec.structs.replace(decision_row(decision), send_at=at, window_ends_at=at)
    encoded = msgspec.json.decode(answer(decision, row).encode())
    assert (encoded["send_at"], encoded["attribution_ends_at"]) == (iso(at), iso(at))


def answer_with(attributes: dict[str, Scalar], **of_message: Any) -> SendAnswer:
    document = small_document()
    for message in document["messages"].values():
        message |= {"templates": {"push": {"en_GB": {"body": "{{ product }}"}, "en": {"body": "B"}}}, **of_message}
    book = Rulebook.of(Catalogue.from_document(document), 1)
    asked = request(trigger(attributes=attributes), context={"locale": "en-gb"})
    decision = decide(asked, NEW_SHOPPER, book, rule_policy(0.0), b"seed")
    answered = answer(decision, decision_row(decision))
    assert isinstance(answered, SendAnswer)
    return answered


def test_the_answer_names_the_locale_as_the_catalogue_writes_it() -> None:
    answered = answer_with({"product": "Runner\r\n3"})
    assert (answered.locale, answered.content["body"]) == ("en_GB", "Runner\r\n3")


def test_an_attribute_does_not_replace_what_the_service_says() -> None:
    attributes: dict[str, Scalar] = {"product": "Runner", "trigger": "mine", "event_id": "mine", "size": 42}
    data = answer_with(attributes).content["data"]
    assert data == {"product": "Runner", "size": 42, "trigger": "cart_abandoned", "event_id": "e-1"}


@pytest.mark.parametrize(
    ("wanted", "held"), [(["size", "colour"], {"size": 42}), ([], {}), (None, {"product": "Runner", "size": 42})]
)
def test_the_message_names_the_attributes_in_the_data(wanted: list[str] | None, held: dict[str, Scalar]) -> None:
    data = answer_with({"product": "Runner", "size": 42}, data=wanted).content["data"]
    assert data == {**held, "trigger": "cart_abandoned", "event_id": "e-1"}


def test_a_hold_has_a_reason_and_counts_what_was_excluded(small_rulebook: Rulebook) -> None:
    exclude = (Exclusion(None, "push", None), Exclusion(None, "email", None))
    decision = decide(request(exclude=exclude), NEW_SHOPPER, small_rulebook, rule_policy(), b"seed")
    answered = answer(decision, decision_row(decision))
    assert isinstance(answered, HoldAnswer)
    assert (answered.hold_reason, answered.eligible, answered.propensity) == ("no_eligible_action", 1, 1.0)
    reason = Reason.excluded_by_caller.name
    assert [(part.channel, part.reason, part.count) for part in answered.excluded] == [
        ("push", reason, 4),
        ("email", reason, 4),
    ]


def test_a_lost_race_keeps_the_propensity_of_what_was_drawn(small_rulebook: Rulebook) -> None:
    decision = decide(request(), NEW_SHOPPER, small_rulebook, rule_policy(0.0), b"seed")
    answered = answer(decision, decision_row(decision, lost_race=True))
    assert isinstance(answered, HoldAnswer)
    assert (answered.hold_reason, answered.propensity) == ("lost_race", decision.propensity)


def test_nothing_is_drawn_while_the_state_is_away(small_rulebook: Rulebook) -> None:
    row = degraded_row(request(), small_rulebook, PolicyRecord("rule", 0, "online"), {}, held_out=False)
    answered = degraded_answer(row)
    assert isinstance(answered, HoldAnswer)
    assert (answered.hold_reason, answered.propensity, answered.eligible, answered.excluded) == (
        "degraded",
        None,
        0,
        (),
    )
