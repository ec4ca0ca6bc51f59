"""The whole gateway process with the real relay, its platform a small server: it answers, keeps answering, and spools."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from keisan.domain.errors import SettingsInvalid
from keisan.domain.organization import Billing
from keisan.gateway.identity import JOIN_PATH
from keisan.gateway.link import CREDIT_PATH
from keisan.gateway.native import open_relay
from keisan.gateway.options import GatewayOptions, Listener
from keisan.gateway.process import GatewayPorts, run_gateway
from keisan.kit.clock import SystemClock
from keisan.wire.credit import CreditReport
from keisan.wire.snapshot import (
    EngineProfile,
    Snapshot,
    SnapshotAnswer,
    SnapshotKey,
    SnapshotModel,
    SnapshotOrganization,
    SnapshotPrice,
    SnapshotProject,
    SnapshotReplica,
    SnapshotTables,
)
from keisan.wire.usage import split_usage_batch
from tests.deadline import wait_until_async
from tests.gateway.small_platform import NO_LIMITS, Reply, Request, build_replica, build_snapshot, run_platform
from tests.gateway.test_identity import answer_join
from tests.gateway.test_process import BRIEF_UPLOAD_S, make_options

SECRET = "sk-keisan-native"
ANSWER = {
    "object": "chat.completion",
    "model": "small",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Tokyo"}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
}


def build_tables(engine_path: Path) -> SnapshotTables:
    price_id, model_id = str(uuid4()), str(uuid4())
    replica: SnapshotReplica = build_replica(str(engine_path)).model_copy(update={"model_id": UUID(model_id)})
    key = SnapshotKey(
        digest=hashlib.sha256(SECRET.encode()).hexdigest(),
        organization_id=uuid4(),
        project_id=uuid4(),
        rights=("call",),
        models=None,
        limits=NO_LIMITS,
        policy="",
    )
    organization = SnapshotOrganization(billing=Billing.POSTPAID, snapshot_age_s_max=None, limits=NO_LIMITS, policy="")
    project = SnapshotProject(organization_id=key.organization_id, limits=NO_LIMITS, policy="")
    model = SnapshotModel.model_validate(
        {
            "name": "small",
            "owner": "keisan",
            "surfaces": ["chat"],
            "capabilities": ["stream"],
            "context_tokens": 2048,
            "output_tokens_max": 64,
            "template_tokens_max": 32,
            "price_id": price_id,
            "created_at_s": 1795476435,
        }
    )
    nano = {"input": "500000000", "output": "1500000000"}
    price = SnapshotPrice.model_validate(
        {"model_id": model_id, "version": 1, "currency": "CNY", "nano_per_million": nano}
    )
    engine = EngineProfile.model_validate(
        {
            "running_usage": "llama_cpp_timings",
            "idle_connection_s": 5,
            "requests_per_connection_max": 100,
            "is_usage_summed_over_choices": False,
        }
    )
    return SnapshotTables(
        keys={str(uuid4()): key},
        models={model_id: model},
        prices={price_id: price},
        engines={f"{replica.site_id}/llama_cpp": engine},
        replicas={str(uuid4()): replica},
        organizations={str(key.organization_id): organization},
        projects={str(key.project_id): project},
    )


@dataclass
class Platform:
    """Answers the exchanges and keeps what was handed in; `is_up` False plays a stopped platform, `credit` is its word."""

    snapshot: Snapshot
    is_up: bool = True
    credit: dict[str, object] = field(default_factory=lambda: {"lease_s": 7200, "renew_s": 10})
    records: list[dict[str, object]] = field(default_factory=list)
    reports: list[CreditReport] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        if not self.is_up:
            return 503, None
        if request.path == JOIN_PATH:
            return answer_join(request)
        if request.path == CREDIT_PATH:
            self.reports.append(CreditReport.model_validate_json(request.body))
            return 200, self.credit
        if request.method == "POST":
            records = [json.loads(record) for record in split_usage_batch(request.body)]
            self.records += records
            return 200, {"created_count": len(records), "answers": []}
        if request.query.get("version") == str(self.snapshot.version):
            return 204, None
        return 200, SnapshotAnswer(snapshot=self.snapshot).model_dump(mode="json", exclude_unset=True)


async def answer_as_engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        await reader.readexactly(length)
        body = json.dumps(ANSWER).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        writer.write(f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        await writer.drain()
    finally:
        writer.close()


@pytest.fixture
async def engine_path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "e.sock"
    server = await asyncio.start_unix_server(answer_as_engine, path)
    yield path
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def serve(options: GatewayOptions) -> AsyncIterator[httpx.AsyncClient]:
    stop, announced = asyncio.Event(), []

    def announce(host: str, port: int) -> None:
        announced.append(f"http://{host}:{port}")

    async with asyncio.TaskGroup() as group:
        group.create_task(run_gateway(options, GatewayPorts(open_relay, SystemClock(), announce), stop))
        await wait_until_async(lambda: bool(announced), "the gateway listens")
        headers = {"authorization": f"Bearer {SECRET}"}
        async with httpx.AsyncClient(base_url=announced[0], headers=headers, timeout=10) as client:
            yield client
        stop.set()


async def ask(client: httpx.AsyncClient) -> httpx.Response:
    body = {"model": "small", "messages": [{"role": "user", "content": "What is the capital of Japan?"}]}
    return await client.post("/v1/chat/completions", json=body)


async def test_call_is_answered_and_its_record_handed_in(tmp_path: Path, engine_path: Path) -> None:
    platform = Platform(build_snapshot(3, build_tables(engine_path)))
    async with run_platform(platform.answer) as server, serve(make_options(tmp_path, server.url)) as client:
        answer = await ask(client)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "Tokyo"
        await wait_until_async(lambda: bool(platform.records), "the record is handed in")
    assert platform.reports[-1].is_last
    [record] = platform.records
    assert record["quantities"] == {"input": 10, "input_cached": 0, "output": 2}
    assert (record["outcome"], record["usage_source"], record["amount_nano"]) == ("completed", "engine", "8000")


async def test_stopped_platform_stops_no_call_and_loses_no_record(tmp_path: Path, engine_path: Path) -> None:
    platform = Platform(build_snapshot(3, build_tables(engine_path)))
    async with run_platform(platform.answer) as server:
        options = replace(make_options(tmp_path, server.url), last_upload_s=BRIEF_UPLOAD_S)
        async with serve(options) as client:
            platform.is_up = False
            assert (await ask(client)).status_code == 200
        assert platform.records == []
        # Restarted meanwhile: it serves from its persisted snapshot.
        async with serve(options) as client:
            assert (await ask(client)).status_code == 200
            platform.is_up = True
            await wait_until_async(lambda: len(platform.records) == 2, "both records are handed in", 20.0)
    assert len({str(record["record_id"]) for record in platform.records}) == 2


async def wait_for_status(client: httpx.AsyncClient, status: int) -> dict[str, object]:
    """Call until the answer has this status, and return it."""
    async with asyncio.timeout(30):
        while (answer := await ask(client)).status_code != status:
            pass
    body: dict[str, object] = answer.json()
    return body


async def test_limited_key_is_served_as_long_as_its_share_is_leased(tmp_path: Path, engine_path: Path) -> None:
    tables = build_tables(engine_path)
    limits = NO_LIMITS.model_copy(update={"requests_per_minute": 10**9})
    keys = {key_id: key.model_copy(update={"limits": limits}) for key_id, key in tables.keys.items()}
    snapshot = build_snapshot(3, tables.model_copy(update={"keys": keys}))
    platform = Platform(snapshot, credit={"lease_s": 2, "renew_s": 1, "default_share_ppm": 1_000_000})
    async with run_platform(platform.answer) as server:
        options = replace(
            make_options(tmp_path, server.url), relay_limits={"credit_wait_ms": 20}, last_upload_s=BRIEF_UPLOAD_S
        )
        async with serve(options) as client:
            await wait_for_status(client, 200)
            platform.is_up = False
            refused = await wait_for_status(client, 429)
            assert "holds none" in str(refused), refused
        # What stood on disk is over too.
        async with serve(options) as client:
            assert (await ask(client)).status_code == 429
            platform.is_up = True
            await wait_for_status(client, 200)


async def test_revoked_key_is_refused_with_the_next_snapshot(tmp_path: Path, engine_path: Path) -> None:
    tables = build_tables(engine_path)
    platform = Platform(build_snapshot(3, tables))
    async with run_platform(platform.answer) as server, serve(make_options(tmp_path, server.url)) as client:
        assert (await ask(client)).status_code == 200
        platform.snapshot = build_snapshot(4, tables.model_copy(update={"keys": {}}))
        async with asyncio.timeout(30):
            while (await ask(client)).status_code != 401:
                pass


async def test_age_is_the_time_since_the_platform_last_spoke(tmp_path: Path, engine_path: Path) -> None:
    snapshot = build_snapshot(3, build_tables(engine_path)).model_copy(update={"compiled_at_ms": 1_000})
    platform = Platform(snapshot)
    async with run_platform(platform.answer) as server, serve(make_options(tmp_path, server.url)) as client:

        async def read_age_s() -> int:
            health = (await client.get("/healthz")).json()
            return int(health["snapshot"]["age_s"])

        async with asyncio.timeout(30):
            while await read_age_s() > 60:
                pass
        assert 0 <= await read_age_s() <= 60


async def test_taken_address_is_a_settings_fault(tmp_path: Path, engine_path: Path) -> None:
    platform = Platform(build_snapshot(3, build_tables(engine_path)))
    async with run_platform(platform.answer) as server:
        port = int(server.url.rpartition(":")[2])
        options = replace(make_options(tmp_path, server.url), listener=Listener("127.0.0.1", port))
        ports = GatewayPorts(open_relay, SystemClock(), lambda host, port: None)
        with pytest.raises(SettingsInvalid, match="cannot listen"):
            await run_gateway(options, ports, asyncio.Event())


async def test_wrong_limit_is_a_settings_fault(tmp_path: Path, engine_path: Path) -> None:
    platform = Platform(build_snapshot(3, build_tables(engine_path)))
    async with run_platform(platform.answer) as server:
        options = replace(make_options(tmp_path, server.url), relay_limits={"unknown_max": 1})
        ports = GatewayPorts(open_relay, SystemClock(), lambda host, port: None)
        with pytest.raises(SettingsInvalid, match="unknown_max"):
            await run_gateway(options, ports, asyncio.Event())


async def test_relay_names_faults_of_its_options(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gateway_id"):
        open_relay("{}")
