"""The state table of replicas: only the platform stops one, and stopped is the end."""

import pytest

from keisan.domain.replica import REPLICA_TRANSITIONS, ReplicaState, can_move_replica

PAIRS = [(before, after) for before in ReplicaState for after in ReplicaState]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_moves_are_those_of_the_table_and_staying(before: ReplicaState, after: ReplicaState) -> None:
    assert can_move_replica(before, after) == (before is after or after in REPLICA_TRANSITIONS[before])


@pytest.mark.parametrize("state", ReplicaState)
def test_every_state_can_be_ordered_to_stop_but_those_that_do(state: ReplicaState) -> None:
    is_ending = state in {ReplicaState.STOPPING, ReplicaState.STOPPED}
    assert (ReplicaState.STOPPING in REPLICA_TRANSITIONS[state]) is not is_ending


def test_stop_order_ends_in_stopped_and_nowhere_else() -> None:
    assert REPLICA_TRANSITIONS[ReplicaState.STOPPING] == {ReplicaState.STOPPED}
    assert REPLICA_TRANSITIONS[ReplicaState.STOPPED] == frozenset()
    ways = [before for before, after in PAIRS if before is not after and can_move_replica(before, after)]
    assert ReplicaState.STOPPED not in ways
    into_stopped = [before for before in ReplicaState if ReplicaState.STOPPED in REPLICA_TRANSITIONS[before]]
    assert into_stopped == [ReplicaState.STOPPING]
