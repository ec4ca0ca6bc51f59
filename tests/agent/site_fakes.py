"""A site in memory: a clock that is set, an engine that is told its health, an executor with a table of processes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from keisan.agent.folder import prepare_folder
from keisan.agent.keeper import ReplicaKeeper, Workplace
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.agent.state import ReplicaRecord
from keisan.domain.engine import RunningUsage
from keisan.domain.errors import LaunchFailed
from keisan.domain.verdict import Verdict
from keisan.engines.base import Health, LaunchPlan, LaunchRequest, check_launch
from keisan.executors.base import ProcessIdentity, ProcessPlan
from keisan.weights.base import Progress, WeightsRequest
from keisan.wire.node import NodeReport
from keisan.wire.site import OrderAction, ReplicaOrder
from keisan.wire.snapshot import EngineProfile

NODE = NodeReport(hardware_id="node-1", hostname="host", boot_id="boot", cpu_count=2, memory_bytes=10**9)
REPLICA_ID = UUID("01900000-0000-7000-8000-0000000000a1")
DEPLOYMENT_ID = UUID("01900000-0000-7000-8000-0000000000d1")
SHA256 = "ab" * 32


class SetClock:
    """Time stands still but for `advance`; sleepers wait for it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now_s)

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep(self, duration_s: float) -> None:
        end_s = self.now_s + duration_s
        async with self._moved:
            await self._moved.wait_for(lambda: self.now_s >= end_s)

    async def advance(self, duration_s: float) -> None:
        async with self._moved:
            self.now_s += duration_s
            self._moved.notify_all()


@dataclass(slots=True)
class ToldEngine:
    """An engine whose health is `health`, and whose probe of `breaks_on` breaks the contract."""

    name: str = "told"
    health: Health = field(default_factory=lambda: Health(Verdict.OK))
    probed: int = 0
    breaks_on: Path | None = None

    def profile(self) -> EngineProfile:
        return EngineProfile(
            running_usage=RunningUsage.NONE,
            idle_connection_s=5,
            requests_per_connection_max=100,
            is_usage_summed_over_choices=False,
        )

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        check_launch(request)
        return LaunchPlan(("told", str(request.config_path)), "{}", request.working_directory)

    async def probe(self, socket_path: Path) -> Health:
        self.probed += 1
        if socket_path == self.breaks_on:
            raise ZeroDivisionError
        return self.health


@dataclass(slots=True)
class TableExecutor:
    """Processes are rows of a table."""

    name: str = "table"
    alive: dict[ProcessIdentity, ProcessPlan] = field(default_factory=dict)
    stopped: list[ProcessIdentity] = field(default_factory=list)
    started: list[ProcessPlan] = field(default_factory=list)
    is_refusing: bool = False

    async def start(self, plan: ProcessPlan) -> ProcessIdentity:
        if self.is_refusing:
            raise LaunchFailed("no room")
        identity = ProcessIdentity(100 + len(self.started), 1, "boot")
        self.started.append(plan)
        self.alive[identity] = plan
        return identity

    async def is_alive(self, identity: ProcessIdentity) -> bool:
        return identity in self.alive

    async def stop(self, identity: ProcessIdentity, grace_s: float) -> None:
        if self.alive.pop(identity, None) is not None:
            self.stopped.append(identity)

    async def find_owned(self, directory: Path) -> tuple[ProcessIdentity, ...]:
        return tuple(
            identity for identity, plan in self.alive.items() if any(str(directory) in word for word in plan.argv)
        )


@dataclass(slots=True)
class ToldWeights:
    """A source that does what `script` says."""

    scheme: str = "told"
    script: Callable[[WeightsRequest, Progress], Path] = lambda request, _report: request.directory / "model"
    fetched: int = 0

    def fetch(self, request: WeightsRequest, report: Progress) -> Path:
        self.fetched += 1
        return self.script(request, report)


@dataclass(slots=True)
class FakeSite:
    """A workplace and all that is behind it."""

    workplace: Workplace
    clock: SetClock
    engine: ToldEngine
    executor: TableExecutor
    weights: ToldWeights
    saves: list[ReplicaRecord] = field(default_factory=list)

    def keep(self, record: ReplicaRecord) -> ReplicaKeeper:
        """Return a keeper whose saves are counted in `saves`."""
        keeper: ReplicaKeeper = ReplicaKeeper(self.workplace, record, lambda: self.saves.append(keeper.record))
        return keeper


def build_site(root: Path, settings: AgentSettings | None = None) -> FakeSite:
    """Return a site whose data directory is `root`."""
    clock, engine, executor, weights = SetClock(), ToldEngine(), TableExecutor(), ToldWeights()
    workplace = Workplace(
        settings=settings or AgentSettings("http://127.0.0.1:1", root, "machine"),
        adapters=AgentAdapters({"told": engine}, {"told": weights}, {}, executor),
        folder=prepare_folder(root),
        clock=clock,
        node=NODE,
        changed=asyncio.Event(),
        is_leaving=asyncio.Event(),
        random=Random(1),
    )
    return FakeSite(workplace, clock, engine, executor, weights)


def build_order(action: OrderAction = OrderAction.RUN, replica_id: UUID = REPLICA_ID) -> ReplicaOrder:
    """Return an order that a fake site can follow."""
    return ReplicaOrder(
        replica_id=replica_id,
        action=action,
        model_name="model",
        engine="told",
        node_hardware_id=NODE.hardware_id,
        slots=4,
        context_tokens=512,
        weights="told:model",
        weights_sha256=SHA256,
        weights_bytes=1,
    )
