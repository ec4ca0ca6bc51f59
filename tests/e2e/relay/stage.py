"""The relay's stage: a real gateway process, scripted engines, a platform that keeps every record, nothing else.

`Setting.change` puts anything into the snapshot: limits, policies, more keys.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from keisan.domain.engine import RunningUsage
from keisan.wire.snapshot import SnapshotTables
from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.relay.client import Answer, KeepAliveClient, build_request
from tests.e2e.relay.engine import Asked, Script, ScriptedEngine, build_answer, run_engine
from tests.e2e.relay.gateway import QUIET_S_MAX, GatewayFolder, GatewayProcess, start_gateway
from tests.e2e.relay.platform import RecordKeeper, run_platform
from tests.e2e.relay.snapshot import build_snapshot, build_tables
from tests.ports import find_free_port

# The numbers of calls that only ask whether all is well again; tests count up from 0.
SOUND_NUMBER = 1_000_000_000
SAMPLES = 30
TRIAL_S_MAX, TRIAL_PAUSE_S = 20.0, 0.1


async def answer_plainly(asked: Asked) -> None:
    """Answer four tokens, as a stream or as JSON, whatever was asked."""
    if asked.body.get("stream"):
        await asked.stream(4)
    else:
        await asked.answer(build_answer(4), 4)


def leave_alone(folder: Path) -> AbstractContextManager[None]:
    """Do nothing around the spool's folder."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Setting:
    """What a test wants to be otherwise than usual; `around_spool` is entered before the gateway starts."""

    script: Script = answer_plainly
    engines: int = 1
    slots: int = 256
    running_usage: RunningUsage = RunningUsage.LLAMA_CPP_TIMINGS
    limits: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    has_fixed_port: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    change: Callable[[SnapshotTables], SnapshotTables] = lambda tables: tables
    around_spool: Callable[[Path], AbstractContextManager[None]] = leave_alone


@dataclass(slots=True)
class Stage:
    """Everything around one gateway; `gateway` is replaced at each start."""

    root: Path
    platform: RecordKeeper
    engines: list[ScriptedEngine]
    folder: GatewayFolder
    tables: SnapshotTables
    gateway: GatewayProcess
    descriptors: int = 0

    @property
    def engine(self) -> ScriptedEngine:
        """Return the first engine."""
        return self.engines[0]

    def add_folder(self, name: str, machine_id: UUID) -> GatewayFolder:
        """Return the folder of another gateway, with the same settings and snapshot and an identity of its own."""
        folder = replace(self.folder, data=self.root / name, starts=0)
        folder.prepare(build_snapshot(self.tables), machine_id)
        return folder

    async def restart(self) -> None:
        """Start a gateway on the same folder, where the last one has ended."""
        self.gateway = await start_gateway(self.folder)

    async def call(self, number: int, *, is_stream: bool = False, **more: object) -> Answer:
        """Make one call over a connection of its own."""
        client = KeepAliveClient(self.gateway.address)
        try:
            return await client.call(build_request(number, is_stream=is_stream, **more))
        finally:
            client.close()

    async def wait_for_record(self, record_id: str, deadline_s: float = 20.0) -> dict[str, Any]:
        """Return a call's record when it has come."""
        records = self.platform.records
        await wait_until_async(lambda: record_id in records, f"the record {record_id} is here", deadline_s)
        return records[record_id]

    async def settle(self) -> None:
        """Remember how many descriptors a gateway holds that has served and is quiet."""
        await self.check_call()
        await self.wait_until_quiet()
        await self._wait_until_disconnected()
        counts: list[int] = []

        def is_counted() -> bool:
            counts.append(self.gateway.count_descriptors())
            return len(counts) > SAMPLES

        # The connection that asked for the health may not be closed yet.
        await wait_until_async(is_counted, "descriptors are counted")
        self.descriptors = min(counts)

    async def check_sound(self) -> None:
        """Assert that the gateway is as before: it serves, holds nothing open, has leaked nothing and panicked nowhere."""
        await self.check_call()
        await self.wait_until_quiet()
        await self._wait_until_disconnected()
        most = self.descriptors
        what = f"at most the {most} descriptors of the start are open"
        await wait_until_async(lambda: self.gateway.count_descriptors() <= most, what, QUIET_S_MAX)
        assert "panicked" not in self.gateway.read_log(), self.gateway.read_log()

    async def check_call(self) -> None:
        """Assert that a call is served, whatever the script of the test is, and recorded once.

        Replicas that failed too often are given some seconds: nobody is sent there before a trial succeeds.
        """
        scripts = [engine.script for engine in self.engines]
        for engine in self.engines:
            engine.script = answer_plainly
        try:
            async with asyncio.timeout(TRIAL_S_MAX):
                while (answer := await self.call(SOUND_NUMBER)).code == "no_healthy_replica":
                    await let_time_pass_async(TRIAL_PAUSE_S)
        finally:
            for engine, script in zip(self.engines, scripts, strict=True):
                engine.script = script
        assert answer.status == 200, answer
        record = await self.wait_for_record(answer.record_id)
        assert (record["outcome"], record["quantities"]["output"]) == ("completed", 4)

    async def wait_until_quiet(self) -> None:
        """Wait until no call is open and every record was handed in."""
        async with asyncio.timeout(QUIET_S_MAX):
            while True:
                health = await self.gateway.read_health()
                if health["open_calls"] == 0 and health["spool"]["backlog_records"] == 0:
                    return

    async def _wait_until_disconnected(self) -> None:
        def is_disconnected() -> bool:
            return all(engine.open_connections == 0 for engine in self.engines)

        await wait_until_async(is_disconnected, "idle connections to engines are closed", QUIET_S_MAX)


@asynccontextmanager
async def run_stage(setting: Setting | None = None) -> AsyncIterator[Stage]:
    """Set the stage and start its gateway; ends everything afterwards, whatever happened."""
    wanted = setting or Setting()
    async with AsyncExitStack() as exits:
        # A short folder, because the path of an engine's socket ends at 107 bytes.
        root = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp")))
        platform = await exits.enter_async_context(run_platform())
        engines = [
            await exits.enter_async_context(
                run_engine(root / f"{number}.sock", wanted.script, wanted.slots, wanted.running_usage)
            )
            for number in range(wanted.engines)
        ]
        folder = GatewayFolder(
            root / "data", platform.url, limits=wanted.limits, more=wanted.more, environment=wanted.environment
        )
        if wanted.has_fixed_port:
            folder.listen = f"127.0.0.1:{find_free_port()}"
        tables = wanted.change(build_tables([engine.place for engine in engines]))
        folder.prepare(build_snapshot(tables), UUID(int=0x1A))
        exits.enter_context(wanted.around_spool(folder.spool))
        stage = Stage(root, platform, engines, folder, tables, await start_gateway(folder))
        exits.push_async_callback(_end_gateway, stage)
        yield stage


async def _end_gateway(stage: Stage) -> None:
    process = stage.gateway.process
    if process.poll() is None:
        process.kill()
        process.wait()
