"""When the platform challenges by itself: at random times, a random node, so that nobody can be ready for it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random, SystemRandom
from uuid import UUID

from keisan.control.challenge import RoundWish, insert_rounds, plan_rounds
from keisan.control.context import CONTROL_ACTOR, Control
from keisan.domain.access import PlatformScope
from keisan.domain.challenge import Challenge
from keisan.domain.challenge_rule import ScheduleTerms
from keisan.domain.lease import WorkNoun
from keisan.storage.base import Storage, Transaction

EVERYTHING = PlatformScope()
# There is one on a platform, and no row that could give it an id.
SCHEDULE_ID = UUID("0190a7c0-0000-7000-8000-000000000016")
WAIT_S_MIN = 1.0


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """How many nodes there are, about, and the rounds that a randomly chosen site could have now, one a node."""

    node_count: int
    possible: tuple[Challenge, ...]


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """The round to begin, and when to choose again."""

    planned: tuple[Challenge, ...]
    due_again_at: datetime


@dataclass(frozen=True, slots=True)
class ChallengeScheduleReconciler:
    """Chooses a site, one of its nodes and a workload by `random`: the system's own, or a seeded one in simulations."""

    control: Control
    terms: ScheduleTerms
    random: Random = field(default_factory=SystemRandom)

    async def load(self, transaction: Transaction, _noun_id: UUID) -> ScheduleState | None:
        """Return what could be begun now; None if nothing is ever to be begun."""
        if not self.terms.period_s:
            return None
        sites = await transaction.sites.list_all(EVERYTHING)
        if not sites:
            return ScheduleState(1, ())
        site = self.random.choice(sites)
        wish = RoundWish(self.random.choice(self.terms.workloads), may_disturb=self.terms.may_disturb)
        nodes = await transaction.nodes.list_site(EVERYTHING, site.id)
        possible = await plan_rounds(self.control, transaction, site.id, wish)
        return ScheduleState(max(len(sites) * len(nodes), 1), possible)

    def decide(self, state: ScheduleState, now: datetime) -> ScheduleChange:
        """Choose one node's round, and a time after which nobody can tell when the next will be."""
        wait_s = self.random.expovariate(state.node_count / self.terms.period_s)
        due_again_at = now + timedelta(seconds=max(wait_s, WAIT_S_MIN))
        rounds = sorted({each.round_id for each in state.possible})
        chosen = self.random.choice(rounds) if rounds else None
        return ScheduleChange(tuple(each for each in state.possible if each.round_id == chosen), due_again_at)

    async def apply(self, transaction: Transaction, change: ScheduleChange, now: datetime) -> datetime:  # noqa: ARG002  # the contract's
        """Write the round."""
        await insert_rounds(transaction, change.planned, CONTROL_ACTOR)
        return change.due_again_at


async def start_challenge_schedule(storage: Storage, now: datetime, terms: ScheduleTerms, random: Random) -> None:
    """Make the schedule's work due at a random time, or leave it due at an earlier one; never at once.

    A platform that starts has better to do, and its nodes are idle only because nothing is placed yet.
    """
    if not terms.period_s:
        return
    due_at = now + timedelta(seconds=random.expovariate(1 / terms.period_s))
    async with storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.CHALLENGE_SCHEDULE, SCHEDULE_ID, due_at)
