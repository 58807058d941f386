"""The simulated world: one hour after the other, with known truth.

Where to begin
--------------
Read `World.step` in ``world.py`` first. Each call is one hour, and calls the mechanisms in this order:

1. ``triggers.py``: shoppers join, and the triggers that are due in this hour happen (`TriggerSchedule.advance`).
2. ``deliveries.py``: sends are delivered, and shoppers see messages (`Deliveries.advance`).
3. ``reactions.py``: shoppers click, opt out, tire, and order after a click (`Reactions.advance`).
4. ``visits.py``: shoppers visit without a message, leave carts, order and lapse (`Visits.advance`).
5. ``order_book.py``: shoppers send back orders that they made before (`OrderBook.advance`).

All mechanisms change one `WorldState` (``world_state.py``) and write what happened into one `Tick` (``tick.py``).
``messages.py`` says which messages exist, ``schedule.py`` is a table of rows with due times, ``margins.py`` sums up
money. ``expected_reward.py`` is the reward of reactions as a mean over order values; `simulators.truth` computes the
expected effect of every joint action from the same probabilities. Who the shoppers are, what they feel and how they
respond: `simulators.shoppers`.
"""
