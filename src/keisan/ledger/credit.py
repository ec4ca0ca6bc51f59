"""The credit exchange (R1): a gateway's word is taken in, its wants are served from wallets, its tickets are renewed.

One transaction, which locks in the order that intake does: wallets, then tickets. Leasing is guarded by the lock of the
wallet, so two gateways never get the same money.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keisan.domain.access import PlatformScope
from keisan.domain.account import Account
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import MachineId, OrganizationId, TicketId
from keisan.domain.incarnation import Incarnation
from keisan.domain.lease import WorkNoun
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.ledger.rule_ticket import (
    Moment,
    Pot,
    close_ticket,
    compute_end,
    is_ended_by,
    merge_report,
    renew_ticket,
    serve_want,
)
from keisan.ledger.share import exchange_shares
from keisan.storage.base import Storage, Transaction
from keisan.wire.credit import CreditAnswer, CreditReport, LeasedTicket, RefusedWant, TicketReport

# How often a gateway speaks that holds credit which others may want: several times while a call waits for it.
RENEW_CONTESTED_S = 1
Wallet = tuple[OrganizationId, str]


@dataclass(slots=True)
class _Exchange:
    """An exchange while it is worked on. `tickets` are those of the gateway and those on the wallets it wants from."""

    transaction: Transaction
    gateway: Incarnation
    report: CreditReport
    moment: Moment
    wallets: Mapping[Wallet, Account]
    stored: Mapping[TicketId, Ticket]
    tickets: dict[TicketId, Ticket]
    refused: list[Wallet] = field(default_factory=list)

    @property
    def own(self) -> list[Ticket]:
        """Return the gateway's own open tickets."""
        named = (self.gateway.gateway_id, self.gateway.incarnation, TicketState.OPEN)
        found = [each for each in self.tickets.values() if (each.gateway_id, each.incarnation, each.state) == named]
        return sorted(found, key=lambda ticket: ticket.id)

    @property
    def told(self) -> list[Ticket]:
        """Return those of them that the report is about."""
        return [ticket for ticket in self.own if self.report.is_about(ticket.organization_id)]


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
        refused=tuple(RefusedWant(organization_id=owner_id, currency=code) for owner_id, code in exchange.refused),
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
    scope = PlatformScope()
    wanted = {(OrganizationId(want.organization_id), want.currency) for want in report.wanted}
    named = await transaction.accounts.list_wallets(scope, {owner_id for owner_id, _ in wanted})
    locked = await transaction.accounts.lock(
        [account.id for account in named if (account.organization_id, account.currency) in wanted]
    )
    wallets = {
        (account.organization_id, account.currency): account
        for account in locked.values()
        if account.organization_id is not None
    }
    tickets = await transaction.tickets.lock_open(gateway.gateway_id, wallets)
    gateways = await transaction.incarnations.list_all(scope)
    silence_s, now = moment.terms.silence_s, moment.now
    speaking = frozenset(each.incarnation for each in gateways if each.is_heard_within(silence_s, now))
    return _Exchange(transaction, gateway, report, replace(moment, speaking=speaking), wallets, tickets, dict(tickets))


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
            exchange.tickets[ticket.id] = renew_ticket(heard, moment)


def _serve_wants(exchange: _Exchange) -> None:
    """Serve each want from its wallet; one that is not repeated is none any more."""
    wanted, pots = _gather_wants(exchange), _build_pots(exchange)
    own = {(ticket.organization_id, ticket.currency): ticket for ticket in exchange.own}
    words = {word.ticket_id: word for word in exchange.report.tickets}
    for ticket in exchange.told:
        if ticket.wanted_nano and (ticket.organization_id, ticket.currency) not in wanted:
            exchange.tickets[ticket.id] = replace(ticket, wanted_nano=0, wanting_since=None)
    for wallet, wanted_nano in wanted.items():
        ticket = own.get(wallet) or _build_ticket(exchange, wallet)
        missing_nano = wanted_nano - _count_unheard(ticket, words.get(ticket.id))
        if missing_nano > 0:
            _serve_want(exchange, pots[wallet].put(ticket), ticket, missing_nano)


def _gather_wants(exchange: _Exchange) -> dict[Wallet, int]:
    """Return what is wanted from each wallet; of one that there is not, nothing."""
    wanted: dict[Wallet, int] = {}
    for line in exchange.report.wanted:
        wallet = OrganizationId(line.organization_id), line.currency
        if wallet in exchange.wallets:
            wanted[wallet] = max(line.wanted_nano, wanted.get(wallet, 0))
        else:
            exchange.refused.append(wallet)
    return wanted


def _build_pots(exchange: _Exchange) -> dict[Wallet, Pot]:
    open_tickets: dict[Wallet, dict[TicketId, Ticket]] = {wallet: {} for wallet in exchange.wallets}
    for ticket in exchange.tickets.values():
        wallet = (ticket.organization_id, ticket.currency)
        if ticket.state is TicketState.OPEN and wallet in open_tickets:
            open_tickets[wallet][ticket.id] = ticket
    return {wallet: Pot(exchange.wallets[wallet].balance_nano, on_wallet) for wallet, on_wallet in open_tickets.items()}


def _count_unheard(ticket: Ticket, word: TicketReport | None) -> int:
    """Return what was leased in answers that the gateway never got: it comes with this one."""
    if word is None:
        return ticket.credit_nano
    return 0 if word.credit_nano is None else ticket.credit_nano - word.credit_nano


def _serve_want(exchange: _Exchange, pot: Pot, own: Ticket, wanted_nano: int) -> None:
    served, is_refused = serve_want(pot, own.id, wanted_nano, exchange.moment)
    exchange.tickets |= served.tickets
    if is_refused:
        exchange.refused.append((own.organization_id, own.currency))
        if own.id not in exchange.stored and not served.tickets[own.id].credit_nano:
            # A wallet that is empty needs no ticket for each gateway that asks.
            exchange.tickets.pop(own.id)


def _build_ticket(exchange: _Exchange, wallet: Wallet) -> Ticket:
    gateway, now = exchange.gateway, exchange.moment.now
    ticket = Ticket(
        id=TicketId(create_id()),
        platform_id=gateway.platform_id,
        organization_id=wallet[0],
        currency=wallet[1],
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
    """Write the event of a ticket that is closed now, as it was before: what it held goes back to the wallet."""
    detail = {
        "organization_id": str(ticket.organization_id),
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
        organization_id=ticket.organization_id,
        credit_nano=ticket.credit_nano,
        give_back_nano=ticket.give_back_nano,
        currency=ticket.currency,
    )


def _choose_renew_s(exchange: _Exchange) -> int:
    """Return when the gateway is to speak again: soon if it holds what others may want."""
    is_wanted = any(ticket.is_contested and ticket.unspent_nano for ticket in exchange.own)
    return min(RENEW_CONTESTED_S, exchange.moment.terms.renew_s) if is_wanted else exchange.moment.terms.renew_s
