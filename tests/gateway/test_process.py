"""A whole gateway process over a relay double: never empty, serves from disk, drains before it stops."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from keisan.domain.errors import Failed, Unauthenticated
from keisan.domain.ids import PlatformId
from keisan.domain.key import Secret
from keisan.gateway import link
from keisan.gateway.identity import JOIN_PATH
from keisan.gateway.link import CREDIT_PATH, USAGE_PATH
from keisan.gateway.options import GatewayOptions, Listener
from keisan.gateway.process import GatewayPorts, run_gateway
from keisan.gateway.snapshot_file import read_snapshot
from keisan.kit.clock import SystemClock
from keisan.wire.snapshot import SnapshotAnswer
from tests.deadline import wait_until_async
from tests.gateway.small_platform import (
    PLATFORM_ID,
    RecordingRelay,
    Reply,
    Request,
    SmallPlatform,
    build_snapshot,
    run_platform,
)
from tests.gateway.test_identity import answer_join

# For gateways that end while nobody takes their records.
BRIEF_UPLOAD_S = 0.3
CLEAN = """
import sys
import keisan.gateway.process
loaded = sorted({name.split(".")[0] for name in sys.modules} & {"fastapi", "sqlalchemy", "starlette", "alembic"})
raise SystemExit(f"gateway imports {loaded}" if loaded else 0)
"""


@dataclass
class Running:
    relay: RecordingRelay
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    announced: list[tuple[str, int]] = field(default_factory=list)


def answer_all(request: Request) -> Reply:
    if request.path == JOIN_PATH:
        return answer_join(request)
    if request.path == CREDIT_PATH:
        return 200, {"lease_s": 7200, "renew_s": 10}
    if request.method == "POST":
        return 200, {"created_count": 1, "answers": []}
    if "version" in request.query:
        return 503, None
    return 200, SnapshotAnswer(snapshot=build_snapshot(3)).model_dump(mode="json", exclude_unset=True)


def make_options(folder: Path, url: str, token: str | None = "jt-keisan-x") -> GatewayOptions:
    return GatewayOptions(
        platform_url=url,
        ca_path=None,
        folder=folder / "gateway",
        name="gateway-1",
        join_token=Secret(token) if token else None,
        listener=Listener("127.0.0.1", 0),
        exchange_s=60.0,
    )


@asynccontextmanager
async def start_gateway(options: GatewayOptions, spool: tuple[bytes, ...] = ()) -> AsyncIterator[Running]:
    running = Running(RecordingRelay(spool=list(spool)))

    def open_relay(relay_options: str) -> RecordingRelay:
        running.relay.options = relay_options
        return running.relay

    def announce(host: str, port: int) -> None:
        running.announced.append((host, port))

    async with asyncio.TaskGroup() as group:
        group.create_task(run_gateway(options, GatewayPorts(open_relay, SystemClock(), announce), running.stop))
        yield running
        running.stop.set()


async def wait_announced(running: Running) -> None:
    await wait_until_async(lambda: bool(running.announced), "the gateway listens")


async def test_first_start_joins_fetches_then_listens(tmp_path: Path) -> None:
    async with run_platform(answer_all) as platform:
        options = make_options(tmp_path, platform.url)
        async with start_gateway(options, (b"record",)) as running:
            await wait_announced(running)
    assert running.relay.calls == ["load 3", "start", "drain", "stop"]
    assert running.relay.cursor == 1
    assert PLATFORM_ID in running.relay.options
    assert options.folder.stat().st_mode & 0o777 == 0o700


def list_reports(platform: SmallPlatform) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in platform.requests if request.path == CREDIT_PATH]


async def test_tickets_end_with_the_process_once_all_is_handed_in(tmp_path: Path) -> None:
    async with run_platform(answer_all) as platform:
        options = make_options(tmp_path, platform.url)
        for _ in range(2):
            async with start_gateway(options, (b"record",)) as running:
                await wait_announced(running)
                await wait_until_async(lambda: bool(running.relay.answers), "it has spoken")
            assert json.loads(running.relay.options)["incarnation"] == list_reports(platform)[-1]["incarnation"]
    reports = list_reports(platform)
    lives = [report["incarnation"] for report in reports if report["is_last"]]
    assert len(lives) == 2
    assert lives[0] < lives[1]
    assert [report["is_last"] for report in reports if report["incarnation"] == lives[0]][-1]


async def test_tickets_do_not_end_while_records_are_not_handed_in(tmp_path: Path) -> None:
    def refuse_usage(request: Request) -> Reply:
        return (503, None) if request.path == USAGE_PATH else answer_all(request)

    async with run_platform(refuse_usage) as platform:
        options = replace(make_options(tmp_path, platform.url), last_upload_s=BRIEF_UPLOAD_S)
        async with start_gateway(options, (b"record",)) as running:
            await wait_announced(running)
            await wait_until_async(lambda: bool(running.relay.answers), "it has spoken")
    assert {(report["is_spool_passed"], report["is_last"]) for report in list_reports(platform)} == {(False, False)}


async def test_last_word_that_is_not_heard_ends_the_process_all_the_same(tmp_path: Path) -> None:
    def refuse_credit(request: Request) -> Reply:
        return (503, None) if request.path == CREDIT_PATH else answer_all(request)

    async with run_platform(refuse_credit) as platform, start_gateway(make_options(tmp_path, platform.url)) as running:
        await wait_announced(running)
    assert running.relay.calls[-1] == "stop"


async def test_word_on_credit_that_is_never_answered_holds_up_neither_start_nor_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that nothing else ends the wait.
    monkeypatch.setattr(link, "CREDIT_TIMEOUT_S", 3600.0)
    is_over = asyncio.Event()

    async def hang_on_credit(request: Request) -> Reply:
        if request.path == CREDIT_PATH:
            await is_over.wait()
        return answer_all(request)

    async with run_platform(hang_on_credit) as platform:
        options = replace(make_options(tmp_path, platform.url), exchange_s=0.1)
        async with start_gateway(options) as running:
            await wait_announced(running)
        is_over.set()
    assert running.relay.calls[-1] == "stop"


async def test_relay_that_tells_nothing_of_its_spool_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordingRelay, "stats", lambda _: "{}")
    async with run_platform(answer_all) as platform:
        ports = GatewayPorts(lambda _: RecordingRelay(), SystemClock(), lambda _host, _port: None)
        with pytest.raises(Failed, match="statistics"):
            await run_gateway(make_options(tmp_path, platform.url), ports, asyncio.Event())


async def test_never_starts_empty(tmp_path: Path) -> None:
    def join_only(request: Request) -> Reply:
        return answer_join(request) if request.path == JOIN_PATH else (503, None)

    async with run_platform(join_only) as platform, start_gateway(make_options(tmp_path, platform.url)) as running:
        await wait_until_async(lambda: len(platform.requests) >= 3, "it asks again")
        assert not running.announced
    assert running.relay.calls == ["stop"]


async def test_restart_without_platform_serves_from_disk(tmp_path: Path) -> None:
    async with run_platform(answer_all) as platform:
        options = make_options(tmp_path, platform.url)
        async with start_gateway(options) as first:
            await wait_announced(first)
    options = replace(make_options(tmp_path, "http://127.0.0.1:1", token=None), last_upload_s=BRIEF_UPLOAD_S)
    async with start_gateway(options, (b"record",)) as second:
        await wait_announced(second)
    assert second.relay.calls == ["load 3", "start", "drain", "stop"]
    assert second.relay.cursor == 0, "what could not be uploaded stays in the spool"


async def test_kept_snapshot_that_the_relay_refuses_waits_for_the_platform(tmp_path: Path) -> None:
    async with run_platform(answer_all) as platform:
        options = make_options(tmp_path, platform.url)
        async with start_gateway(options) as first:
            await wait_announced(first)
        platform.handler = answer_newer
        relay = RecordingRelay(refused_versions={3})
        stop, announced = asyncio.Event(), asyncio.Event()
        ports = GatewayPorts(lambda relay_options: relay, SystemClock(), lambda host, port: announced.set())
        async with asyncio.TaskGroup() as group:
            group.create_task(run_gateway(options, ports, stop))
            await wait_until_async(announced.is_set, "the gateway listens")
            stop.set()
    assert relay.calls[:2] == ["load 4", "start"]


def answer_newer(request: Request) -> Reply:
    return 200, SnapshotAnswer(snapshot=build_snapshot(4)).model_dump(mode="json", exclude_unset=True)


async def test_stop_while_waiting_to_join(tmp_path: Path) -> None:
    async with start_gateway(make_options(tmp_path, "http://127.0.0.1:1")) as running:
        pass
    assert running.relay.calls == []


async def test_refused_join_ends_the_process(tmp_path: Path) -> None:
    async with run_platform(lambda request: (401, {})) as platform:
        options = make_options(tmp_path, platform.url)
        ports = GatewayPorts(lambda relay_options: RecordingRelay(), SystemClock(), lambda host, port: None)
        with pytest.raises(Unauthenticated):
            await run_gateway(options, ports, asyncio.Event())
    assert read_snapshot(options.snapshot_path, PlatformId(PLATFORM_ID)) is None


def test_gateway_imports_neither_web_framework_nor_database() -> None:
    done = subprocess.run([sys.executable, "-c", CLEAN], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
