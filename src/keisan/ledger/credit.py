"""The credit exchange (R1): a gateway's word is taken in, its wants are served within bounds, its tickets are renewed.

One transaction, which locks as intake does: wallets, platform tickets, tickets, then budgets. Leasing is guarded by the
lock of the organization's wallet, so two gateways never get the same money, nor the same part of a budget.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.holder import Holder
from keisan.domain.ids import MachineId, TicketId
from keisan.domain.incarnation import Incarnation
from keisan.domain.lease import WorkNoun
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.ledger.budget import lock_books, write_books
from keisan.ledger.escrow import Escrow, Wallet, find_holders, load_facts, lock_wallets
from keisan.ledger.rule_escrow import SetAside, build_bounds
from keisan.ledger.rule_ticket import (
    Bound,
    Moment,
    Pot,
    close_ticket,
    compute_end,
    is_ended_by,
    merge_report,
    recall_ticket,
    renew_ticket,
    serve_want,
)
from keisan.ledger.share import exchange_shares
from keisan.storage.base import Storage, Transaction
from keisan.wire.credit import CreditAnswer, CreditReport, LeasedTicket, RefusedWant, TicketReport

# How often a gateway speaks that holds credit which others may want: several times while a call waits for it.
RENEW_CONTESTED_S = 1
# Whose credit, as its id stands in a report, in which currency.
Line = tuple[UUID, str]


@dataclass(slots=True)
class _Exchange:
    """An exchange while it is worked on. `tickets` are those of the gateway and those on the wallets it wants from.

    `bounds` are of what it wants and may have; `recalled` are its own tickets of holders from whom nothing is leased.
    """

    transaction: Transaction
    gateway: Incarnation
    report: CreditReport
    moment: Moment
    bounds: Mapping[Escrow, Sequence[Bound]]
    holders: Mapping[UUID, Holder]
    stored: Mapping[TicketId, Ticket]
    recalled: frozenset[TicketId]
    tickets: dict[TicketId, Ticket]
    refused: dict[Line, Bound | None] = field(default_factory=dict)

    @property
    def own(self) -> list[Ticket]:
        """Return the gateway's own open tickets."""
        named = (self.gateway.gateway_id, self.gateway.incarnation, TicketState.OPEN)
        found = [each for each in self.tickets.values() if (each.gateway_id, each.incarnation, each.state) == named]
        return sorted(found, key=lambda ticket: ticket.id)

    @property
    def told(self) -> list[Ticket]:
        """Return those of them that the report is about."""
        return [ticket for ticket in self.own if self.report.is_about(ticket.holder.id)]


async def exchange_credit(
    storage: Storage, clock: Clock, terms: CreditTerms, gateway_id: MachineId, report: CreditReport
) -> CreditAnswer:
    """Take a gateway's report in and return what it may spend.

    Raises StateConflict for a report that a later one of the same gateway has overtaken, StorageUnavailable if nothing
    was committed; a gateway then reports again.
    """
    async with storage.write() as transaction:
        gateway = await _note_word(transaction, clock, gateway_id, report)
        exchange = await _open_exchange(transaction, gateway, report, Moment(clock.now(), terms))
        _take_word(exchange)
        if not report.is_last:
            _serve_wants(exchange)
        answered = [_describe_ticket(ticket) for ticket in exchange.told]
        for ticket in exchange.told:
            # Asked once: whoever still needs it asks again.
            exchange.tickets[ticket.id] = replace(ticket, give_back_nano=0)
        await _write_tickets(exchange)
        rates, default_share_ppm = await exchange_shares(transaction, gateway, report, exchange.moment)
        await transaction.incarnations.put(
            replace(gateway, default_share_ppm=max(report.default_share_ppm, default_share_ppm))
        )
    return CreditAnswer(
        lease_s=terms.lease_s,
        renew_s=_choose_renew_s(exchange),
        tickets=tuple(answered),
        refused=tuple(_describe_refusal(line, bound) for line, bound in exchange.refused.items()),
        rates=rates,
        default_share_ppm=default_share_ppm,
    )


async def _note_word(
    transaction: Transaction, clock: Clock, gateway_id: MachineId, report: CreditReport
) -> Incarnation:
    """Return the gateway as it has just spoken; it stays locked, so its exchanges come one after the other."""
    last = await transaction.incarnations.lock(gateway_id)
    if last is not None and not last.is_overtaken_by(report.incarnation, report.sequence):
        raise StateConflict("this report was overtaken by a later one", f"{report.incarnation} {report.sequence}")
    platform = await transaction.platform.get()
    heard = Incarnation(
        gateway_id=gateway_id,
        platform_id=platform.id,
        incarnation=report.incarnation,
        sequence=report.sequence,
        default_share_ppm=last.default_share_ppm if last is not None else 0,
        heard_at=clock.now(),
    )
    await transaction.incarnations.put(heard)
    return heard


