"""A site with a node of some devices under challenge: orders come by reports, time is the test's, work is really done."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from keisan.agent.challenge import open_parts
from keisan.control.challenge import commit_challenge, start_challenges
from keisan.control.challenge_answer import answer_challenge
from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.challenge import ChallengeReconciler
from keisan.control.report import accept_report
from keisan.devices.benchmark_numpy import NumpyBenchmark
from keisan.domain.access import PlatformScope, Principal, Role
from keisan.domain.challenge import Challenge, ChallengeWork, Workload
from keisan.domain.challenge_rule import ChallengeTerms, count_work
from keisan.domain.ids import ChallengeId
from keisan.domain.lease import WorkNoun
from keisan.wire.challenge import ChallengeAnswer, ChallengeCommit, ChallengeOrder, ChallengeStart
from keisan.wire.challenge_proof import Commitment
from keisan.wire.device import DeviceReport
from tests.control.people import add_key
from tests.control.reports import build_report, report_device, report_node, report_replica
from tests.factories import FixedClock, Side, World

EVERYTHING = PlatformScope()
# Small, and two seconds long for a device that does as it claims.
TERMS = ChallengeTerms(target_s=2.0, widths=(64,), words=(4096,))
CLAIM_PER_S = 1_000_000
NODE = "host-9"
CHIP = "metax-c600"
BENCHMARK = NumpyBenchmark()


def do_work(order: ChallengeOrder, seed: str | None = None) -> Commitment:
    """Do an order's work, with another seed if one is given."""
    work = ChallengeWork(order.workload, order.width, order.count, seed or order.seed)
    return BENCHMARK.run(build_device(0), work, lambda: True)


def build_device(number: int) -> DeviceReport:
    """Return a device of the node."""
    return report_device(hardware_id=f"GPU-{number}", node_hardware_id=NODE, chip=CHIP)


def find_honest_s(order: ChallengeOrder) -> float:
    """Return how long the work takes a device that does a little less than it claims."""
    return count_work(ChallengeWork(order.workload, order.width, order.count, "")) / (0.9 * CLAIM_PER_S)


@dataclass(frozen=True)
class Reply:
    """What an agent does with an order: how long after it, it commits to which result, and what it tells of the time.

    `opened` is the result that parts are shown of; None shows none.
    """

    elapsed_s: float
    commitment: str
    opened: Commitment | None
    told_s: float


def reply_honestly(order: ChallengeOrder, late_s: float = 0.0) -> Reply:
    """Do the work and tell the truth."""
    result, elapsed_s = do_work(order), find_honest_s(order) + late_s
    return Reply(elapsed_s, result.build_root(), result, elapsed_s)


# Orders in the order of their devices, to a reply or silence for each.
Agent = Callable[[Sequence[ChallengeOrder]], Mapping[str, Reply | None]]


@dataclass
class ChallengeWorld:
    """`control` judges by TERMS. The site is `side`'s."""

    control: Control
    clock: FixedClock
    side: Side
    admin: Principal
    device_count: int = 8
    last: dict[str, Commitment] = field(default_factory=dict)

    @property
    def agent(self) -> Principal:
        """The machine of the site."""
        return self.side.agent.to_principal()

    async def report(self) -> tuple[ChallengeOrder, ...]:
        """Report the node and return the orders, by device."""
        report = build_report(
            nodes=(report_node(hardware_id=NODE),),
            devices=tuple(build_device(number) for number in range(self.device_count)),
            replicas=(report_replica(replica_id=self.side.replica.id),),
        )
        orders = (await accept_report(self.control, self.agent, report)).challenges
        return tuple(sorted(orders, key=lambda order: order.hardware_id))

    async def start(self, **changes: object) -> tuple[Challenge, ...]:
        """Start a round against the claim."""
        values: dict[str, object] = {"workload": Workload.FP64, "claim_per_s": CLAIM_PER_S} | changes
        body = ChallengeStart.model_validate({"site_id": self.side.site.id} | values)
        return await start_challenges(self.control, self.admin, body)

    async def commit(self, order: ChallengeOrder, reply: Reply) -> tuple[int, ...]:
        """Commit now, and return which parts are asked for."""
        body = ChallengeCommit(commitment=reply.commitment, told_us=round(reply.told_s * 1e6))
        return (await commit_challenge(self.control, self.agent, ChallengeId(order.challenge_id), body)).positions

    async def answer(self, order: ChallengeOrder, answer: ChallengeAnswer) -> None:
        """Open parts now."""
        await answer_challenge(self.control, self.agent, ChallengeId(order.challenge_id), answer)

    async def judge(self) -> None:
        """Run the lease loop until nothing is due."""
        loop = LeaseLoop(self.control, {WorkNoun.CHALLENGE: ChallengeReconciler(TERMS)})
        while await loop.run_round():
            pass

    async def play(self, agent: Agent, **changes: object) -> list[Challenge]:
        """Play a whole round with an agent, each reply at its time, and return what was judged, by device."""
        started = await self.start(**changes)
        orders = await self.report()
        assert len(orders) == len(started)
        begun_at = self.clock.now()
        replies = agent(orders)
        waiting = [
            (reply.elapsed_s, order.hardware_id, order, reply)
            for order in orders
            if (reply := replies[order.hardware_id]) is not None
        ]
        heapq.heapify(waiting)
        while waiting:
            elapsed_s, _, order, reply = heapq.heappop(waiting)
            self.clock.instant = begun_at + timedelta(seconds=elapsed_s)
            positions = await self.commit(order, reply)
            if reply.opened is not None:
                self.last[order.hardware_id] = reply.opened
                await self.answer(order, open_parts(reply.opened, positions))
            await self.judge()
        return await self.await_judged(started)

    async def await_judged(self, started: Sequence[Challenge]) -> list[Challenge]:
        """Let time pass, with reports, until the round is judged; return it by device."""
        while True:
            await self.judge()
            found = await self.read(started)
            if all(each.judged_at for each in found):
                return found
            self.clock.instant += timedelta(seconds=5)
            await self.report()

    async def read(self, started: Sequence[Challenge]) -> list[Challenge]:
        """Return a round as it is stored, by device."""
        async with self.control.storage.read() as view:
            found = await view.challenges.list_round(EVERYTHING, started[0].round_id)
        return sorted(found, key=lambda each: each.hardware_id)


async def open_challenge_world(control: Control, clock: FixedClock, world: World) -> ChallengeWorld:
    """Return such a world whose devices have been reported."""
    own = replace(control, challenge_terms=TERMS)
    admin = await add_key(own, world.left.project, Role.PLATFORM_ADMIN)
    opened = ChallengeWorld(own, clock, world.left, admin)
    await opened.report()
    return opened
