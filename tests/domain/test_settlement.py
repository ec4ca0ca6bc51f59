"""Settlements: what follows from what, and that only what both have signed for may be dropped."""

import pytest

from keisan.domain.errors import StateConflict
from keisan.domain.link_log import SettledPeriod
from keisan.domain.settlement import NEXT_STATES, SettlementState, check_move, list_settled
from tests.federation.cross_samples import HOME, PERIOD, SERVING, create_settlement


@pytest.mark.parametrize("before", SettlementState)
@pytest.mark.parametrize("after", SettlementState)
def test_a_settlement_goes_where_its_state_leads(before: SettlementState, after: SettlementState) -> None:
    if after in NEXT_STATES[before]:
        check_move(before, after)
        return
    with pytest.raises(StateConflict):
        check_move(before, after)


def test_nothing_leads_out_of_what_both_have_signed_for() -> None:
    assert set(NEXT_STATES) == set(SettlementState)
    assert not NEXT_STATES[SettlementState.COUNTERSIGNED]
    assert SettlementState.COUNTERSIGNED not in NEXT_STATES[SettlementState.OPEN]


def test_only_periods_that_both_have_signed_for_are_dropped() -> None:
    every = [create_settlement(state=state) for state in SettlementState]
    assert list_settled(every) == [SettledPeriod(SERVING, HOME, PERIOD)]