async def _open_exchange(
    transaction: Transaction, gateway: Incarnation, report: CreditReport, moment: Moment
) -> _Exchange:
    holders = await find_holders(transaction, {want.holder_id for want in report.wanted})
    wanted = {(holders[want.holder_id], want.currency) for want in report.wanted if want.holder_id in holders}
    facts = await load_facts(transaction, holders.values(), moment.now)
    leasable = {escrow for escrow in wanted if facts.is_leasable(*escrow)}
    wallets = await lock_wallets(transaction, leasable, facts)
    platform_tickets = await transaction.platform_tickets.lock_open(wallets)
    tickets = await transaction.tickets.lock_open(gateway.gateway_id, wallets)
    books = await lock_books(transaction, {holder for holder, _ in leasable})
    # A step in which something is set aside was present, whatever the clock says later.
    begun = [book.begin_step(moment.now) for book in books]
    await write_books(transaction, books, begun)
    aside = SetAside(begun, tuple(platform_tickets.values()), moment.now)
    bounds: dict[Escrow, Sequence[Bound]] = {}
    for holder, currency in leasable:
        wallet = wallets.get((holder.organization_id, currency))
        binding = wallet if facts.is_prepaid(holder) else None
        if wallet is not None:
            bounds[holder, currency] = build_bounds(holder, binding, currency, aside)
    own = [ticket for ticket in tickets.values() if ticket.gateway_id == gateway.gateway_id]
    return _Exchange(
        transaction=transaction,
        gateway=gateway,
        report=report,
        moment=replace(moment, speaking=await _list_speaking(transaction, moment)),
        bounds={escrow: binding for escrow, binding in bounds.items() if binding},
        holders=holders,
        stored=tickets,
        recalled=await _list_recalled(transaction, own, moment),
        tickets=dict(tickets),
    )


async def _list_speaking(transaction: Transaction, moment: Moment) -> frozenset[UUID]:
    gateways = await transaction.incarnations.list_all(PlatformScope())
    silence_s, now = moment.terms.silence_s, moment.now
    return frozenset(each.incarnation for each in gateways if each.is_heard_within(silence_s, now))


async def _list_recalled(transaction: Transaction, tickets: Sequence[Ticket], moment: Moment) -> frozenset[TicketId]:
    """Return those tickets whose holders are leased nothing any more: no longer budgeted, revoked, now postpaid, or not credited."""
    facts = await load_facts(transaction, {ticket.holder for ticket in tickets}, moment.now)
    return frozenset(ticket.id for ticket in tickets if not facts.is_leasable(ticket.holder, ticket.currency))


def _take_word(exchange: _Exchange) -> None:
    """Close what the report ends, merge what it says of the others, and lease them anew."""
    report, moment = exchange.report, exchange.moment
    words = {word.ticket_id: word for word in report.tickets}
    for ticket in exchange.stored.values():
        if ticket.gateway_id != exchange.gateway.gateway_id:
            continue
        is_own = ticket.incarnation == report.incarnation
        heard = merge_report(ticket, words[ticket.id]) if is_own and ticket.id in words else ticket
        if is_ended_by(heard, report):
            exchange.tickets[ticket.id] = close_ticket(heard, moment.now)
        elif is_own:
            renewed = renew_ticket(heard, moment)
            is_recalled = ticket.id in exchange.recalled
            exchange.tickets[ticket.id] = recall_ticket(renewed, moment.now) if is_recalled else renewed


def _serve_wants(exchange: _Exchange) -> None:
    """Serve each want within its bounds; one that is not repeated is none any more."""
    wanted = _gather_wants(exchange)
    own = {(ticket.holder, ticket.currency): ticket for ticket in exchange.own}
    words = {word.ticket_id: word for word in exchange.report.tickets}
    for ticket in exchange.told:
        if ticket.wanted_nano and (ticket.holder, ticket.currency) not in wanted:
            exchange.tickets[ticket.id] = replace(ticket, wanted_nano=0, wanting_since=None)
    for escrow, wanted_nano in wanted.items():
        ticket = own.get(escrow) or _build_ticket(exchange, escrow)
        ticket = exchange.tickets.get(ticket.id, ticket)
        missing_nano = wanted_nano - _count_unheard(ticket, words.get(ticket.id))
        if missing_nano > 0:
            _serve_want(exchange, _build_pot(exchange, escrow).put(ticket), ticket, missing_nano)


def _gather_wants(exchange: _Exchange) -> dict[Escrow, int]:
    """Return what is wanted of each escrow; of one that there is not, nothing."""
    wanted: dict[Escrow, int] = {}
    for line in exchange.report.wanted:
        holder = exchange.holders.get(line.holder_id)
        if holder is not None and (holder, line.currency) in exchange.bounds:
            escrow = holder, line.currency
            wanted[escrow] = max(line.wanted_nano, wanted.get(escrow, 0))
        else:
            exchange.refused[line.holder_id, line.currency] = None
    return wanted


