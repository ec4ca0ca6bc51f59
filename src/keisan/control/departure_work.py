"""What settlement, credit and grants do when this platform leaves its parent, or moves: what is beyond that link is closed.

Beyond it are all platforms that are reached by it. Each work looks at what there is and does what is left to do, so it goes on
wherever it was killed; what the other side has not signed for is counted, and stays in suspense if it cannot be waited for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from keisan.control.admission import close_admission
from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.departure import DepartureWorks, StepOutcome
from keisan.control.grant import end_grants_of
from keisan.control.link_place import find_way, load_neighbourhood
from keisan.control.platform_credit import send_word
from keisan.control.settlement_batch import send_batches, take_pair
from keisan.control.settlement_period import end_period, name_key
from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.departure import StepName
from keisan.domain.ids import PlatformId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import SETTLEMENT_BATCHES_MAX
from keisan.domain.link import Link
from keisan.domain.link_log import LinkLog
from keisan.domain.platform_ticket import CreditSide, PlatformTicket, PlatformTicketState
from keisan.domain.settlement import SettlementState
from keisan.ledger.paging import walk_pages
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


@dataclass(slots=True)
class _Beyond:
    """Tells which platforms are reached by a link, each looked up once."""

    transaction: Transaction
    link: Link
    known: dict[PlatformId, bool] = field(default_factory=dict)

    async def has_platform(self, platform_id: PlatformId) -> bool:
        if platform_id not in self.known:
            way = await find_way(self.transaction, await load_neighbourhood(self.transaction), platform_id)
            self.known[platform_id] = way is not None and way.id == self.link.id
        return self.known[platform_id]


def list_departure_works() -> DepartureWorks:
    """Return who does which step of a departure."""
    return DepartureWorks(
        {
            StepName.CLOSE_PERIOD: close_periods,
            StepName.RETURN_LEASES: return_leases,
            StepName.END_GRANTS: end_grants,
        },
        ask_anew,
    )


async def close_periods(transaction: Transaction, control: Control, link: Link) -> StepOutcome:
    """Tell all that waits, and end every open period with whoever is beyond the link, today's too; done once they have signed."""
    beyond = _Beyond(transaction, link)
    for _ in range(SETTLEMENT_BATCHES_MAX):
        if not await send_batches(transaction, control):
            break
    for each in await transaction.settlements.list_open(EVERYTHING, control.platform_id):
        if not await beyond.has_platform(each.audience):
            continue
        key = name_key(each)
        waiting = await transaction.cross_records.list_waiting(EVERYTHING, key.author, key.audience, 1)
        if not waiting and await take_pair(transaction, control, key) is SettlementState.OPEN:
            await end_period(transaction, control, key)
    unsigned = [
        each
        for each in await transaction.settlements.list_unsigned(EVERYTHING, control.platform_id)
        if await beyond.has_platform(each.audience)
    ]
    end = await transaction.outgoing_logs.get_end(EVERYTHING, link.id, LinkLog.LEDGER)
    closed = f"closed up to {0 if end is None else end.sequence} of the log"
    if not unsigned:
        return StepOutcome(True, closed)
    return StepOutcome(False, f"{closed}; {len(unsigned)} periods are not signed for by the other side")


async def return_leases(transaction: Transaction, control: Control, link: Link) -> StepOutcome:
    """Stop serving on credit of whoever is beyond the link, and ask back what they hold.

    Done once every such ticket is closed, and the neighbour has what was written of it: after the goodbye nothing is sent.
    """
    beyond = _Beyond(transaction, link)
    tickets = [
        each
        async for each in walk_pages(transaction.platform_tickets.list)
        if each.state is not PlatformTicketState.CLOSED and await beyond.has_platform(each.counterparty_id)
    ]
    if not tickets:
        waiting = await _count_unheard(transaction, control, link)
        detail = f", but for {waiting} letters that it has not acknowledged" if waiting else ""
        return StepOutcome(not waiting, f"nobody holds credit of the other side{detail}")
    await _stop_serving(transaction, control, tickets)
    await _ask_back(transaction, control, tickets)
    held = sum(each.side is CreditSide.SERVING for each in tickets)
    return StepOutcome(False, f"{held} leases of others are being returned, {len(tickets) - held} are asked back")


async def end_grants(transaction: Transaction, control: Control, link: Link) -> StepOutcome:
    """End all that the parent was granted: they are this platform's to end, and its devices are free."""
    count = await end_grants_of(transaction, control, link.neighbour_id, "this platform leaves its parent")
    return StepOutcome(True, f"{count} grants were ended")


async def ask_anew(transaction: Transaction, control: Control) -> None:
    """Ask the homes of guests for credit by the new way, where what this platform had was returned by the old one."""
    serving = [each async for each in walk_pages(transaction.platform_tickets.list) if each.side is CreditSide.SERVING]
    purses = {(each.organization_id, each.currency) for each in serving}
    purses -= {
        (each.organization_id, each.currency) for each in serving if each.state is not PlatformTicketState.CLOSED
    }
    for organization_id, currency in sorted(purses):
        if await transaction.keys.list_in_force(OrganizationScope(organization_id)):
            owner = await transaction.organizations.get(EVERYTHING, organization_id)
            await send_word(transaction, control, owner, currency, None)


async def _count_unheard(transaction: Transaction, control: Control, link: Link) -> int:
    """Return how many letters of the ledger the neighbour has not acknowledged, on disk or over the connection that is there."""
    end = await transaction.outgoing_logs.get_end(EVERYTHING, link.id, LinkLog.LEDGER)
    if end is None:
        return 0
    heard = control.link_board.find_acknowledged(link.neighbour_id, LinkLog.LEDGER, end.incarnation)
    return max(0, end.sequence - max(heard, end.acknowledged_sequence))


async def _stop_serving(transaction: Transaction, control: Control, tickets: Iterable[PlatformTicket]) -> None:
    """Let tickets return: their reconciler asks own gateways, and signs the return once none of them holds anything."""
    ids = [each.id for each in tickets if each.side is CreditSide.SERVING]
    locked = await transaction.platform_tickets.lock(ids)
    stopped = [
        replace(each, state=PlatformTicketState.RETURNING)
        for each in locked.values()
        if each.state is PlatformTicketState.OPEN
    ]
    await transaction.platform_tickets.update_many(stopped)
    for each in stopped:
        await transaction.outbox.put(WorkNoun.PLATFORM_TICKET, each.id, control.clock.now())


async def _ask_back(transaction: Transaction, control: Control, tickets: Iterable[PlatformTicket]) -> None:
    """End the admissions under which others hold credit of this platform's organizations."""
    leased = {(each.organization_id, each.counterparty_id) for each in tickets if each.side is CreditSide.HOME}
    for organization_id, counterparty_id in sorted(leased):
        admission = await transaction.admissions.find(EVERYTHING, organization_id, counterparty_id)
        if admission is not None and admission.ended_at is None:
            await close_admission(transaction, control, admission, CONTROL_ACTOR)
