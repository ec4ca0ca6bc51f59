"""Rules of suspense: judged once, charged within what the wallet has, and exactly the amount moves back."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.account import Account, AccountKind
from keisan.domain.ids import AccountId
from keisan.domain.organization import Billing
from keisan.domain.suspense import SUSPENSE_TRANSITIONS, SuspenseOutcome, SuspenseState, SuspenseVerdict
from keisan.ledger.rule_suspense import STATES, count_free, draw_judgement, judge_suspended
from tests.domain.samples import ORGANIZATION_ID, PLATFORM_ID, build_suspended, build_ticket, name_id
from tests.factories import NOW

AMOUNTS = st.integers(min_value=0, max_value=10**30)
CHARGE, WRITE_OFF = SuspenseVerdict.CHARGE, SuspenseVerdict.WRITE_OFF


@given(AMOUNTS, st.none() | st.integers(-(10**30), 10**30), st.sampled_from([-1, 0, 1, None]))
def test_charge_takes_what_is_there_of_a_day_that_is_not_closed(
    amount_nano: int, free_nano: int | None, closed_days: int | None
) -> None:
    suspended = build_suspended(amount_nano=amount_nano)
    closed_through = None if closed_days is None else suspended.day + timedelta(days=closed_days)
    outcome = judge_suspended(suspended, CHARGE, free_nano, closed_through)
    if closed_days is not None and closed_days >= 0:
        assert outcome is SuspenseOutcome.CLOSED_DAY
    elif free_nano is None or amount_nano == 0 or free_nano - amount_nano >= 0:
        assert outcome is SuspenseOutcome.CHARGED
    else:
        assert outcome is SuspenseOutcome.INSUFFICIENT_CREDIT
    assert judge_suspended(suspended, WRITE_OFF, None, closed_through) is SuspenseOutcome.WRITTEN_OFF


@pytest.mark.parametrize(("state", "verdict"), list(product(SuspenseState, SuspenseVerdict)))
def test_what_is_judged_is_judged_for_good(state: SuspenseState, verdict: SuspenseVerdict) -> None:
    suspended = replace(build_suspended(), state=state)
    outcome = judge_suspended(suspended, verdict, None, suspended.day)
    is_open = state is SuspenseState.SUSPENDED
    assert (outcome is SuspenseOutcome.ALREADY_JUDGED) is not is_open
    assert (STATES[verdict] in SUSPENSE_TRANSITIONS[state]) is is_open


@given(AMOUNTS, st.sampled_from([SuspenseState.CHARGED, SuspenseState.WRITTEN_OFF]))
def test_judgement_moves_the_amount_back_to_suspense(amount_nano: int, state: SuspenseState) -> None:
    suspended = build_suspended(amount_nano=amount_nano, currency="JPY")
    transfers = draw_judgement(suspended, state)
    assert sum(each.amount_nano for each in transfers) == amount_nano
    payer = AccountKind.WALLET if state is SuspenseState.CHARGED else AccountKind.PLATFORM_REVENUE
    for each in transfers:
        assert (each.debit.kind, each.credit.kind) == (payer, AccountKind.SUSPENSE)
        assert each.debit.organization_id == (suspended.organization_id if payer is AccountKind.WALLET else None)
        assert (each.debit.currency, each.credit.currency, each.record_count) == ("JPY", "JPY", 0)


def test_what_tickets_of_its_currency_hold_is_not_free() -> None:
    wallet = Account(AccountId(name_id(18)), PLATFORM_ID, AccountKind.WALLET, ORGANIZATION_ID, None, "CNY", 100, NOW)
    tickets = [build_ticket(credit_nano=30), build_ticket(credit_nano=50, currency="JPY")]
    assert count_free(wallet, Billing.PREPAID, tickets) == 100 - tickets[0].held_nano
    assert tickets[0].held_nano > 0
    assert count_free(wallet, Billing.POSTPAID, tickets) is None