def _build_pot(exchange: _Exchange, escrow: Escrow) -> Pot:
    """Return the bounds of an escrow with the open tickets under them, as they are after what was served before."""
    holder, currency = escrow
    wallet = (holder.organization_id, currency)
    return Pot(exchange.bounds[escrow], _list_open(exchange.tickets.values(), wallet))


def _list_open(tickets: Iterable[Ticket], wallet: Wallet) -> dict[TicketId, Ticket]:
    return {
        ticket.id: ticket
        for ticket in tickets
        if ticket.state is TicketState.OPEN and (ticket.organization_id, ticket.currency) == wallet
    }


def _count_unheard(ticket: Ticket, word: TicketReport | None) -> int:
    """Return what was leased in answers that the gateway never got: it comes with this one."""
    if word is None:
        return ticket.credit_nano
    return 0 if word.credit_nano is None else ticket.credit_nano - word.credit_nano


def _serve_want(exchange: _Exchange, pot: Pot, own: Ticket, wanted_nano: int) -> None:
    served, refusing = serve_want(pot, own.id, wanted_nano, exchange.moment)
    exchange.tickets |= served.tickets
    if refusing is not None:
        exchange.refused[own.holder.id, own.currency] = refusing
        if own.id not in exchange.stored and not served.tickets[own.id].credit_nano:
            # What is used up needs no ticket for each gateway that asks.
            exchange.tickets.pop(own.id)


def _build_ticket(exchange: _Exchange, escrow: Escrow) -> Ticket:
    gateway, now, (holder, currency) = exchange.gateway, exchange.moment.now, escrow
    ticket = Ticket(
        id=TicketId(create_id()),
        platform_id=gateway.platform_id,
        organization_id=holder.organization_id,
        project_id=holder.project_id,
        key_id=holder.key_id,
        currency=currency,
        gateway_id=gateway.gateway_id,
        incarnation=gateway.incarnation,
        state=TicketState.OPEN,
        credit_nano=0,
        returned_nano=0,
        spent_nano=0,
        reserved_nano=0,
        posted_nano=0,
        give_back_nano=0,
        wanted_nano=0,
        wanting_since=None,
        is_contested=False,
        expires_at=now,
        created_at=now,
        closed_at=None,
    )
    return renew_ticket(ticket, exchange.moment)


async def _write_tickets(exchange: _Exchange) -> None:
    transaction, stored = exchange.transaction, exchange.stored
    changed = [ticket for ticket in exchange.tickets.values() if ticket.id in stored and ticket != stored[ticket.id]]
    await transaction.tickets.update_many(changed)
    for ticket in exchange.tickets.values():
        if ticket.id not in stored:
            await transaction.tickets.insert(ticket)
            await transaction.outbox.put(WorkNoun.TICKET, ticket.id, compute_end(ticket, exchange.moment.terms))
    for ticket in changed:
        if ticket.state is TicketState.CLOSED:
            await note_closed(transaction, f"machine:{ticket.gateway_id}", stored[ticket.id])


async def note_closed(transaction: Transaction, actor: str, ticket: Ticket) -> None:
    """Write the event of a ticket that is closed now, as it was before: what it held is free again."""
    detail = {
        "organization_id": str(ticket.organization_id),
        "holder_id": str(ticket.holder.id),
        "gateway_id": str(ticket.gateway_id),
        "currency": ticket.currency,
        "credit_nano": str(ticket.credit_nano),
        "posted_nano": str(ticket.posted_nano),
        "freed_nano": str(ticket.held_nano),
    }
    await transaction.events.append(EventDraft(actor, "ticket.closed", ticket.id, detail))


def _describe_ticket(ticket: Ticket) -> LeasedTicket:
    return LeasedTicket(
        ticket_id=ticket.id,
        holder_id=ticket.holder.id,
        credit_nano=ticket.credit_nano,
        give_back_nano=ticket.give_back_nano,
        currency=ticket.currency,
    )


def _describe_refusal(line: Line, bound: Bound | None) -> RefusedWant:
    holder_id, currency = line
    name = "" if bound is None else "wallet" if bound.is_wallet else "budget"
    return RefusedWant(holder_id=holder_id, currency=currency, bound=name)


def _choose_renew_s(exchange: _Exchange) -> int:
    """Return when the gateway is to speak again: soon if it holds what others may want."""
    is_wanted = any(ticket.is_contested and ticket.unspent_nano for ticket in exchange.own)
    return min(RENEW_CONTESTED_S, exchange.moment.terms.renew_s) if is_wanted else exchange.moment.terms.renew_s
