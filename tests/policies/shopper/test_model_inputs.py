"""What a model sees of a trigger is the same when the request is decided and when its send is learned."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policies.learning.attribution import Attribution
from policies.records.rows import CatalogueRow, ClockRow, Row, Scalar
from policies.records.shopper_numbers import ShopperNumbers
from policies.shopper.model_inputs import trigger_input
from tests.factories import NOW, WINDOW_S, send_row, small_document, trigger

attributes = st.dictionaries(
    st.sampled_from(["category", "price"]), st.text(max_size=3) | st.integers(-9, 9) | st.floats() | st.booleans()
)


@given(attributes, st.integers(0, 1), st.sampled_from([None, ShopperNumbers(load=(1.5, 0.5))]))
def test_an_interaction_has_the_input_of_the_trigger_that_its_send_answers(
    of_one: dict[str, Scalar], answered: int, numbers: ShopperNumbers | None
) -> None:
    triggers = trigger("wishlist"), trigger("cart_abandoned", attributes=of_one)
    row = send_row(triggers=triggers, drawn_trigger=answered, context={"segment": "loyal"}, numbers=numbers)
    log: list[Row] = [CatalogueRow(0.0, 1, small_document()), row, ClockRow(NOW + WINDOW_S)]
    attribution = Attribution(lambda event_ids: {"e-1": [(2, row)]})
    (learned,) = [one for position, logged in enumerate(log, 1) for one in attribution.advance(position, logged)]
    assert learned.model_input == trigger_input(row.context, row.numbers, triggers[answered], "e-1")
    assert learned.model_input.numbers == (numbers or ShopperNumbers())
    assert learned.delays_s == (0, 3_600)
