"""Rules of credit between platforms: what a platform ticket sets aside, what it pays for, and when it is over. Pure.

The customer is never overspent, and nothing comes back by silence: what another platform holds is free again by its signed
return, or once its lease, the skew of clocks and the window for late records are over, all reckoned by home.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.ids import OrganizationId, PlatformId, PriceId, RecordId, TicketId
from keisan.domain.platform_ticket import (
    CreditSide,
    CrossCharge,
    CrossChargeCode,
    CrossChargeState,
    PinnedPrice,
    PlatformCreditTerms,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.price import TokenClass, compute_amount_nano, divide_half_even
from keisan.ledger.rule_split import PPM, AccountPair, SplitSum, can_price


@dataclass(frozen=True, slots=True)
class CrossCall:
    """What a platform says of a call that it served for an organization of another: `amount_nano` is wholesale."""

    record_id: RecordId
    ticket_id: TicketId
    organization_id: OrganizationId
    currency: str
    price_id: PriceId
    quantities: Mapping[TokenClass, int]
    amount_nano: int
    admitted_at: datetime


@dataclass(frozen=True, slots=True)
class CreditSum:
    """Where the money of one wallet is, in nano-units at home's price; `spent_nano` is all that ever left it for calls."""

    free_nano: int
    leased_nano: int
    suspense_nano: int
    spent_nano: int

    @property
    def total_nano(self) -> int:
        """Return what was ever put in."""
        return self.free_nano + self.leased_nano + self.suspense_nano + self.spent_nano


