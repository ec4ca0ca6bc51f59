"""What may be leased to another platform: what no ticket of any kind holds, under the locks of every lease."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from keisan.domain.access import PlatformScope
from keisan.domain.forecast import HISTORY_DAYS, build_span
from keisan.domain.holder import Holder
from keisan.domain.ids import OrganizationId, PlatformId, TicketId
from keisan.domain.platform_ticket import PlatformTicket
from keisan.ledger.budget import lock_books
from keisan.ledger.escrow import load_facts, lock_wallets
from keisan.ledger.rule_escrow import SetAside, build_bounds
from keisan.ledger.rule_forecast import compute_forecast
from keisan.ledger.rule_ticket import Pot
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class FreeCredit:
    """What no ticket holds of an organization's credit, None where nothing bounds it; and its open platform tickets, locked."""

    free_nano: int | None
    tickets: Mapping[TicketId, PlatformTicket]


async def lock_credit(
    transaction: Transaction, organization_id: OrganizationId, currency: str, now: datetime
) -> FreeCredit:
    """Return what may be leased of an organization's credit, locked as the exchange with gateways locks it.

    A prepaid organization without a wallet has nothing.
    """
    holder = Holder(organization_id)
    facts = await load_facts(transaction, [holder], now)
    wallets = await lock_wallets(transaction, [(holder, currency)], facts)
    tickets = await transaction.platform_tickets.lock_open([(organization_id, currency)])
    held = await transaction.tickets.list_open(EVERYTHING, [organization_id])
    books = await lock_books(transaction, [holder])
    wallet = wallets.get((organization_id, currency))
    if wallet is None:
        return FreeCredit(0, tickets)
    binding = wallet if facts.is_prepaid(holder) else None
    bounds = build_bounds(holder, binding, currency, SetAside(books, tuple(tickets.values()), now))
    if not bounds:
        return FreeCredit(None, tickets)
    pot = Pot(bounds, {each.id: each for each in held if each.currency == currency})
    return FreeCredit(max(0, pot.available_nano), tickets)


async def compute_lease_forecast(
    view: Transaction, organization_id: OrganizationId, counterparty_id: PlatformId, lease_s: int, now: datetime
) -> int | None:
    """Return the upper end of what an organization is expected to spend at a platform within a lease, at the wholesale price.

    None while there is no forecast; days are those of UTC.
    """
    since = now - timedelta(days=HISTORY_DAYS)
    spent: dict[date, int] = defaultdict(int)
    for admitted_at, amount_nano in await view.cross_charges.list_since(
        EVERYTHING, organization_id, counterparty_id, since
    ):
        spent[admitted_at.date()] += amount_nano
    forecast = compute_forecast(build_span(now, -(-lease_s // DAY_S)), spent, 0)
    return None if forecast.end is None else forecast.end.high_nano
