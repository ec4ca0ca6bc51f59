"""Prices: one that was made for later comes into the gateways' snapshot when it is in force.

The snapshot is compiled from what is in force by the clock of whichever platform process compiles it. One whose clock is
behind may do so with the price before, so the snapshot is touched once more when no clock can be that far behind.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.price import touch_price
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NotFound
from keisan.domain.ids import PriceId
from keisan.domain.price import Price
from keisan.storage.base import Transaction

# Clocks of one platform's hosts are kept by NTP, within a fraction of a second.
CLOCKS_APART = timedelta(seconds=30)
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PriceStart:
    """A price and the one that holds until it does, None without one."""

    price: Price
    replaced: Price | None


@dataclass(frozen=True, slots=True)
class PriceChange:
    """Whether the snapshot is to be touched, and when to look again, None for never."""

    start: PriceStart
    is_touched: bool
    due_again_at: datetime | None


class PriceReconciler:
    """Touches the snapshot when a price comes into force."""

    async def load(self, transaction: Transaction, noun_id: UUID) -> PriceStart | None:
        """Return the price with the one it takes the place of, None if there is no such price."""
        scope = PlatformScope()
        try:
            price = await transaction.prices.get(scope, PriceId(noun_id))
        except NotFound:
            return None
        before = await transaction.prices.list_current(scope, [price.model_id], price.effective_from - MOMENT)
        return PriceStart(price, before.get(price.model_id))

    def decide(self, state: PriceStart, now: datetime) -> PriceChange:
        """Touch the snapshot from the price's first instant on, and a last time when every clock has passed it.

        A price that a later version has taken the place of meanwhile is touched too: it is no row then, and stays none.
        """
        starts_at = state.price.effective_from
        settled_at = starts_at + CLOCKS_APART
        if now < starts_at:
            return PriceChange(state, is_touched=False, due_again_at=starts_at)
        return PriceChange(state, is_touched=True, due_again_at=settled_at if now < settled_at else None)

    async def apply(self, transaction: Transaction, change: PriceChange, now: datetime) -> datetime | None:  # noqa: ARG002  # the contract's
        """Mark the price, the one before it and their model, and look again as decided."""
        if change.is_touched:
            await touch_price(transaction, change.start.price, change.start.replaced)
        return change.due_again_at
