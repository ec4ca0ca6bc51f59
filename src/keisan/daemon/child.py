"""One supervised child: started in a session of its own, its identity on disk, restarted with backoff when it dies (R13)."""

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from keisan.daemon.child_process import ChildOrder, ChildProcess, Launch, spawn
from keisan.daemon.process_file import forget_process, record_process
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.kit.retry import Backoff

# A child that lived this long is healthy again: its next death starts the backoff anew.
HEALTHY_S = 30.0


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """What to run, and how. `command` may change between starts, as when a free port was taken; `stop_s` is the time to end."""

    name: str
    command: Callable[[], tuple[str, ...]]
    environment: Mapping[str, str]
    log_path: Path
    process_path: Path
    stop_s: float
    launch: Launch = spawn


@dataclass(slots=True)
class Child:
    """`announcement` is the JSON object of its first line on standard output; `deaths` counts those without a healthy life."""

    plan: ChildPlan
    clock: Clock
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=15.0))
    random: Random = field(default_factory=Random)
    announcement: Mapping[str, object] | None = None
    announced: asyncio.Event = field(default_factory=asyncio.Event)
    deaths: int = 0
    exit_code: int | None = None
    _process: ChildProcess | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._ended.set()

    @property
    def process_id(self) -> int | None:
        """Return the pid of the living process, None while there is none."""
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Start it, and start it again whenever it dies, until stopped."""
        self._ended.clear()
        try:
            while not self._stopping.is_set():
                await self._live_once()
                if not self._stopping.is_set():
                    write_warning("child.died", name=self.plan.name, exit_code=self.exit_code, deaths=self.deaths)
                    await self._wait_backoff()
        finally:
            self._ended.set()

    async def stop(self, killing: asyncio.Event) -> None:
        """Ask it to end; kill it after its time, or as soon as `killing` is set; return when it is gone."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        async with asyncio.TaskGroup() as group:
            ended, hurried = group.create_task(self._ended.wait()), group.create_task(killing.wait())
            await asyncio.wait([ended, hurried], timeout=self.plan.stop_s, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            if not ended.done():
                write_warning("child.killed", name=self.plan.name)
                self._signal(signal.SIGKILL)

    async def _live_once(self) -> None:
        started_s = self.clock.monotonic_s()
        process = await self._start()
        try:
            if self._stopping.is_set():
                self._signal(signal.SIGTERM)
            await self._read_announcement(process)
            self.exit_code = await process.wait()
        finally:
            await self._clear(process)
        is_healthy = self.clock.monotonic_s() - started_s >= HEALTHY_S
        self.deaths = 1 if is_healthy else self.deaths + 1

    async def _start(self) -> ChildProcess:
        plan = self.plan
        process = await plan.launch(ChildOrder(plan.name, plan.command(), plan.environment, plan.log_path))
        self._process = process
        record_process(plan.process_path, process.pid)
        write_log("child.started", name=plan.name, process_id=process.pid)
        return process

    async def _read_announcement(self, process: ChildProcess) -> None:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            return
        try:
            said = json.loads(line)
        except ValueError:
            write_warning("child.announcement_unreadable", name=self.plan.name)
            return
        self.announcement = said if isinstance(said, dict) else {}
        self.announced.set()

    async def _clear(self, process: ChildProcess) -> None:
        if process.returncode is None:
            # Only when this task is cancelled: nothing may be left behind.
            self._signal(signal.SIGKILL)
            await process.wait()
        self._process = None
        forget_process(self.plan.process_path)

    def _signal(self, number: signal.Signals) -> None:
        # It is this process's own child and not waited for yet, so nobody else can have its pid.
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _wait_backoff(self) -> None:
        wait_s = self.backoff.compute_wait_s(self.deaths, self.random)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._stopping.wait()), group.create_task(self.clock.sleep(wait_s))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
