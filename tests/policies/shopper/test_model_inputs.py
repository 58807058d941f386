"""What a model sees of a trigger is the same when the request is decided and when its send is learned."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policies.learning.attribution import Attribution
from policies.records.rows import CatalogueRow, ClockRow, DecisionRow, Row, Scalar
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.model_inputs import numbers_in, trigger_input
from tests.factories import NOW, WINDOW_S, send_row, small_document, trigger

attributes = st.dictionaries(
    st.sampled_from(["category", "price"]), st.text(max_size=3) | st.integers(-9, 9) | st.floats() | st.booleans()
)


@given(attributes, st.integers(0, 1))
def test_an_interaction_has_the_input_of_the_trigger_that_its_send_answers(
    of_one: dict[str, Scalar], answered: int
) -> None:
    triggers = trigger("wishlist"), trigger("cart_abandoned", attributes=of_one)
    row = send_row(triggers=triggers, drawn_trigger=answered, context={"segment": "loyal"})
    log: list[Row] = [CatalogueRow(0.0, 1, small_document()), row, ClockRow(NOW + WINDOW_S)]
    attribution = Attribution(lambda event_ids: {"e-1": [(2, row)]})
    (learned,) = [one for position, logged in enumerate(log, 1) for one in attribution.advance(position, logged)]
    assert learned.model_input == trigger_input(row.context, numbers_in(row), triggers[answered], "e-1")
    assert learned.delays_s == (0, 3_600)


def test_a_row_without_numbers_says_that_nothing_is_known() -> None:
    row: DecisionRow = send_row()
    assert numbers_in(row) == ShopperNumbers()
