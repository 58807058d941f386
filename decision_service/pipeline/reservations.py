"""The reservations of a round: each drawn send gets a place under the caps before its row is appended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ulid import ULID

from decision_service.pipeline.draft import Draft
from decision_service.pipeline.item import Item
from decision_service.pipeline.parts import Parts
from decision_service.state.base import StateUnavailable
from decision_service.state.pending import RESERVED_FOR_S, NoLongerAllowed, Reservation, Reserved
from policies.catalogue.rulebook import millionths
from policies.shopper.state import Send


@dataclass
class Reservations:
    """The reservations of a round, and the time until which they hold.

    Parameters
    ----------
    incarnation
        The log's incarnation before the reservations were made.
    deadline
        The time until which the reservations hold, by the log's clock.
    attempt
        A token by which the reservations of this round differ from those of other rounds for the same event ids.
    held
        The reservations that were made, by item.
    """

    incarnation: int | None
    deadline: float
    attempt: str
    held: dict[Item, Reservation] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Parts) -> Reservations:
        """Return an object without a reservation."""
        return cls(parts.log_writer.incarnation, parts.log_writer.log.now() + RESERVED_FOR_S, str(ULID()))

    async def reserve(self, drafts: Mapping[Item, Draft], parts: Parts) -> dict[Item, Draft]:
        """Reserve the sends of drafts in one trip; return the drafts that may be appended.

        An item whose send was refused keeps its draft for a second look. The later items of its shopper rest on that
        send, so nothing is reserved for them, and they are drawn anew.

        Raises
        ------
        StateUnavailable
            When the store cannot be reached, or does not contain the log.
        """
        sends = {item: send for item, draft in drafts.items() if draft.is_send and (send := draft.send)}
        wishes = {item: self._reservation(drafts[item], send, parts) for item, send in sends.items()}
        if not wishes:
            return dict(drafts)
        results = dict(zip(wishes, await parts.store.reserve_many([*wishes.values()]), strict=True))
        self.held = {item: wishes[item] for item, result in results.items() if isinstance(result, Reserved)}
        accepted, refused = dict[Item, Draft](), set[str]()
        for item, draft in drafts.items():
            if item.request.shopper_id in refused:
                item.forget()
            elif item in wishes and item not in self.held:
                refused.add(item.request.shopper_id)
                item.keep(draft, is_lost=isinstance(results[item], NoLongerAllowed))
            else:
                accepted[item] = draft
        return accepted

    def keep(self, items: Iterable[Item]) -> None:
        """Keep the reservations of items that the log has: nothing that happens later releases them."""
        for item in items:
            self.held.pop(item, None)

    def _reservation(self, draft: Draft, send: Send, parts: Parts) -> Reservation:
        rulebook = draft.decision.rulebook
        budget = None if send.critical else rulebook.budgets.get(send.channel)
        return Reservation(
            shopper=parts.shopper_keys.key(draft.row.shopper_id),
            version=draft.stored.version,
            attempt=f"{send.event_id}/{self.attempt}",
            send=send,
            catalogue=rulebook.version,
            budget=None if budget is None else millionths(budget),
            former_channels=rulebook.former_names.names_of_channel(send.channel)[1:],
        )

    async def release(self, items: Iterable[Item], parts: Parts) -> None:
        """Release the reservations of items; if the store is away, it drops them by itself later."""
        unused = [reservation for item in items if (reservation := self.held.pop(item, None)) is not None]
        if unused:
            try:
                await parts.store.release(unused)
            except StateUnavailable:
                return
