"""Rules of settlement: windows, what a payout comes to, and that no dispute moves more than its statement says."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.account import AccountKind
from keisan.domain.dispute import DISPUTE_TRANSITIONS, DisputeState
from keisan.domain.errors import LimitExceeded, StateConflict
from keisan.domain.limits import DISPUTE_WINDOW_S
from keisan.domain.payout import PayoutOutcome
from keisan.domain.statement import HolderKind, Statement, StatementHolder, Totals, find_period, parse_period
from keisan.kit.ids import create_id
from keisan.ledger.rule_statement import (
    check_closing,
    check_dispute_window,
    check_resolution,
    draw_adjustment,
    draw_payout,
    judge_payout,
)
from tests.domain.samples import build_dispute
from tests.factories import create_payout, create_statement

AMOUNTS = st.integers(min_value=1, max_value=10**30)


def build_statement(
    amount_nano: int = 100, adjustment_nano: int = 0, kind: HolderKind = HolderKind.PROVIDER
) -> Statement:
    holder = StatementHolder(kind, create_id(), "CNY")
    return create_statement(holder, totals=Totals(1, amount_nano, 0, adjustment_nano))


def test_month_closes_a_week_after_its_end() -> None:
    opens_at = datetime(2026, 12, 8, tzinfo=UTC)
    check_closing(parse_period("2026-11"), opens_at)
    with pytest.raises(StateConflict, match="2026-11 may be closed from 2026-12-08 00:00 UTC on"):
        check_closing(parse_period("2026-11"), opens_at - timedelta(microseconds=1))
    with pytest.raises(StateConflict, match="never ends"):
        check_closing(find_period(date.max), datetime(9999, 12, 31, tzinfo=UTC))


@given(
    AMOUNTS,
    st.integers(min_value=0, max_value=10**30),
    st.none() | AMOUNTS,
    st.integers(min_value=-1, max_value=10**31),
)
def test_payout_moves_what_is_due_once_or_nothing(
    amount_nano: int, adjustment_nano: int, wanted_nano: int | None, payable_nano: int
) -> None:
    statement = build_statement(amount_nano, adjustment_nano)
    due_nano = amount_nano + adjustment_nano
    outcome = judge_payout(statement, None, wanted_nano, payable_nano)
    if wanted_nano not in (None, due_nano):
        assert outcome is PayoutOutcome.AMOUNT_MISMATCH
    else:
        assert outcome is (PayoutOutcome.CREATED if due_nano <= payable_nano else PayoutOutcome.INSUFFICIENT_CREDIT)
    transfer = draw_payout(statement)
    assert (transfer.amount_nano, transfer.debit, transfer.credit.kind) == (
        due_nano,
        statement.holder.account,
        AccountKind.OUTSIDE,
    )


@pytest.mark.parametrize(
    ("wanted_nano", "outcome"),
    [
        (None, PayoutOutcome.EXISTS),
        (100, PayoutOutcome.EXISTS),
        (99, PayoutOutcome.EXISTS_WITH_DIFFERENT_AMOUNT),
    ],
)
def test_second_payout_tells_of_the_first(wanted_nano: int | None, outcome: PayoutOutcome) -> None:
    statement = build_statement()
    assert judge_payout(statement, create_payout(statement, 100), wanted_nano, 0) is outcome


def test_customer_is_not_paid_and_nothing_is_nothing() -> None:
    customer = build_statement(kind=HolderKind.CUSTOMER)
    assert judge_payout(customer, None, None, 10**9) is PayoutOutcome.NOT_A_PROVIDER
    assert judge_payout(build_statement(0), None, None, 10**9) is PayoutOutcome.NOTHING_DUE


def test_statement_may_be_disputed_for_its_window() -> None:
    statement = build_statement()
    end = statement.closed_at + timedelta(seconds=DISPUTE_WINDOW_S)
    check_dispute_window(statement, end - timedelta(microseconds=1))
    with pytest.raises(StateConflict, match="could be disputed until"):
        check_dispute_window(statement, end)


@given(AMOUNTS, st.integers(min_value=0, max_value=10**30), AMOUNTS)
def test_disputes_together_move_no_more_than_the_statement_says(
    total_nano: int, upheld_nano: int, amount_nano: int
) -> None:
    # What an earlier dispute gave is on the statement as an adjustment, and cannot be disputed again.
    statement = build_statement(total_nano, 10**30)
    if upheld_nano + amount_nano <= total_nano:
        assert check_resolution(statement, build_dispute(), upheld_nano, amount_nano) is DisputeState.UPHELD
    else:
        with pytest.raises(LimitExceeded):
            check_resolution(statement, build_dispute(), upheld_nano, amount_nano)


def test_rejection_moves_nothing() -> None:
    assert check_resolution(build_statement(0), build_dispute(), 0, None) is DisputeState.REJECTED


@pytest.mark.parametrize("state", [DisputeState.REJECTED, DisputeState.UPHELD])
@pytest.mark.parametrize("amount_nano", [None, 1])
def test_resolved_dispute_stays_resolved(state: DisputeState, amount_nano: int | None) -> None:
    with pytest.raises(StateConflict, match=str(state)):
        check_resolution(build_statement(), replace(build_dispute(), state=state), 0, amount_nano)
    assert DISPUTE_TRANSITIONS[state] == frozenset()


@pytest.mark.parametrize("kind", HolderKind)
def test_adjustment_is_the_platforms_loss_and_the_holders_gain(kind: HolderKind) -> None:
    holder = StatementHolder(kind, create_id(), "CNY")
    transfer = draw_adjustment(holder, 7)
    assert (transfer.debit.kind, transfer.credit, transfer.amount_nano) == (
        AccountKind.PLATFORM_REVENUE,
        holder.account,
        7,
    )
