"""Rules of suspense: what becomes of a judgement, and what it moves. Values in, values out."""

from collections.abc import Iterable
from datetime import date

from keisan.domain.account import Account, AccountKey, AccountKind, Transfer
from keisan.domain.entry import EntryKind
from keisan.domain.organization import Billing
from keisan.domain.retention import is_through
from keisan.domain.suspense import (
    SUSPENSE_TRANSITIONS,
    SuspendedRecord,
    SuspenseOutcome,
    SuspenseState,
    SuspenseVerdict,
)
from keisan.domain.ticket import Ticket

STATES = {SuspenseVerdict.CHARGE: SuspenseState.CHARGED, SuspenseVerdict.WRITE_OFF: SuspenseState.WRITTEN_OFF}
ENTRY_KINDS = {
    SuspenseState.CHARGED: EntryKind.SUSPENSE_CHARGE,
    SuspenseState.WRITTEN_OFF: EntryKind.SUSPENSE_WRITE_OFF,
}


def judge_suspended(
    suspended: SuspendedRecord, verdict: SuspenseVerdict, free_nano: int | None, closed_through: date | None
) -> SuspenseOutcome:
    """Return what becomes of a verdict; `free_nano` is what the wallet has to spend, None without a floor."""
    if STATES[verdict] not in SUSPENSE_TRANSITIONS[suspended.state]:
        return SuspenseOutcome.ALREADY_JUDGED
    if verdict is SuspenseVerdict.WRITE_OFF:
        return SuspenseOutcome.WRITTEN_OFF
    if is_through(suspended.day, closed_through):
        return SuspenseOutcome.CLOSED_DAY
    # What is nothing takes nothing, also from a wallet below its floor.
    is_covered = free_nano is None or suspended.amount_nano <= max(free_nano, 0)
    return SuspenseOutcome.CHARGED if is_covered else SuspenseOutcome.INSUFFICIENT_CREDIT


def count_free(wallet: Account, billing: Billing, tickets: Iterable[Ticket]) -> int | None:
    """Return what of a wallet no open ticket holds, or None where the organization pays afterwards: it has no floor."""
    if billing is not Billing.PREPAID:
        return None
    return wallet.balance_nano - sum(ticket.held_nano for ticket in tickets if ticket.currency == wallet.currency)


def name_payer(suspended: SuspendedRecord, state: SuspenseState) -> AccountKey:
    """Return the account that bears a record in a state that it may be judged to."""
    if state is SuspenseState.CHARGED:
        return AccountKey(AccountKind.WALLET, suspended.organization_id, None, suspended.currency)
    return AccountKey(AccountKind.PLATFORM_REVENUE, None, None, suspended.currency)


def draw_judgement(suspended: SuspendedRecord, state: SuspenseState) -> tuple[Transfer, ...]:
    """Return what a judgement moves: the amount back to suspense, nothing for a record that cost nothing."""
    if not suspended.amount_nano:
        return ()
    return (Transfer(name_payer(suspended, state), suspended.account, suspended.amount_nano),)
