"""Rules of settlement: when a period closes, what a payout comes to, what a dispute may move. Values in, values out."""

from datetime import datetime

from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.dispute import DISPUTE_TRANSITIONS, Dispute, DisputeState
from keisan.domain.errors import LimitExceeded, StateConflict
from keisan.domain.payout import Payout, PayoutOutcome
from keisan.domain.statement import (
    HolderKind,
    Period,
    Statement,
    StatementHolder,
    compute_due_nano,
    find_closing_instant,
    find_dispute_end,
    name_period,
)


def check_closing(period: Period, now: datetime) -> None:
    """Raise StateConflict before a period's records are no longer awaited."""
    try:
        opens_at = find_closing_instant(period)
    except OverflowError:
        raise StateConflict(f"{name_period(period)} never ends") from None
    if now < opens_at:
        raise StateConflict(f"{name_period(period)} may be closed from {opens_at:%Y-%m-%d %H:%M} UTC on")


def judge_payout(
    statement: Statement, paid: Payout | None, wanted_nano: int | None, payable_nano: int
) -> PayoutOutcome:
    """Return what becomes of paying a statement; `wanted_nano` None wants what the statement says."""
    if statement.holder.kind is not HolderKind.PROVIDER:
        return PayoutOutcome.NOT_A_PROVIDER
    due_nano = compute_due_nano(statement)
    if paid is not None:
        is_same = paid.amount_nano == (due_nano if wanted_nano is None else wanted_nano)
        return PayoutOutcome.EXISTS if is_same else PayoutOutcome.EXISTS_WITH_DIFFERENT_AMOUNT
    if due_nano == 0:
        return PayoutOutcome.NOTHING_DUE
    if wanted_nano not in (None, due_nano):
        return PayoutOutcome.AMOUNT_MISMATCH
    return PayoutOutcome.CREATED if due_nano <= payable_nano else PayoutOutcome.INSUFFICIENT_CREDIT


def draw_payout(statement: Statement) -> Transfer:
    """Return what a payout moves: from the provider's payable to outside."""
    outside = AccountKey(AccountKind.OUTSIDE, None, None, statement.holder.currency)
    return Transfer(statement.holder.account, outside, compute_due_nano(statement))


def check_dispute_window(statement: Statement, now: datetime) -> None:
    """Raise StateConflict once a statement may not be disputed any more."""
    end = find_dispute_end(statement)
    if now >= end:
        raise StateConflict(f"this statement could be disputed until {end:%Y-%m-%d %H:%M} UTC")


def check_resolution(statement: Statement, dispute: Dispute, upheld_nano: int, amount_nano: int | None) -> DisputeState:
    """Return the state that a dispute goes to: rejected without an amount, upheld with one.

    `upheld_nano` is what other disputes of the statement have moved. Raises StateConflict for a dispute that is resolved,
    LimitExceeded if all of them together moved more than the statement says.
    """
    state = DisputeState.REJECTED if amount_nano is None else DisputeState.UPHELD
    if state not in DISPUTE_TRANSITIONS[dispute.state]:
        raise StateConflict(f"this dispute is {dispute.state}")
    if amount_nano is not None and upheld_nano + amount_nano > statement.totals.amount_nano:
        left_nano = statement.totals.amount_nano - upheld_nano
        raise LimitExceeded(f"at most {left_nano} nano-units of this statement are left to dispute")
    return state


def draw_adjustment(holder: StatementHolder, amount_nano: int) -> Transfer:
    """Return what an upheld dispute moves: from the platform's revenue to its holder's wallet or payable."""
    revenue = AccountKey(AccountKind.PLATFORM_REVENUE, None, None, holder.currency)
    return Transfer(revenue, holder.account, amount_nano)
