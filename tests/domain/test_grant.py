"""The state table of grants."""

import pytest

from keisan.domain.grant import FINAL_STATES, GRANT_TRANSITIONS, HOLDING_STATES, GrantState, can_move_grant


@pytest.mark.parametrize("state", GrantState)
def test_final_states_are_those_without_a_way_out(state: GrantState) -> None:
    assert (state in FINAL_STATES) is (not GRANT_TRANSITIONS[state])
    assert can_move_grant(state, state)


def test_no_device_is_held_by_what_was_never_issued_or_is_over() -> None:
    assert HOLDING_STATES.isdisjoint(FINAL_STATES | {GrantState.PROPOSED})
    assert not can_move_grant(GrantState.RELEASED, GrantState.ISSUED)
    assert not can_move_grant(GrantState.PROPOSED, GrantState.HELD)
    assert can_move_grant(GrantState.HELD, GrantState.ISSUED)
