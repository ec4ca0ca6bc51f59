"""How a platform leaves its parent: steps in order, kept with the link, so that a restart goes on where it was.

What the parent must have a part in, and cannot be reached for, stays in suspense: the departure proceeds, and loses nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from keisan.domain.errors import StateConflict


class StepName(StrEnum):
    """What is done, in this order. The first three are the settlement's, the credit's and the grants' own work."""

    CLOSE_PERIOD = "close_period"
    RETURN_LEASES = "return_leases"
    END_GRANTS = "end_grants"
    # Only of a move: the other parent has approved, with a higher epoch and other names.
    JOIN_OTHER = "join_other"
    FORWARD_NAMES = "forward_names"
    SAY_GOODBYE = "say_goodbye"


class StepState(StrEnum):
    """How far a step is; in suspense it is not done, and is not waited for."""

    PENDING = "pending"
    DONE = "done"
    SUSPENSE = "suspense"


@dataclass(frozen=True, slots=True)
class DepartureStep:
    """`detail` says what was agreed: of a period the sequence up to which it is closed, of a suspense why."""

    name: StepName
    state: StepState = StepState.PENDING
    detail: str = ""


# Without the parent these can wait, or be said by this platform alone.
SUSPENDABLE = frozenset({StepName.CLOSE_PERIOD, StepName.RETURN_LEASES, StepName.END_GRANTS, StepName.SAY_GOODBYE})
Departure = tuple[DepartureStep, ...]


def plan_departure(*, is_move: bool) -> Departure:
    """Return the steps of a departure, all of them before it."""
    return tuple(DepartureStep(name) for name in StepName if is_move or name is not StepName.JOIN_OTHER)


def find_next_step(departure: Departure) -> DepartureStep | None:
    """Return the first step that is still to be done, None after the last."""
    return next((step for step in departure if step.state is StepState.PENDING), None)


def is_goodbye_owed(departure: Departure) -> bool:
    """Tell whether a platform has left a parent that could not be reached to hear of it: it is told as soon as it can be."""
    return any(step.name is StepName.SAY_GOODBYE and step.state is StepState.SUSPENSE for step in departure)


def say_goodbye(departure: Departure) -> Departure:
    """Return a departure after the parent has heard of it after all."""
    return tuple(
        replace(step, state=StepState.DONE, detail="") if step.name is StepName.SAY_GOODBYE else step
        for step in departure
    )


def mark_step(departure: Departure, name: StepName, state: StepState, detail: str) -> Departure:
    """Return a departure after its next step, which must be this one.

    Raises StateConflict for another, and where it may not be left in suspense: without another parent nothing is moved.
    """
    following = find_next_step(departure)
    if following is None or following.name is not name:
        raise StateConflict(f"the next step of this departure is not {name}")
    if state is StepState.SUSPENSE and name not in SUSPENDABLE:
        raise StateConflict(f"{name} cannot be left in suspense")
    return tuple(replace(step, state=state, detail=detail) if step.name is name else step for step in departure)
