"""Statements: months as days, when they close, who sees whose, and totals that are sums."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import OrganizationId, ProviderId
from keisan.domain.limits import USAGE_LATE_S_MAX
from keisan.domain.price import TokenClass
from keisan.domain.statement import (
    STATEMENT_TRANSITIONS,
    HolderKind,
    Period,
    StatementHolder,
    StatementState,
    StatementSum,
    Totals,
    add_sums,
    find_closing_instant,
    find_period,
    is_seen,
    name_period,
    parse_period,
    sum_totals,
)
from keisan.kit.ids import create_id
from tests.domain.samples import build_adjustment, build_statement_sum

DAYS = st.dates(max_value=date(9999, 11, 30))
COUNTS = st.integers(min_value=0, max_value=10**36)


@given(DAYS)
def test_every_day_is_in_one_month_and_months_follow_each_other(day: date) -> None:
    period = find_period(day)
    assert period.first_day <= day <= period.last_day
    assert (period.first_day.day, period.last_day.month) == (1, day.month)
    assert find_period(period.last_day + timedelta(days=1)).first_day == period.last_day + timedelta(days=1)
    assert parse_period(name_period(period)) == period


def test_last_month_that_there_is() -> None:
    assert find_period(date.max) == Period(date(9999, 12, 1), date.max)
    assert find_period(date(2024, 2, 29)) == Period(date(2024, 2, 1), date(2024, 2, 29))
    with pytest.raises(OverflowError):
        find_closing_instant(find_period(date.max))


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-1", "0000-01", "2026-11-01", "２０２６-11", " 2026-11"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_period(text)
    assert refusal.value.field == "period"


@given(DAYS, st.integers(min_value=1, max_value=86_400_000), st.integers(min_value=0, max_value=10**9))
def test_record_of_a_month_that_may_be_closed_is_late(day: date, before_end_ms: int, later_us: int) -> None:
    """The rule by which intake calls a record late, at any moment from the one on which its month may be closed."""
    period = find_period(day)
    last = datetime(period.last_day.year, period.last_day.month, period.last_day.day, tzinfo=UTC)
    admitted_at = last + timedelta(days=1) - timedelta(milliseconds=before_end_ms)
    closing_at, awaited = find_closing_instant(period), timedelta(seconds=USAGE_LATE_S_MAX)
    assert find_period(admitted_at.date()) == period
    assert admitted_at < closing_at + timedelta(microseconds=later_us) - awaited
    # And no sooner: one that was admitted in the month's last millisecond is timely just before.
    assert not last + timedelta(days=1) - timedelta(milliseconds=1) < closing_at - timedelta(milliseconds=1) - awaited


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS)), st.lists(st.integers(min_value=1, max_value=10**36)))
def test_totals_are_sums_and_adjustments_stand_apart(lines: list[tuple[int, int, int]], adjusted: list[int]) -> None:
    sums = [build_statement_sum(record_count=count, amount_nano=amount, tax_nano=tax) for count, amount, tax in lines]
    totals = sum_totals(sums, [build_adjustment(amount_nano=amount_nano) for amount_nano in adjusted])
    counts, amounts, taxes = zip(*lines, strict=True) if lines else ((), (), ())
    assert totals == Totals(sum(counts), sum(amounts), sum(taxes), sum(adjusted))


def test_holder_sees_its_own_side_only() -> None:
    own_id, other_id = create_id(), create_id()
    customer, provider = (
        StatementHolder(HolderKind.CUSTOMER, own_id, "CNY"),
        StatementHolder(HolderKind.PROVIDER, own_id, "CNY"),
    )
    assert is_seen(customer, PlatformScope())
    assert is_seen(provider, PlatformScope())
    assert is_seen(customer, OrganizationScope(OrganizationId(own_id)))
    assert is_seen(provider, ProviderScope(ProviderId(own_id)))
    assert not is_seen(provider, OrganizationScope(OrganizationId(own_id)))
    assert not is_seen(customer, ProviderScope(ProviderId(own_id)))
    assert not is_seen(customer, OrganizationScope(OrganizationId(other_id)))
    assert not is_seen(provider, ProviderScope(ProviderId(other_id)))


def test_holder_has_the_account_that_its_side_has() -> None:
    holder = StatementHolder(HolderKind.CUSTOMER, create_id(), "CNY")
    assert holder.account == AccountKey(AccountKind.WALLET, OrganizationId(holder.id), None, "CNY")
    provider = replace(holder, kind=HolderKind.PROVIDER)
    assert provider.account == AccountKey(AccountKind.PROVIDER_PAYABLE, None, ProviderId(holder.id), "CNY")


def test_closed_statement_stays_closed() -> None:
    assert STATEMENT_TRANSITIONS[StatementState.CLOSED] == frozenset()
    assert STATEMENT_TRANSITIONS.keys() == set(StatementState)


PARTS = st.lists(
    st.builds(
        build_statement_sum,
        key_id=st.sampled_from([UUID(int=1), UUID(int=2)]),
        model_id=st.sampled_from([UUID(int=3), UUID(int=4)]),
        is_late=st.booleans(),
        record_count=st.integers(1, 5),
        quantities=st.dictionaries(st.sampled_from(TokenClass), st.integers(0, 10**12)),
        amount_nano=COUNTS,
        tax_nano=COUNTS,
    ),
    max_size=12,
)


@given(PARTS, st.integers(min_value=0, max_value=12))
def test_sums_over_parts_are_the_sums_over_the_whole(parts: list[StatementSum], cut: int) -> None:
    whole = add_sums(parts)
    assert add_sums([*add_sums(parts[:cut]), *parts[cut:]]) == whole
    keys = [(each.is_late, each.key_id, each.model_id) for each in whole]
    assert keys == sorted(set(keys))
    assert sum_totals(whole, ()) == sum_totals(parts, ())
    for word in TokenClass:
        named = [each.quantities[word] for each in parts if word in each.quantities]
        found = [each.quantities[word] for each in whole if word in each.quantities]
        # A class that no record names is named by no sum.
        assert (sum(found), bool(found)) == (sum(named), bool(named))


def test_sums_by_site_and_chip_are_in_order_of_both() -> None:
    own = build_statement_sum(project_id=None, key_id=None, price_id=None, site_id=UUID(int=7))
    h20, k100 = replace(own, chip="h20"), replace(own, chip="k100")
    assert add_sums([k100, h20, k100]) == [h20, replace(k100, **_double(k100))]


def _double(one: StatementSum) -> dict[str, Any]:
    quantities = {word: 2 * count for word, count in one.quantities.items()}
    counts = {name: 2 * getattr(one, name) for name in ("record_count", "amount_nano", "tax_nano")}
    return counts | {"quantities": quantities}
