"""Platform tickets: what they set aside, what they pay for, when they end; and that no order of events breaks their amounts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.ids import OrganizationId, PlatformId, PriceId
from keisan.domain.platform_ticket import (
    CreditSide,
    CrossChargeCode,
    CrossChargeState,
    PlatformCreditTerms,
    PlatformTicketState,
)
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from keisan.ledger.rule_platform_ticket import (
    CrossCall,
    apply_charge,
    can_spend,
    charge_call,
    close_platform_ticket,
    compute_free_at,
    count_aside_nano,
    count_leasable_nano,
    draw_cross_transfers,
    find_broken,
    is_ended_by_time,
    is_lease_over,
    is_settled,
    name_payable,
    name_receivable,
    note_own_call,
    price_home,
    price_wholesale,
    refuse_call,
    sum_credit,
    suspend_charge,
    void_charge,
)
from tests.domain.credit_samples import OTHER_ID, PINNED, create_cross_charge, create_platform_ticket
from tests.domain.samples import create_record_id
from tests.factories import NOW

OWNER = OrganizationId(create_id())
TERMS = PlatformCreditTerms()
MOMENT = timedelta(microseconds=1)
# At PINNED one output token is 2,000 wholesale and 3,000 at home.
TICKET = create_platform_ticket(OWNER, ceiling_nano=100_000, rate_ppm=2_000_000)
SERVED = replace(TICKET, side=CreditSide.SERVING)


def build_call(output: int = 1, **changes: Any) -> CrossCall:
    facts: dict[str, Any] = {
        "record_id": create_record_id(NOW),
        "ticket_id": TICKET.id,
        "organization_id": OWNER,
        "currency": "CNY",
        "price_id": PINNED.price_id,
        "quantities": {TokenClass.OUTPUT: output},
        "amount_nano": 2_000 * output,
        "admitted_at": NOW,
    }
    return CrossCall(**(facts | changes))


def test_home_sets_aside_what_is_left_at_its_rate_rounded_up() -> None:
    assert count_aside_nano(TICKET) == 200_000
    assert count_aside_nano(replace(TICKET, ceiling_nano=1, rate_ppm=1_500_001)) == 2
    assert count_aside_nano(SERVED) == 0
    assert count_aside_nano(replace(TICKET, state=PlatformTicketState.RETURNING, returned_nano=40_000)) == 120_000
    assert count_aside_nano(close_platform_ticket(TICKET, NOW)) == 0


def test_gateways_hold_what_is_left_until_the_lease_is_over() -> None:
    assert count_leasable_nano(SERVED, NOW) == 100_000
    assert count_leasable_nano(TICKET, NOW) == 0
    assert can_spend(SERVED, SERVED.expires_at - MOMENT)
    assert not can_spend(SERVED, SERVED.expires_at)
    assert count_leasable_nano(SERVED, SERVED.expires_at) == 0
    assert not can_spend(replace(SERVED, state=PlatformTicketState.RETURNING), NOW)


def test_nothing_is_free_by_silence_before_lease_skew_and_window_are_over() -> None:
    free_at = compute_free_at(TICKET, TERMS)
    assert free_at - NOW == timedelta(hours=96 + 96, seconds=TERMS.skew_s)
    assert is_lease_over(TICKET, TICKET.expires_at)
    assert not is_lease_over(TICKET, TICKET.expires_at - MOMENT)
    assert count_aside_nano(TICKET) == 200_000, "the lease is over, and all is still set aside"
    assert not is_ended_by_time(TICKET, free_at - MOMENT, TERMS)
    assert is_ended_by_time(TICKET, free_at, TERMS)
    assert not is_ended_by_time(SERVED, free_at, TERMS), "the serving platform's ends by its own return"


def test_closed_ticket_holds_nothing() -> None:
    closed = close_platform_ticket(replace(TICKET, waiting_nano=7), NOW)
    assert (closed.left_nano, closed.waiting_nano, closed.closed_at) == (0, 0, NOW)


def test_ticket_is_settled_when_all_of_it_was_returned_or_posted() -> None:
    returning = replace(TICKET, state=PlatformTicketState.RETURNING, returned_nano=60_000, spent_nano=40_000)
    assert is_settled(returning)
    assert not is_settled(replace(returning, spent_nano=39_999))
    assert not is_settled(replace(returning, state=PlatformTicketState.OPEN))


def test_wholesale_is_what_is_pinned_and_never_more_than_was_asked() -> None:
    quantities = {TokenClass.OUTPUT: 3}
    assert price_wholesale(PINNED, quantities, 7_000) == 6_000
    assert price_wholesale(PINNED, quantities, 5_000) == 5_000
    assert price_wholesale(PINNED, {TokenClass.IMAGE: 1}, 5_000) is None


def test_customer_pays_at_homes_price_and_never_more_than_was_set_aside() -> None:
    quantities = {TokenClass.OUTPUT: 3}
    assert price_home(PINNED, quantities, 12_000) == 9_000
    assert price_home(PINNED, quantities, 8_999) == 8_999
    assert price_home(replace(PINNED, home_nano_per_million=None), quantities, 12_000) == 0


@pytest.mark.parametrize(
    ("ticket", "code"),
    [
        (TICKET, CrossChargeCode.NONE),
        (None, CrossChargeCode.UNKNOWN_TICKET),
        (SERVED, CrossChargeCode.WRONG_TICKET),
        (replace(TICKET, counterparty_id=PlatformId("cd" * 32)), CrossChargeCode.WRONG_TICKET),
        (replace(TICKET, organization_id=OrganizationId(create_id())), CrossChargeCode.WRONG_TICKET),
        (replace(TICKET, currency="JPY"), CrossChargeCode.WRONG_TICKET),
        (close_platform_ticket(TICKET, NOW), CrossChargeCode.CLOSED_TICKET),
    ],
)
def test_ticket_pays_for_its_own_platform_and_organization(ticket: Any, code: CrossChargeCode) -> None:
    assert refuse_call(ticket, build_call(), OTHER_ID) == code


def test_call_is_charged_whole_or_not_at_all() -> None:
    draft = create_cross_charge(TICKET, state=CrossChargeState.WAITING, wholesale_nano=1, charged_nano=0, tax_nano=0)
    posted = charge_call(TICKET, build_call(10), 60_000, draft)
    assert (posted.state, posted.wholesale_nano, posted.charged_nano) == (CrossChargeState.POSTED, 20_000, 30_000)
    assert posted.tax_nano == 1_698, "30,000 x 6 / 106, half to even"
    whole = charge_call(TICKET, build_call(50), 0, draft)
    assert (whole.state, whole.wholesale_nano) == (CrossChargeState.POSTED, 100_000)
    for call, code in [
        (build_call(51), CrossChargeCode.SPENT_TICKET),
        (build_call(price_id=PriceId(create_id())), CrossChargeCode.UNPRICED_MODEL),
        (build_call(quantities={TokenClass.IMAGE: 1}), CrossChargeCode.UNPRICED_MODEL),
    ]:
        charge = charge_call(TICKET, call, 0, draft)
        assert (charge.state, charge.code, charge.charged_nano) == (CrossChargeState.SUSPENDED, code, 0)
        assert apply_charge(TICKET, charge, None) == TICKET


def test_own_record_waits_within_what_is_left_and_is_voided_in_the_customers_favour() -> None:
    draft = create_cross_charge(TICKET, charged_nano=0, tax_nano=0)
    noted, waiting = note_own_call(TICKET, draft, 60_000)
    assert (noted.waiting_nano, waiting.state, waiting.wholesale_nano) == (60_000, CrossChargeState.WAITING, 60_000)
    more, rest = note_own_call(noted, draft, 60_000)
    assert (more.waiting_nano, rest.wholesale_nano) == (100_000, 40_000)
    posted = apply_charge(more, replace(waiting, state=CrossChargeState.POSTED, wholesale_nano=50_000), waiting)
    assert (posted.waiting_nano, posted.spent_nano) == (40_000, 50_000)
    voided, charge = void_charge(posted, rest)
    assert (voided.waiting_nano, voided.spent_nano) == (0, 50_000)
    assert (charge.state, charge.charged_nano) == (CrossChargeState.VOIDED, 0)


def test_wallet_pays_the_other_platform_tax_and_revenue_and_revenue_what_is_missing() -> None:
    wallet = AccountKey(AccountKind.WALLET, OWNER, None, "CNY")
    tax, revenue = (AccountKey(kind, None, None, "CNY") for kind in (AccountKind.TAX, AccountKind.PLATFORM_REVENUE))
    payable = name_payable(OTHER_ID, "CNY")
    plain = create_cross_charge(TICKET, wholesale_nano=20, charged_nano=30, tax_nano=2)
    dear = create_cross_charge(TICKET, wholesale_nano=20, charged_nano=15, tax_nano=0)
    suspended = suspend_charge(plain, CrossChargeCode.LATE)
    assert set(draw_cross_transfers([plain, plain, suspended])) == {
        Transfer(wallet, payable, 40, 2),
        Transfer(wallet, revenue, 16, 2),
        Transfer(wallet, tax, 4, 2),
    }
    assert set(draw_cross_transfers([dear])) == {Transfer(wallet, payable, 15, 1), Transfer(revenue, payable, 5, 1)}
    assert draw_cross_transfers([]) == ()
    assert name_receivable(OTHER_ID, "CNY").counterparty_id == OTHER_ID


def test_what_breaks_a_ticket_is_named() -> None:
    assert find_broken(TICKET) == ""
    broken: list[tuple[dict[str, Any], str]] = [
        ({"spent_nano": -1}, "an amount below zero"),
        ({"spent_nano": 60_000, "returned_nano": 40_001}, "more returned and spent than leased"),
    ]
    for changes, text in broken:
        assert find_broken(replace(TICKET, **changes)) == text


def test_money_of_a_wallet_is_free_leased_in_suspense_or_spent() -> None:
    ticket = replace(TICKET, spent_nano=20_000, waiting_nano=10_000)
    found = sum_credit(1_000_000, 300_000, [ticket, SERVED], 50_000)
    assert (found.free_nano, found.leased_nano, found.suspense_nano, found.spent_nano) == (
        1_000_000 - 300_000 - 160_000,
        300_000 + 140_000,
        20_000,
        50_000,
    )
    assert found.total_nano == 1_050_000


STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "note", "both", "void", "grow"]), st.integers(0, 60)), min_size=1, max_size=30
)


@given(STEPS, st.integers(1, 4_000_000))
def test_any_order_of_records_conserves_credit_and_frees_none_of_it(steps: list[tuple[str, int]], rate: int) -> None:
    filled_nano, ticket = 10**6, replace(TICKET, ceiling_nano=0, rate_ppm=rate)
    balance_nano, waiting = filled_nano, list[Any]()
    for step, size in steps:
        free_nano = balance_nano - count_aside_nano(ticket)
        call = build_call(size)
        draft = create_cross_charge(ticket, record_id=call.record_id, charged_nano=0, tax_nano=0)
        if step == "grow":
            grown_nano = min(size * 1_000, free_nano * 10**6 // rate)
            ticket = replace(ticket, ceiling_nano=ticket.ceiling_nano + grown_nano)
        elif step == "void" and waiting:
            ticket, _ = void_charge(ticket, waiting.pop())
        elif step in ("note", "both"):
            ticket, noted = note_own_call(ticket, draft, call.amount_nano)
            waiting.append(noted)
        if step in ("call", "both"):
            before = waiting.pop() if step == "both" else None
            charge = charge_call(ticket, call, 0, draft)
            ticket = apply_charge(ticket, charge, before)
            balance_nano -= charge.charged_nano
        assert find_broken(ticket) == ""
        now_free_nano = balance_nano - count_aside_nano(ticket)
        assert now_free_nano >= 0, "the customer is never overspent"
        assert step == "grow" or now_free_nano >= free_nano, "no record costs more than was set aside for it"
        assert sum_credit(balance_nano, 0, [ticket], filled_nano - balance_nano).total_nano == filled_nano
        assert ticket.charged_nano == filled_nano - balance_nano