def scale_aside(wholesale_nano: int, rate_ppm: int) -> int:
    """Return what home sets aside of the customer's money for an amount at the wholesale price: rounded up."""
    return -(-wholesale_nano * rate_ppm // PPM)


def count_aside_nano(ticket: PlatformTicket) -> int:
    """Return what is set aside from wallet and budgets for a ticket that this platform leased; nothing for one it serves on."""
    return scale_aside(ticket.left_nano, ticket.rate_ppm) if ticket.side is CreditSide.HOME else 0


def count_leasable_nano(ticket: PlatformTicket, now: datetime) -> int:
    """Return what own gateways may hold under another platform's ticket: nothing once it is over, or returns."""
    return ticket.left_nano if can_spend(ticket, now) else 0


def can_spend(ticket: PlatformTicket, now: datetime) -> bool:
    """Tell whether a ticket that this platform serves on still leases to its gateways."""
    is_open = ticket.side is CreditSide.SERVING and ticket.state is PlatformTicketState.OPEN
    return is_open and not is_lease_over(ticket, now)


def is_lease_over(ticket: PlatformTicket, now: datetime) -> bool:
    """Tell whether the lease itself is over: the serving platform stops, and nobody has anything back by that."""
    return now >= ticket.expires_at


def compute_free_at(ticket: PlatformTicket, terms: PlatformCreditTerms) -> datetime:
    """Return when home has back what was not returned: after the lease, the skew of clocks, and the window for late records."""
    return ticket.expires_at + timedelta(seconds=terms.skew_s + terms.lateness_s)


def is_ended_by_time(ticket: PlatformTicket, now: datetime, terms: PlatformCreditTerms) -> bool:
    """Tell whether home may take a ticket for ended without a word of the serving platform."""
    return ticket.side is CreditSide.HOME and now >= compute_free_at(ticket, terms)


def is_settled(ticket: PlatformTicket) -> bool:
    """Tell whether all of a ticket was returned or posted, so that nothing can come any more."""
    return ticket.state is PlatformTicketState.RETURNING and not ticket.left_nano


def close_platform_ticket(ticket: PlatformTicket, now: datetime) -> PlatformTicket:
    """Return the ticket closed: what it held is free again, and what comes later is suspended."""
    return replace(ticket, state=PlatformTicketState.CLOSED, waiting_nano=0, closed_at=now)


def find_price(prices: Iterable[PinnedPrice], price_id: PriceId) -> PinnedPrice | None:
    """Return the pinned price of a version."""
    return next((each for each in prices if each.price_id == price_id), None)


def price_wholesale(pinned: PinnedPrice, quantities: Mapping[TokenClass, int], amount_nano: int) -> int | None:
    """Return what home owes for quantities: as pinned, and never more than was asked; None if something has no pinned price."""
    if not can_price(pinned.nano_per_million, quantities):
        return None
    return min(amount_nano, compute_amount_nano(pinned.nano_per_million, quantities))


def price_home(pinned: PinnedPrice, quantities: Mapping[TokenClass, int], aside_nano: int) -> int:
    """Return what the customer pays for quantities at home's price: never more than was set aside for them."""
    prices = pinned.home_nano_per_million or {}
    return min(aside_nano, compute_amount_nano(prices, quantities)) if can_price(prices, quantities) else 0


def refuse_call(ticket: PlatformTicket | None, call: CrossCall, serving_id: PlatformId) -> CrossChargeCode:
    """Return why a ticket does not pay for a call that a platform says it served, NONE if it may."""
    if ticket is None:
        return CrossChargeCode.UNKNOWN_TICKET
    named = (ticket.side, ticket.counterparty_id, ticket.organization_id, ticket.currency)
    if named != (CreditSide.HOME, serving_id, call.organization_id, call.currency):
        return CrossChargeCode.WRONG_TICKET
    if ticket.state is PlatformTicketState.CLOSED:
        return CrossChargeCode.CLOSED_TICKET
    return CrossChargeCode.NONE


def charge_call(ticket: PlatformTicket, call: CrossCall, tax_ppm: int, draft: CrossCharge) -> CrossCharge:
    """Return what a call that a ticket may pay for moves at home, all of it or nothing: never more than the ticket holds."""
    pinned = find_price(ticket.prices, call.price_id)
    wholesale_nano = None if pinned is None else price_wholesale(pinned, call.quantities, call.amount_nano)
    if pinned is None or wholesale_nano is None:
        return suspend_charge(draft, CrossChargeCode.UNPRICED_MODEL)
    if wholesale_nano > ticket.left_nano:
        return suspend_charge(draft, CrossChargeCode.SPENT_TICKET)
    after_nano = scale_aside(ticket.left_nano - wholesale_nano, ticket.rate_ppm)
    charged_nano = price_home(pinned, call.quantities, count_aside_nano(ticket) - after_nano)
    return replace(
        draft,
        state=CrossChargeState.POSTED,
        wholesale_nano=wholesale_nano,
        charged_nano=charged_nano,
        tax_nano=divide_half_even(charged_nano * tax_ppm, PPM + tax_ppm),
    )


def suspend_charge(draft: CrossCharge, code: CrossChargeCode) -> CrossCharge:
    """Return a charge that moves nothing: it is kept at the serving platform's risk."""
    return replace(draft, state=CrossChargeState.SUSPENDED, code=code, charged_nano=0, tax_nano=0)


def apply_charge(ticket: PlatformTicket, charge: CrossCharge, known: CrossCharge | None) -> PlatformTicket:
    """Return the ticket after a charge, and without what waited for it."""
    waited_nano = known.wholesale_nano if known is not None and known.state is CrossChargeState.WAITING else 0
    ticket = replace(ticket, waiting_nano=max(0, ticket.waiting_nano - waited_nano))
    if charge.state is not CrossChargeState.POSTED:
        return ticket
    return replace(
        ticket,
        spent_nano=ticket.spent_nano + charge.wholesale_nano,
        charged_nano=ticket.charged_nano + charge.charged_nano,
    )


def note_own_call(ticket: PlatformTicket, draft: CrossCharge, amount_nano: int) -> tuple[PlatformTicket, CrossCharge]:
    """Return the ticket and a waiting charge after home's own record of a call: a part of what is left waits for the other end's."""
    waiting_nano = max(0, min(amount_nano, ticket.left_nano - ticket.waiting_nano))
    charge = replace(draft, state=CrossChargeState.WAITING, wholesale_nano=waiting_nano)
    return replace(ticket, waiting_nano=ticket.waiting_nano + waiting_nano), charge


def void_charge(ticket: PlatformTicket, waiting: CrossCharge) -> tuple[PlatformTicket, CrossCharge]:
    """Return the ticket and a charge for which the other end never spoke: nobody pays, which is in the customer's favour."""
    voided = replace(waiting, state=CrossChargeState.VOIDED, charged_nano=0, tax_nano=0)
    return replace(ticket, waiting_nano=max(0, ticket.waiting_nano - waiting.wholesale_nano)), voided


def draw_cross_transfers(charges: Iterable[CrossCharge]) -> tuple[Transfer, ...]:
    """Return what moves at home for posted charges: from the wallet to the other platform, to tax, and to revenue.

    What is owed beyond what the customer pays comes from revenue.
    """
    sums: dict[tuple[OrganizationId, PlatformId, str], SplitSum] = {}
    for each in charges:
        if each.state is not CrossChargeState.POSTED:
            continue
        key = (each.organization_id, each.counterparty_id, each.currency)
        if key not in sums:
            wallet = AccountKey(AccountKind.WALLET, each.organization_id, None, each.currency)
            sums[key] = SplitSum(wallet, name_payable(each.counterparty_id, each.currency))
        revenue_nano = each.charged_nano - each.tax_nano - each.wholesale_nano
        sums[key].add(each.wholesale_nano, each.tax_nano, revenue_nano)
    merged: dict[AccountPair, tuple[int, int]] = {}
    for total in sums.values():
        for pair, (moved_nano, count) in total.list_moves().items():
            amount_nano, record_count = merged.get(pair, (0, 0))
            merged[pair] = (amount_nano + moved_nano, record_count + count)
    return tuple(Transfer(debit, credit, *moved) for (debit, credit), moved in merged.items())


def name_payable(counterparty_id: PlatformId, currency: str) -> AccountKey:
    """Return the account of what is owed to another platform."""
    return AccountKey(AccountKind.PLATFORM_PAYABLE, None, None, currency, counterparty_id)


def name_receivable(counterparty_id: PlatformId, currency: str) -> AccountKey:
    """Return the account of what another platform owes."""
    return AccountKey(AccountKind.PLATFORM_RECEIVABLE, None, None, currency, counterparty_id)


def sum_credit(
    balance_nano: int, gateways_held_nano: int, tickets: Sequence[PlatformTicket], spent_nano: int
) -> CreditSum:
    """Return where a wallet's money is: what no ticket holds, what tickets do, what waits for the other end, and what is spent.

    What is set aside for a ticket is told apart by what waits, at the ticket's rate.
    """
    aside_nano = sum(count_aside_nano(each) for each in tickets)
    waiting_nano = sum(
        count_aside_nano(each) - scale_aside(max(0, each.left_nano - each.waiting_nano), each.rate_ppm)
        for each in tickets
        if each.side is CreditSide.HOME
    )
    return CreditSum(
        free_nano=balance_nano - gateways_held_nano - aside_nano,
        leased_nano=gateways_held_nano + aside_nano - waiting_nano,
        suspense_nano=waiting_nano,
        spent_nano=spent_nano,
    )


def find_broken(ticket: PlatformTicket) -> str:
    """Return what cannot be of a ticket's amounts, empty if nothing: credit is conserved within each ticket.

    All that was leased is returned, spent or left. What waits is not set aside for itself: any record of the ticket may take it.
    """
    amounts = (ticket.ceiling_nano, ticket.returned_nano, ticket.spent_nano, ticket.waiting_nano, ticket.charged_nano)
    if min(amounts) < 0:
        return "an amount below zero"
    if ticket.returned_nano + ticket.spent_nano > ticket.ceiling_nano:
        return "more returned and spent than leased"
    return ""
