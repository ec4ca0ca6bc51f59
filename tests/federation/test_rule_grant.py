"""Rules of the child: borders of epochs, of time, and of its policy."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import StateConflict
from keisan.domain.grant import GrantState, OnExpiry, WantArrival
from keisan.domain.limits import GRANT_SKEW_S
from keisan.federation.rule_grant import (
    Reckoning,
    WantStep,
    decide_want,
    expire_grant,
    find_end_for_child,
    find_end_for_parent,
    is_asked_again,
    is_granted_at_once,
    is_of_newer_life,
    is_of_older_life,
    issue_grant,
    may_begin_work,
    move_grant,
    raise_epoch,
    renew_grant,
    take_over_grant,
)
from tests.federation.grant_samples import (
    DEVICE_IDS,
    SCOPE,
    START,
    TERMS,
    WORK,
    after,
    build_grant,
    build_grant_id,
    build_word,
)

STATES = st.sampled_from(GrantState)
END_S = SCOPE.duration_s + GRANT_SKEW_S


@pytest.mark.parametrize(("epoch", "is_older", "is_newer"), [(2, True, False), (3, False, False), (4, False, True)])
def test_epoch_has_two_borders_and_the_present_one_is_between(epoch: int, is_older: bool, is_newer: bool) -> None:
    assert (is_of_older_life(epoch, 3), is_of_newer_life(epoch, 3)) == (is_older, is_newer)


@pytest.mark.parametrize(("renewal", "expected"), [(1, False), (2, False), (3, True)])
def test_same_word_twice_prolongs_nothing(renewal: int, expected: bool) -> None:
    assert is_asked_again(renewal, 2) is expected


@pytest.mark.parametrize(
    ("seconds", "state", "expected"),
    [
        (END_S - 1, GrantState.ISSUED, True),
        (END_S, GrantState.ISSUED, False),
        (0, GrantState.HELD, False),
        (0, GrantState.PROPOSED, False),
        (0, GrantState.RELEASED, False),
    ],
)
def test_work_begins_up_to_the_skew_bound_and_on_no_held_grant(seconds: int, state: GrantState, expected: bool) -> None:
    assert may_begin_work(build_grant(state=state), after(seconds), 0) is expected


@pytest.mark.parametrize(
    ("on_expiry", "expected"), [(OnExpiry.HOLD, GrantState.HELD), (OnExpiry.RELEASE, GrantState.RELEASED)]
)
def test_grant_that_nobody_renews_is_held_or_released_as_it_says(on_expiry: OnExpiry, expected: GrantState) -> None:
    grant = build_grant(scope=replace(SCOPE, on_expiry=on_expiry))
    assert expire_grant(grant, after(END_S - 1), 0) == grant
    over = expire_grant(grant, after(END_S), 0)
    assert (over.state, over.epoch, over.number, over.device_ids, over.version) == (
        expected,
        grant.epoch,
        grant.number,
        grant.device_ids,
        grant.version + 1,
    )
    assert expire_grant(over, after(10**9), 0) == over


@given(seconds=st.integers(0, 10**9), state=STATES, offset_ms=st.none() | st.integers(-(10**7), 10**7))
def test_time_alone_never_ends_a_grant_that_is_to_be_held(
    seconds: int, state: GrantState, offset_ms: int | None
) -> None:
    grant = build_grant(state=state)
    expired = expire_grant(grant, after(seconds), offset_ms)
    assert expired.state is state or (state, expired.state) == (GrantState.ISSUED, GrantState.HELD)
    assert expired.device_ids == grant.device_ids


OFFSETS = st.integers(-(10**6), 10**6)


@given(
    travel_s=st.integers(0, 10**6),
    duration_s=st.integers(600, 10**6),
    offset_ms=OFFSETS,
    jumps_ms=st.tuples(OFFSETS, OFFSETS),
    is_parent_steady=st.booleans(),
)
def test_parent_stops_before_its_child_whichever_clock_jumps(
    travel_s: int, duration_s: int, offset_ms: int, jumps_ms: tuple[int, int], is_parent_steady: bool
) -> None:
    """One clock jumps after the want was sent and taken; both know the new offset. The ends are compared in true time."""
    parent_jump_ms, child_jump_ms = (0, jumps_ms[1]) if is_parent_steady else (jumps_ms[0], 0)
    # The parent's clock is true at first, and the child's is ahead by offset_ms.
    later_ms = offset_ms + child_jump_ms - parent_jump_ms
    parent = Reckoning(START, duration_s, offset_ms, later_ms)
    child = Reckoning(after(travel_s + offset_ms / 1000), duration_s, -offset_ms, -later_ms)
    parent_end_s = (find_end_for_parent(parent) - START).total_seconds() - parent_jump_ms / 1000
    child_end_s = (find_end_for_child(child) - START).total_seconds() - (offset_ms + child_jump_ms) / 1000
    assert parent_end_s + 2 * GRANT_SKEW_S <= child_end_s + 0.001
    # A clock that jumps takes nothing that was granted from the child, and gives the parent nothing that was not.
    assert child_end_s + 0.001 >= travel_s + duration_s + GRANT_SKEW_S
    assert parent_end_s <= duration_s - GRANT_SKEW_S + 0.001


def test_offset_that_was_not_measured_corrects_nothing() -> None:
    for then, now in ((None, 5000), (5000, None)):
        assert Reckoning(START, 600, then, now).list_ends() == (after(600), after(600))
    assert Reckoning(START, 600, 1000, 5000).list_ends() == (after(600), after(596))


def test_way_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(StateConflict, match="cannot become"):
        move_grant(build_grant(state=GrantState.RELEASED), GrantState.ISSUED, "")


def test_issued_grant_has_the_next_number_of_the_epoch() -> None:
    proposed = build_grant(state=GrantState.PROPOSED, number=0, epoch=2, device_ids=())
    issued, terms = issue_grant(proposed, TERMS, DEVICE_IDS[:2])
    assert (issued.state, issued.epoch, issued.number, issued.device_ids) == (GrantState.ISSUED, 3, 8, DEVICE_IDS[:2])
    assert (terms.last_number, terms.version) == (8, 10)


@given(above=st.integers(0, 10), times=st.integers(1, 4))
def test_epoch_only_rises_and_above_all_that_was_heard_of(above: int, times: int) -> None:
    terms = TERMS
    for _ in range(times):
        raised = raise_epoch(terms, above)
        assert raised.epoch > max(terms.epoch, above)
        assert (raised.last_number, raised.version) == (0, terms.version + 1)
        terms = raised


@pytest.mark.parametrize(
    ("word", "state", "expected"),
    [
        ({"epoch": 4}, GrantState.ISSUED, WantStep.RAISE_EPOCH),
        ({"heard_number": 8}, GrantState.ISSUED, WantStep.RAISE_EPOCH),
        ({"heard_number": 8, "epoch": 2}, GrantState.ISSUED, WantStep.REFUSE_EPOCH),
        ({"epoch": 2}, GrantState.ISSUED, WantStep.REFUSE_EPOCH),
        ({"epoch": 2, "is_ended": True}, GrantState.ISSUED, WantStep.REFUSE_EPOCH),
        ({"is_ended": True}, GrantState.HELD, WantStep.RELEASE),
        ({"is_ended": True}, GrantState.RELEASED, WantStep.IGNORE),
        ({"is_ended": True}, None, WantStep.IGNORE),
        ({}, None, WantStep.PROPOSE),
        ({}, GrantState.ISSUED, WantStep.IGNORE),
        ({"work": WORK}, GrantState.ISSUED, WantStep.CHANGE_WORK),
        ({"work": WORK}, GrantState.RELEASED, WantStep.IGNORE),
        ({"renewal": 2}, GrantState.HELD, WantStep.RENEW),
        ({"renewal": 2}, GrantState.RELEASED, WantStep.PROPOSE),
    ],
)
def test_what_a_want_makes_the_child_do(word: dict[str, object], state: GrantState | None, expected: WantStep) -> None:
    grant = None if state is None else build_grant(state=state)
    assert decide_want(build_word(**word), TERMS, grant) is expected


@pytest.mark.parametrize(
    ("epoch", "state", "expected"),
    [
        (2, GrantState.HELD, WantStep.TAKE_OVER),
        (2, GrantState.RELEASED, WantStep.IGNORE),
        (3, GrantState.HELD, WantStep.IGNORE),
    ],
)
def test_grant_of_an_older_life_is_taken_over(epoch: int, state: GrantState, expected: WantStep) -> None:
    assert decide_want(build_word(), TERMS, build_grant(epoch=epoch, state=state)) is expected


def test_taken_over_grant_has_its_devices_and_a_new_number() -> None:
    held = build_grant(epoch=2, number=5, state=GrantState.HELD)
    taken, terms = take_over_grant(held, TERMS, build_word(renewal=4), WantArrival(after(9), 7))
    assert (taken.epoch, taken.number, taken.state, taken.renewal) == (3, 8, GrantState.ISSUED, 4)
    assert (taken.device_ids, taken.reckoned_from, taken.offset_ms) == (held.device_ids, after(9), 7)
    assert terms.last_number == 8
    waiting = build_grant(epoch=2, number=0, state=GrantState.PROPOSED)
    still, unchanged = take_over_grant(waiting, TERMS, build_word(), WantArrival(after(9), 7))
    assert (still.epoch, still.number, still.state, unchanged) == (3, 0, GrantState.PROPOSED, TERMS)


@pytest.mark.parametrize(("state", "expected"), [(GrantState.HELD, GrantState.ISSUED), (GrantState.PROPOSED,) * 2])
def test_renewed_grant_is_reckoned_anew(state: GrantState, expected: GrantState) -> None:
    renewed = renew_grant(build_grant(state=state), build_word(renewal=2, work=WORK), WantArrival(after(60), None))
    assert (renewed.state, renewed.renewal, renewed.work) == (expected, 2, WORK)
    assert (renewed.reckoned_from, renewed.offset_ms) == (after(60), None)


@pytest.mark.parametrize(("count", "expected"), [(2, True), (3, False)])
def test_policy_counts_what_is_granted_already(count: int, expected: bool) -> None:
    grants = (build_grant(), build_grant(id=build_grant_id(2), state=GrantState.RELEASED))
    assert is_granted_at_once(TERMS, grants, replace(SCOPE, count=count)) is expected
