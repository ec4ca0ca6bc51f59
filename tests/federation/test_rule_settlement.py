"""Settlement: any order and any repeat give one root on both sides, nothing is signed for early, and rules decide what waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.cross_record import CrossState, LeafMark, RecordEnd
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import CROSS_LATENESS_S_MAX, PERIOD_GRACE_S
from keisan.domain.settlement import NetPosition, SettlementState, SignedText
from keisan.federation.rule_settlement import (
    BatchFacts,
    HoldCode,
    Standing,
    check_usage,
    choose_region,
    choose_settlement,
    compute_leaves_root,
    compute_net,
    decide_ended,
    decide_state,
    digest_text,
    is_period_over,
    is_same_period,
    is_trimmable,
    judge_record,
    list_hours,
    order_leaves,
    sum_amounts,
)
from tests.domain.samples import NOW
from tests.federation.cross_samples import (
    DAY,
    HOME,
    PERIOD,
    SERVING,
    create_settlement,
    create_statement,
    create_usage,
    mark,
)

NOW_MS = create_usage().admitted_at_ms
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
FACTS = BatchFacts(PERIOD, NOW_MS, is_countersigned=False, standing=Standing())
MARKS = st.lists(st.integers(0, 99), unique=True, max_size=30)


def keep(arrived: list[int]) -> list[LeafMark]:
    """Return what storage keeps of leaves in order of arrival: each once."""
    return list({number: mark(number) for number in arrived}.values())


@given(MARKS, st.data())
def test_any_arrival_gives_one_root(numbers: list[int], data: st.DataObject) -> None:
    arrived = data.draw(
        st.permutations(numbers + data.draw(st.lists(st.sampled_from(numbers)) if numbers else st.just([])))
    )
    assert compute_leaves_root(keep(arrived)) == compute_leaves_root(keep(numbers))
    ordered = [each.leaf_id for each in order_leaves(keep(arrived))]
    assert ordered == sorted(ordered)


@given(MARKS, st.data())
def test_nothing_is_signed_for_before_all_of_it_is_here(numbers: list[int], data: st.DataObject) -> None:
    statement = create_statement(keep(numbers))
    arrived: list[int] = []
    for number in data.draw(st.permutations(numbers)):
        assert not is_same_period(statement, keep(arrived))
        arrived.append(number)
    assert is_same_period(statement, keep(arrived))
    assert not is_same_period(statement, [*keep(arrived), mark(100)])
    assert not is_same_period(replace(statement, leaves_root="0" * 64), keep(arrived))


def test_an_own_record_goes_to_the_first_settlement_that_is_not_ended() -> None:
    assert choose_settlement(NOW_MS, ()) == PERIOD
    assert choose_settlement(NOW_MS, {PERIOD, "2026-11-24"}) == "2026-11-25"
    assert choose_settlement(NOW_MS, {"2026-11-24"}) == PERIOD


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"standing": Standing(revoked_at_ms=NOW_MS + 1)}, None),
        ({"standing": Standing(revoked_at_ms=NOW_MS)}, HoldCode.REVOKED),
        ({"made_at_ms": NOW_MS + CROSS_LATENESS_S_MAX * 1000}, None),
        ({"made_at_ms": NOW_MS + CROSS_LATENESS_S_MAX * 1000 + 1}, HoldCode.LATE),
        ({"period": "2026-11-22"}, HoldCode.WRONG_PERIOD),
        ({"period": "2026-11-24"}, None),
        ({"period": "2026-11-27"}, None),
        ({"period": "2026-11-28"}, HoldCode.WRONG_PERIOD),
        ({"is_countersigned": True}, HoldCode.PERIOD_ENDED),
        ({"standing": Standing("CN-SX")}, None),
        ({"standing": Standing("CN-SH")}, HoldCode.WRONG_REGION),
    ],
)
def test_a_record_waits_by_rule_only(changes: dict[str, Any], code: HoldCode | None) -> None:
    assert judge_record(create_usage(), replace(FACTS, **changes)) == code


def test_what_waits_says_why() -> None:
    assert decide_state(HoldCode.LATE, ["x"]) == (CrossState.SUSPENDED, "late")
    assert decide_state(None, ["a", "b"]) == (CrossState.DISPUTED, "a,b")
    assert decide_state(None, ()) == (CrossState.SETTLED, "")


def test_only_its_two_platforms_write_a_record_and_of_the_moment_in_its_id() -> None:
    usage = create_usage()
    check_usage(usage, SERVING, HOME)
    check_usage(create_usage(RecordEnd.HOME), HOME, SERVING)
    for wrong, author, audience in (
        (usage, HOME, SERVING),
        (usage, SERVING, SERVING),
        (replace(usage, home_id=SERVING), SERVING, SERVING),
        (replace(usage, admitted_at_ms=NOW_MS + 1), SERVING, HOME),
    ):
        with pytest.raises(InvalidInput):
            check_usage(wrong, author, audience)


def test_a_region_is_what_names_vouch_for() -> None:
    assert choose_region("CN-SX", "CN-SX") == "CN-SX"
    assert choose_region(None, "CN-SH") == "CN-SH"
    assert choose_region("CN-SX", "CN-SH") == "CN-SX"
    home = create_usage(RecordEnd.HOME)
    assert judge_record(home, replace(FACTS, standing=Standing("CN-SH"))) is None


def test_a_period_is_over_after_its_grace() -> None:
    ends_ms = NOW_MS + int((MIDNIGHT + DAY - NOW) / timedelta(milliseconds=1)) + PERIOD_GRACE_S * 1000
    assert not is_period_over(PERIOD, ends_ms - 1)
    assert is_period_over(PERIOD, ends_ms)


@pytest.mark.parametrize(
    ("state", "revision", "is_taken"),
    [
        (SettlementState.ENDED, 1, False),
        (SettlementState.DIFFERS, 0, True),
        (SettlementState.COUNTERSIGNED, 0, False),
    ],
)
def test_a_later_word_on_the_end_counts_until_both_have_signed(
    state: SettlementState, revision: int, *, is_taken: bool
) -> None:
    ended = create_settlement(state=state, revision=revision, statement=SignedText(b"", b"", b""))
    assert decide_ended(ended, create_statement([])) is is_taken
    assert is_trimmable(ended) is (state is SettlementState.COUNTERSIGNED)


def test_the_first_word_on_the_end_counts() -> None:
    assert decide_ended(create_settlement(), create_statement([]))


def test_hours_are_told_once_over_and_one_after_another() -> None:
    now = datetime(2026, 11, 23, 9, 10, tzinfo=UTC)
    assert list_hours("2026-11-23T06", now) == ["2026-11-23T07", "2026-11-23T08"]
    assert list_hours("2026-11-23T06", now - timedelta(microseconds=1)) == ["2026-11-23T07"]
    assert list_hours("2026-11-23T08", now) == list_hours("2026-11-24T08", now) == []
    assert list_hours(None, now)[0] == list_hours("2026-11-01T00", now)[0] == "2026-11-19T09"


def test_positions_of_both_directions_meet() -> None:
    usages = [create_usage(), create_usage(currency="USD"), create_usage(RecordEnd.HOME)]
    nano = usages[0].amount_nano
    assert sum_amounts([*usages, usages[0]], RecordEnd.SERVING) == {"CNY": 2 * nano, "USD": nano}
    found = compute_net(HOME, SERVING, PERIOD, {HOME: {"CNY": 5}, SERVING: {"CNY": 7, "USD": 1}}, is_final=True)
    assert found == [
        NetPosition(PERIOD, SERVING, HOME, "CNY", 2, is_final=True),
        NetPosition(PERIOD, SERVING, HOME, "USD", 1, is_final=True),
    ]
    assert compute_net(HOME, SERVING, PERIOD, {HOME: {"CNY": 5}}, is_final=False)[0].creditor == HOME


def test_what_was_signed_has_a_digest() -> None:
    assert digest_text(b"abc").startswith("ba7816bf")
