"""Sites: the product's agent follows orders that come late, twice or out of order, from a platform whose disk may be older than its own.

What runs is the truth of the simulation: an agent that is stopped leaves it running, and its next life finds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

from keisan.agent import supervisor
from keisan.agent.folder import AgentFolder
from keisan.agent.keeper import Workplace
from keisan.agent.state import AgentState
from keisan.agent.supervisor import Supervisor
from keisan.control import fence
from keisan.control.fence import catch_up_with_agent, load_epoch
from keisan.domain.ids import DeploymentId, SiteId
from keisan.wire.site import FenceReport, OrderAction, ReplicaOrder, SiteOrders
from tests.simulation.federation.counter import State
from tests.simulation.federation.task import Crash

if TYPE_CHECKING:
    from keisan.agent.settings import AgentAdapters, AgentSettings
    from keisan.storage.base import Transaction
    from keisan.wire.node import NodeReport
    from tests.simulation.federation.disk import MemoryTransaction, Tables
    from tests.simulation.federation.platform import SimulatedPlatform
    from tests.simulation.federation.world import World

SITES = 2
EXCHANGES, PLACEMENTS, STOPS = 10, 3, 2
LATENCY_MS = (1, 60)
LATE_CHANCE, AGAIN_CHANCE, CRASH_CHANCE = 0.15, 0.25, 0.05
LATE_MS = (100, 3_000)
PLAN = "site"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a platform has placed at its site, as it is on its disk: one replica of one deployment, and those that are to stop."""

    id: DeploymentId
    fence: int
    replica_id: UUID
    stopping: frozenset[UUID] = frozenset()

    @property
    def deployment_id(self) -> DeploymentId:
        """Return whose replica it is."""
        return self.id


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent tells: its replicas, which of them have stopped, and higher fences than it was given."""

    replicas: frozenset[UUID]
    stopped: frozenset[UUID]
    fences: tuple[FenceReport, ...]


class MemoryPlacement:
    """Deployments and replicas of a platform, as far as fences are decided by them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def list_site(self, scope: object, site_id: SiteId) -> list[Plan]:
        plan = find_plan(self._tables)
        return [] if plan is None else [plan]

    async def list_by_ids(self, scope: object, ids: set[DeploymentId]) -> list[Plan]:
        plan = find_plan(self._tables)
        return [] if plan is None or plan.id not in ids else [plan]


@dataclass(slots=True)
class Site:
    """One site. `running` says by which (epoch, fence) the work of each replica was begun; `begun` is the highest of all."""

    platform: SimulatedPlatform
    id: SiteId
    deployment_id: DeploymentId
    agent: Supervisor | None = None
    running: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    begun: tuple[int, int] = (0, 0)
    told: frozenset[UUID] = frozenset()
    answers: list[SiteOrders] = field(default_factory=list)


