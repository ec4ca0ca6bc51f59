"""What is done at each step of a departure within this platform, and by whom: settlement, credit and grants add their own work.

A step's work is done in the transaction that marks it, so that it is done once, whenever the platform was killed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from keisan.control.context import Control
from keisan.domain.access import PlatformScope
from keisan.domain.departure import SUSPENDABLE, StepName, StepState, find_next_step, mark_step
from keisan.domain.ids import LinkId
from keisan.domain.limits import DEPARTURE_WAIT_S
from keisan.domain.link import Link, LinkState
from keisan.storage.base import Transaction

DEPARTURE_WAIT = timedelta(seconds=DEPARTURE_WAIT_S)


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Whether a step is done, or waits for the parent; `detail` says what was agreed, or what is waited for."""

    is_done: bool
    detail: str = ""


DepartureWork = Callable[[Transaction, Control, Link], Awaitable[StepOutcome]]
MoveEnd = Callable[[Transaction, Control], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DepartureWorks:
    """Who does which step. A step that nobody does has nothing to do: there is nothing of its kind between the two.

    `end_move` is done once the old parent is left and another is there.
    """

    works: Mapping[StepName, DepartureWork] = field(default_factory=dict)
    end_move: MoveEnd | None = None

    async def advance(self, transaction: Transaction, control: Control, link: Link) -> Link:
        """Return the link after as many steps as can be done now; what waits too long for the parent stays in suspense."""
        now = control.clock.now()
        while (step := find_next_step(link.departure)) is not None and step.name is not StepName.SAY_GOODBYE:
            outcome = await self._work(transaction, control, link, step.name)
            if outcome.is_done:
                state = StepState.DONE
            elif step.name in SUSPENDABLE and has_waited(link, now):
                state = StepState.SUSPENSE
            else:
                break
            link = replace(link, departure=mark_step(link.departure, step.name, state, outcome.detail))
        return link

    async def _work(self, transaction: Transaction, control: Control, link: Link, name: StepName) -> StepOutcome:
        if name is StepName.JOIN_OTHER:
            return await _look_at_other(transaction, link.successor_id)
        work = self.works.get(name)
        return StepOutcome(True, "nothing to do") if work is None else await work(transaction, control, link)


def has_waited(link: Link, now: datetime) -> bool:
    """Tell whether the parent was waited for long enough since the departure began."""
    return link.ended_at is not None and now >= link.ended_at + DEPARTURE_WAIT


async def _look_at_other(transaction: Transaction, successor_id: LinkId | None) -> StepOutcome:
    """Tell whether the other parent has approved: without a place to go to nothing is given up."""
    if successor_id is None:
        return StepOutcome(False, "no other parent was named")
    other = await transaction.links.get(PlatformScope(), successor_id)
    if other.state is LinkState.JOINED:
        return StepOutcome(True, f"joined {other.name} as {other.prefix}, epoch {other.epoch}")
    return StepOutcome(False, f"the request to {other.name} is {other.state}")
