"""The state table of serving challenges."""

from keisan.domain.serving_challenge import SERVING_TRANSITIONS, ServingState, can_move_serving


def test_every_state_comes_to_be_judged_and_nothing_follows() -> None:
    assert set(SERVING_TRANSITIONS) == set(ServingState)
    for before in ServingState:
        assert can_move_serving(before, ServingState.JUDGED) is (before is not ServingState.JUDGED)
    assert can_move_serving(ServingState.PLANNED, ServingState.RUNNING)
    assert not can_move_serving(ServingState.RUNNING, ServingState.PLANNED)
