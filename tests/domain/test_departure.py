"""Departures: step after step, none passed over, and none in suspense that needs no parent."""

import pytest

from keisan.domain.departure import (
    SUSPENDABLE,
    StepName,
    StepState,
    find_next_step,
    is_goodbye_owed,
    mark_step,
    plan_departure,
    say_goodbye,
)
from keisan.domain.errors import StateConflict


@pytest.mark.parametrize("is_move", [True, False])
def test_a_departure_goes_through_its_steps_in_order(is_move: bool) -> None:
    departure = plan_departure(is_move=is_move)
    seen = []
    while (step := find_next_step(departure)) is not None:
        seen.append(step.name)
        departure = mark_step(departure, step.name, StepState.DONE, "x")
    assert seen == [name for name in StepName if is_move or name is not StepName.JOIN_OTHER]
    assert seen.index(StepName.CLOSE_PERIOD) < seen.index(StepName.RETURN_LEASES) < seen.index(StepName.SAY_GOODBYE)
    with pytest.raises(StateConflict):
        mark_step(departure, StepName.SAY_GOODBYE, StepState.DONE, "")


def test_a_goodbye_that_nobody_heard_is_owed_until_it_is_heard() -> None:
    departure = plan_departure(is_move=False)
    assert not is_goodbye_owed(departure)
    for name in [step.name for step in departure]:
        departure = mark_step(departure, name, StepState.SUSPENSE if name in SUSPENDABLE else StepState.DONE, "cut off")
    assert is_goodbye_owed(departure)
    told = say_goodbye(departure)
    assert not is_goodbye_owed(told)
    assert told[:-1] == departure[:-1]


def test_no_step_is_passed_over() -> None:
    with pytest.raises(StateConflict, match="not say_goodbye"):
        mark_step(plan_departure(is_move=True), StepName.SAY_GOODBYE, StepState.DONE, "")


def test_what_needs_no_parent_is_not_left_in_suspense() -> None:
    departure = plan_departure(is_move=True)
    for name in StepName:
        if name in SUSPENDABLE:
            departure = mark_step(departure, name, StepState.SUSPENSE, "unreachable")
            continue
        with pytest.raises(StateConflict, match="suspense"):
            mark_step(departure, name, StepState.SUSPENSE, "unreachable")
        departure = mark_step(departure, name, StepState.DONE, "")
    assert find_next_step(departure) is None