class Sites:
    """The sites of some platforms of one schedule."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sites: list[Site] = []
        self.problems: list[str] = []

    def open(self, end_ms: int) -> None:
        """Plan placements, and when agents and platforms speak."""
        chance, kernel = self.world.kernel.random, self.world.kernel
        for platform in chance.sample(self.world.platforms, min(SITES, self.world.tree.size)):
            ids = kernel.create_id(), kernel.create_id(), kernel.create_id()
            site = Site(platform, SiteId(ids[0]), DeploymentId(ids[1]))
            platform.disk.tables.notes[PLAN] = Plan(site.deployment_id, 1, ids[2])
            self.sites.append(site)
            for act, count in ((self.exchange, EXCHANGES), (self._place_anew, PLACEMENTS), (self._stop_agent, STOPS)):
                for _ in range(count):
                    kernel.call_in(chance.randint(100, end_ms), lambda site=site, act=act: act(site))  # type: ignore[misc]  # bound now

    def exchange_all(self) -> None:
        """Have every agent report; nothing is late any more."""
        for site in self.sites:
            site.answers.clear()
            self.exchange(site)

    def place_at(self, number: int) -> None:
        """Have a platform place what it has anew, and tell its agents."""
        for site in self.sites:
            if site.platform.number == number:
                self._place_anew(site)
                self.exchange(site)

    # At the platform.

    def _place_anew(self, site: Site) -> None:
        """Place the deployment's replica anew: its fence rises, and the replica of before is to stop."""

        async def write(transaction: MemoryTransaction) -> None:
            _place(transaction, self.world.kernel.create_id())

        if site.platform.is_up:
            site.platform.transact(write)

    async def _answer(self, site: Site, report: Report) -> None:
        """Take a report and give orders, as control.report does: first catch up with what the agent has seen."""
        control, kernel = site.platform.control, self.world.kernel
        before = await self._load_epoch(site)
        await catch_up_with_agent(control, site.id, report.fences)
        async with site.platform.disk.write() as transaction:
            plan = find_plan(transaction.tables)
            assert plan is not None
            if plan.replica_id in report.stopped:
                plan = _place(transaction, kernel.create_id())
            plan = replace(plan, stopping=plan.stopping - report.stopped)
            transaction.notes[PLAN] = plan
            epoch = await load_epoch(cast("Transaction", transaction), control.platform_id)
        self.world.tally.states[State.FENCE_EPOCH] += bool(report.fences) and epoch > before
        self._send(site, build_orders(plan, epoch, report))

    async def _load_epoch(self, site: Site) -> int:
        async with site.platform.disk.read() as view:
            return await load_epoch(cast("Transaction", view), site.platform.id)

    # Between the two.

    def exchange(self, site: Site) -> None:
        """Have an agent report, if it and its platform are up."""
        agent = self._find_agent(site)
        stopped = _list_ids(agent, OrderAction.STOP)
        site.told = stopped
        report = Report(stopped | _list_ids(agent, OrderAction.RUN), stopped, agent.list_fences())
        kernel = self.world.kernel

        def arrive() -> None:
            if site.platform.is_up:
                site.platform.do(self._answer(site, report))

        kernel.call_in(kernel.random.randint(*LATENCY_MS), arrive)

    def _send(self, site: Site, orders: SiteOrders) -> None:
        """Let orders arrive, late perhaps, and one of before once more."""
        kernel, chance = self.world.kernel, self.world.kernel.random
        is_calm = self.world.is_calm
        delay_ms = chance.randint(*(LATE_MS if chance.random() < LATE_CHANCE and not is_calm else LATENCY_MS))
        kernel.call_in(delay_ms, lambda: self._take(site, orders))
        site.answers.append(orders)
        if chance.random() < AGAIN_CHANCE and not is_calm:
            again = chance.choice(site.answers)
            kernel.call_in(chance.randint(*LATE_MS), lambda: self._take(site, again))

    # At the site.

    def _take(self, site: Site, orders: SiteOrders) -> None:
        agent = self._find_agent(site)
        try:
            agent.apply(orders, site.told)
        except Crash:
            site.agent = None
            return
        self.world.tally.states[State.OUTDATED_ORDER] += bool(agent._outdated)
        self._work(site, agent)

    def _work(self, site: Site, agent: Supervisor) -> None:
        """Do what an agent's keepers do: end what is to stop, and begin what is to run."""
        wanted = {keeper.replica_id: keeper.record.order for keeper in agent._keepers.values()}
        for replica_id in list(site.running):
            if wanted.get(replica_id) is None or wanted[replica_id].action is OrderAction.STOP:
                del site.running[replica_id]
        for replica_id, order in wanted.items():
            if order.action is OrderAction.RUN and replica_id not in site.running:
                self._begin(site, order)

    def _begin(self, site: Site, order: ReplicaOrder) -> None:
        by, name = (order.epoch, order.fence), f"a site of {site.platform.number}"
        if by < site.begun:
            self.problems.append(f"{name} begins by {by} what it has begun by {site.begun}")
        if site.running:
            self.problems.append(f"{name} has work that runs twice: {site.running} and {by}")
        site.running[order.replica_id] = by
        site.begun = max(site.begun, by)

    def _stop_agent(self, site: Site) -> None:
        """Stop an agent as kill -9 does; its next life reads what is on its disk."""
        site.agent = None

    def _find_agent(self, site: Site) -> Supervisor:
        """Return the agent, begun again if it was stopped: what runs goes on, unless no record names it."""
        if site.agent is None:
            site.agent = Supervisor(_build_workplace(site))
            self._work(site, site.agent)
        return site.agent

    # What must hold at the end.

    def list_problems(self) -> list[str]:
        """Return what is wrong: at each site what its platform has placed there runs, and nothing else."""
        found = list(self.problems)
        for site in self.sites:
            plan = find_plan(site.platform.disk.tables)
            if plan is None or set(site.running) != {plan.replica_id}:
                found.append(f"at a site of {site.platform.number} runs {site.running}, and {plan} is placed")
        return found


def find_plan(tables: Tables) -> Plan | None:
    """Return what a platform has placed at its site."""
    return cast("Plan | None", tables.notes.get(PLAN))


def build_orders(plan: Plan, epoch: int, report: Report) -> SiteOrders:
    """Return what a platform wants: its replica to run, those that it stops to stop, and those that it does not know."""
    run = ReplicaOrder(
        replica_id=plan.replica_id,
        action=OrderAction.RUN,
        deployment_id=plan.id,
        epoch=epoch,
        fence=plan.fence,
    )
    strays = sorted(plan.stopping | report.replicas - {plan.replica_id})
    stops = [ReplicaOrder(replica_id=each, action=OrderAction.STOP) for each in strays]
    return SiteOrders(orders=(run, *stops), next_report_s=1.0)


def _place(transaction: MemoryTransaction, replica_id: UUID) -> Plan:
    before = find_plan(transaction.tables)
    assert before is not None
    plan = Plan(before.id, before.fence + fence.draw_fence_leap(), replica_id, before.stopping | {before.replica_id})
    transaction.notes[PLAN] = plan
    return plan


def _list_ids(agent: Supervisor, action: OrderAction) -> frozenset[UUID]:
    return frozenset(each.replica_id for each in agent._keepers.values() if each.record.order.action is action)


def _build_workplace(site: Site) -> Workplace:
    return Workplace(
        settings=cast("AgentSettings", None),
        adapters=cast("AgentAdapters", None),
        folder=AgentFolder(Path("/nowhere") / str(site.id)),
        clock=site.platform.clock,
        node=cast("NodeReport", None),
        changed=asyncio.Event(),
        is_leaving=asyncio.Event(),
    )


@contextmanager
def keep_states(world: World) -> Iterator[None]:
    """Let agents write to disks in memory, and be stopped before or after what they write is there."""
    kept: dict[Path, AgentState] = {}

    def save(path: Path, state: AgentState) -> None:
        chance = world.kernel.random
        if chance.random() < CRASH_CHANCE and not world.is_calm:
            raise Crash
        kept[path] = state
        if chance.random() < CRASH_CHANCE and not world.is_calm:
            raise Crash

    replaced = {
        "load_state": lambda path: kept.get(path, AgentState()),
        "save_state": save,
        "write_warning": lambda event, **fields: None,
    }
    before = {name: vars(supervisor)[name] for name in replaced}
    vars(supervisor).update(replaced)
    try:
        yield
    finally:
        vars(supervisor).update(before)
