"""The keeper of one replica: takes the steps that replica.py decides, one after another, and remembers what came of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random, SystemRandom
from uuid import UUID

from keisan.agent.folder import AgentFolder
from keisan.agent.log_tail import LogTail
from keisan.agent.replica import (
    Progress,
    RestartRule,
    Sight,
    Step,
    decide_step,
    note_fault,
    note_fetch,
    note_health,
    note_launch,
    note_stop,
)
from keisan.agent.settings import AgentAdapters, AgentSettings
from keisan.agent.state import Launch, ReplicaRecord
from keisan.domain.errors import KeisanError, LaunchFailed
from keisan.domain.replica import ReplicaState
from keisan.engines.base import Engine, LaunchRequest
from keisan.engines.socket_file import clear_stale_socket
from keisan.executors.base import ProcessPlan
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.kit.private_file import write_private_file
from keisan.weights.base import WeightsRequest
from keisan.wire.node import NodeReport
from keisan.wire.replica import EndpointView
from keisan.wire.site import OrderAction, ReplicaOrder, ReplicaReport


@dataclass(frozen=True, slots=True)
class Workplace:
    """What all keepers of a site share. `fetch_locks` has a lock per weights digest: one fetch of it at a time."""

    settings: AgentSettings
    adapters: AgentAdapters
    folder: AgentFolder
    clock: Clock
    node: NodeReport
    changed: asyncio.Event
    is_leaving: asyncio.Event
    random: Random = field(default_factory=SystemRandom)
    fetch_locks: dict[str, asyncio.Lock] = field(default_factory=dict)


class _FetchAbandoned(Exception):
    """Weights are not wanted any more: the replica was ordered to stop, or the agent leaves."""


class ReplicaKeeper:
    """Keeps one replica. `save` writes down the records of all keepers; it is called before anything relies on them."""

    def __init__(self, workplace: Workplace, record: ReplicaRecord, save: Callable[[], None]) -> None:
        self.record = record
        self.progress = Progress()
        self.is_woken = asyncio.Event()
        self._place = workplace
        self._save = save
        self._log = LogTail(workplace.folder.locate_log(self.replica_id))

    @property
    def replica_id(self) -> UUID:
        """The replica it keeps."""
        return self.record.order.replica_id

    def give_order(self, order: ReplicaOrder) -> None:
        """Take a new order; a running engine keeps what it was started with. A stop is never taken back."""
        if self.record.order.action is OrderAction.RUN and order != self.record.order:
            self.record = replace(self.record, order=order)
            self.is_woken.set()

    def note_failure(self, message: str) -> None:
        """Write down a fault; the next try comes by the backoff."""
        rule = RestartRule(self._place.settings.restart_backoff, self._place.random)
        self._move(note_fault(self.progress, message, self._place.clock.monotonic_s(), rule))
        write_warning("replica.failed", replica=self.replica_id, message=message, attempt=self.progress.attempt_count)

    def build_report(self) -> ReplicaReport:
        """Return what the platform is to know of it now."""
        launch = self.record.launch
        is_ready = self.progress.state is ReplicaState.READY and launch is not None
        return ReplicaReport(
            replica_id=self.replica_id,
            state=self.progress.state,
            endpoint=EndpointView(kind="unix", path=launch.socket_path) if launch and is_ready else None,
            model_digest=launch.model_digest if launch and is_ready else "",
            slots=launch.slots if launch else 0,
            restart_count=self.record.restart_count,
            message=self.progress.message[:1024],
            log_tail=self._log.read(),
        )

    async def take_step(self) -> float:
        """Take the next step and return how long to wait before the one after, in seconds.

        Raises what an adapter raises against its contract; expected faults are written down instead.
        """
        now_s = self._place.clock.monotonic_s()
        launch = self.record.launch
        is_running = launch is not None and await self._place.adapters.executor.is_alive(launch.process)
        sight = Sight(launch is not None, is_running, now_s)
        step = decide_step(self.record.order.action, self.progress, sight)
        try:
            return await self._do(step)
        except _FetchAbandoned:
            return 0.0
        except KeisanError as failure:
            self.note_failure(failure.outside)
            return self._wait_for_retry()

    async def adopt(self) -> None:
        """Take back an engine that an earlier agent started: the same process, in the same boot, with the ordered weights.

        One of ours that serves other weights than ordered is ended; a process that merely has the pid is left alone.
        """
        launch = self.record.launch
        if launch is None or not await self._place.adapters.executor.is_alive(launch.process):
            return
        order = self.record.order
        if order.action is OrderAction.RUN and launch.model_digest != f"sha256:{order.weights_sha256}":
            write_warning("replica.not_adopted", replica=self.replica_id, digest=launch.model_digest)
            await self._end_process()
            return
        await self._watch()
        write_log("replica.adopted", replica=self.replica_id, pid=launch.process.pid, state=self.progress.state)

    async def leave(self) -> None:
        """End the engine and keep the order, so that the next agent starts it again."""
        await self._end_process()

    async def _do(self, step: Step) -> float:
        match step:
            case Step.START:
                await self._start()
                return 0.05
            case Step.WATCH:
                await self._watch()
                # A start is watched closely, because somebody waits for it.
                return 0.1 if self.progress.state is ReplicaState.STARTING else self._place.settings.probe_period_s
            case Step.MOURN:
                self._mourn("the engine's process ended")
                return self._wait_for_retry()
            case Step.RESTART:
                await self._end_process()
                self._mourn("nobody listened on the engine's socket")
                return self._wait_for_retry()
            case Step.WAIT:
                return self._wait_for_retry()
            case Step.END:
                self._move(note_stop(self.progress, ReplicaState.STOPPING))
                await self._end_process()
                return 0.0
            case Step.REST:
                self._move(note_stop(self.progress, ReplicaState.STOPPED))
                return self._place.settings.probe_period_s

    async def _start(self) -> None:
        order = self.record.order
        engine = self._find_engine()
        weights_path = await self._fetch_weights(order)
        folder = self._place.folder
        socket_path, config_path = folder.locate_socket(self.replica_id), folder.locate_config(self.replica_id)
        await asyncio.to_thread(clear_stale_socket, socket_path)
        plan = engine.plan(
            LaunchRequest(
                model_name=order.model_name,
                weights_path=weights_path,
                slots=order.slots,
                context_tokens=order.context_tokens,
                threads=self._place.node.cpu_count,
                socket_path=socket_path,
                config_path=config_path,
                working_directory=folder.run,
            )
        )
        if self.record.order.action is OrderAction.STOP or self._place.is_leaving.is_set():
            return
        write_private_file(config_path, plan.config_text.encode())
        log_path = folder.locate_log(self.replica_id)
        process = await self._place.adapters.executor.start(
            ProcessPlan(plan.argv, plan.working_directory, log_path, plan.environment)
        )
        digest = f"sha256:{order.weights_sha256}"
        self.record = replace(self.record, launch=Launch(process, str(socket_path), digest, order.slots))
        self._save()
        self._move(note_launch(self.progress))
        write_log("replica.started", replica=self.replica_id, pid=process.pid, model=order.model_name)

    async def _watch(self) -> None:
        launch = self.record.launch
        assert launch is not None
        health = await self._find_engine().probe(Path(launch.socket_path))
        self._move(note_health(self.progress, health, self._place.clock.monotonic_s()))

    def _mourn(self, message: str) -> None:
        self.record = replace(self.record, launch=None, restart_count=self.record.restart_count + 1)
        self._save()
        self.note_failure(message)

    async def _end_process(self) -> None:
        launch = self.record.launch
        if launch is None:
            return
        await self._place.adapters.executor.stop(launch.process, self._place.settings.stop_grace_s)
        for path in (Path(launch.socket_path), self._place.folder.locate_config(self.replica_id)):
            path.unlink(missing_ok=True)
        self.record = replace(self.record, launch=None)
        self._save()
        write_log("replica.ended", replica=self.replica_id, pid=launch.process.pid)

    def _find_engine(self) -> Engine:
        order, node = self.record.order, self._place.node
        if order.node_hardware_id != node.hardware_id:
            raise LaunchFailed(f"this site has no node {order.node_hardware_id}")
        engine = self._place.adapters.engines.get(order.engine)
        if engine is None:
            raise LaunchFailed(f"this site has no engine '{order.engine}'")
        return engine

    async def _fetch_weights(self, order: ReplicaOrder) -> Path:
        scheme = order.weights.partition(":")[0]
        source = self._place.adapters.weights.get(scheme)
        if source is None:
            raise LaunchFailed(f"this site has no weight source '{scheme}:'")
        request = WeightsRequest(order.weights, order.weights_sha256, order.weights_bytes, self._place.folder.weights)
        loop = asyncio.get_running_loop()

        def report(done_bytes: int, total_bytes: int) -> None:
            if self.record.order.action is OrderAction.STOP or self._place.is_leaving.is_set():
                raise _FetchAbandoned("the weights are not wanted any more")
            percent = 100 * done_bytes // max(total_bytes, 1)
            loop.call_soon_threadsafe(lambda: self._move(note_fetch(self.progress, percent)))

        async with self._place.fetch_locks.setdefault(order.weights_sha256, asyncio.Lock()):
            return await asyncio.to_thread(source.fetch, request, report)

    def _wait_for_retry(self) -> float:
        return max(0.0, self.progress.retry_at_s - self._place.clock.monotonic_s())

    def _move(self, progress: Progress) -> None:
        if (progress.state, progress.message) != (self.progress.state, self.progress.message):
            self._place.changed.set()
        self.progress = progress
