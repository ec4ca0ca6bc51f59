"""A small real HTTP server that plays the platform for a gateway, and a relay double that records what it is told."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

from keisan.domain.verdict import Verdict
from keisan.wire.snapshot import (
    SNAPSHOT_SCHEMA_VERSION,
    Snapshot,
    SnapshotKey,
    SnapshotLimits,
    SnapshotReplica,
    SnapshotTables,
    SnapshotUpstream,
    digest_tables,
)

PLATFORM_ID = "ab" * 32
INCARNATION = UUID("019ab000-0000-7000-8000-000000000001")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, object]
Handler = Callable[[Request], Reply | Awaitable[Reply]]


@dataclass
class SmallPlatform:
    """`handler` may be replaced at any time; None drops the connection without an answer."""

    handler: Handler | None = None
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            if request is None or self.handler is None:
                return
            self.requests.append(request)
            reply = self.handler(request)
            status, body = reply if isinstance(reply, tuple) else await reply
            content = b"" if body is None else json.dumps(body).encode()
            head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + content)
            await writer.drain()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


@asynccontextmanager
async def run_platform(handler: Handler | None = None) -> AsyncIterator[SmallPlatform]:
    platform = SmallPlatform(handler)
    server = await asyncio.start_server(platform.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    platform.url = f"http://{host}:{port}"
    try:
        yield platform
    finally:
        server.close()
        await server.wait_closed()


@dataclass(frozen=True)
class SpooledBatch:
    """A batch of what a test put into the spool."""

    lines: bytes
    count: int
    cursor: str

    @property
    def size_bytes(self) -> int:
        return len(self.lines)

    def copy(self, start: int, bytes_max: int) -> bytes:
        return self.lines[start : start + bytes_max]


@dataclass
class RecordingRelay:
    """Keeps every snapshot; its spool is a list of payloads and a cursor. What is `unsynced` is written, and cannot be read yet."""

    options: str = "{}"
    snapshots: list[bytes] = field(default_factory=list)
    spool: list[bytes] = field(default_factory=list)
    unsynced: list[bytes] = field(default_factory=list)
    cursor: int = 0
    calls: list[str] = field(default_factory=list)
    refused_versions: set[int] = field(default_factory=set)
    report: dict[str, object] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    refused_leases_s: set[int] = field(default_factory=set)
    spans: list[bytes] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)

    def load_snapshot(self, snapshot: bytes) -> None:
        version = json.loads(snapshot)["version"]
        if version in self.refused_versions:
            raise ValueError(f"version {version} does not parse")
        self.snapshots.append(snapshot)
        self.calls.append(f"load {version}")

    def start(self) -> tuple[str, int]:
        assert self.snapshots, "started without a snapshot"
        self.calls.append("start")
        return "127.0.0.1", 8000

    def read_batch(self, records_max: int) -> SpooledBatch:
        payloads = self.spool[self.cursor : self.cursor + records_max]
        lines = b"".join(payload + b"\n" for payload in payloads)
        return SpooledBatch(lines, len(payloads), str(self.cursor + len(payloads)))

    def advance_spool(self, cursor: str) -> None:
        self.cursor = int(cursor)

    def wait_credit(self, timeout_s: float) -> bool:
        is_waiting = self.waiting.wait(timeout_s)
        self.waiting.clear()
        return is_waiting

    def report_credit(self) -> str:
        incarnation = json.loads(self.options).get("incarnation", str(INCARNATION))
        empty: dict[str, object] = {"tickets": [], "wanted": [], "rates": []}
        return json.dumps({"incarnation": incarnation, "is_spool_passed": False} | empty | self.report)

    def apply_credit(self, answer: str) -> None:
        applied = json.loads(answer)
        if applied["lease_s"] in self.refused_leases_s:
            raise ValueError("the answer does not parse")
        self.answers.append(applied)

    def take_spans(self, spans_max: int) -> bytes:
        return self.spans.pop(0) if self.spans else b""

    def drain(self, timeout_s: float) -> bool:
        self.calls.append("drain")
        return True

    def stop(self) -> None:
        self.calls.append("stop")

    def stats(self) -> str:
        written = len(self.spool) + len(self.unsynced)
        counts = {"written_records": written, "synced_records": len(self.spool)}
        return json.dumps({"spool": counts | {"backlog_records": written - self.cursor}})


NO_LIMITS = SnapshotLimits(requests_per_minute=None, tokens_per_minute=None, calls_open_max=None, body_bytes_max=None)


def build_key(models: tuple[str, ...] | None = None) -> SnapshotKey:
    return SnapshotKey(
        digest="0" * 64,
        organization_id=uuid4(),
        project_id=uuid4(),
        rights=("call",),
        models=models,
        limits=NO_LIMITS,
        policy="",
    )


def build_replica(path: str) -> SnapshotReplica:
    return SnapshotReplica(
        model_id=uuid4(),
        deployment_id=uuid4(),
        provider_id=uuid4(),
        site_id=uuid4(),
        node_id=uuid4(),
        region="JP-13",
        chip="cpu-x86-64",
        engine="llama_cpp",
        model_digest="sha256:" + "0" * 64,
        verdict=Verdict.OK,
        slots=4,
        upstream=SnapshotUpstream(kind="unix", path=path),
        attested_at_ms=None,
        prefill_tokens_per_s=None,
    )


def build_snapshot(version: int, tables: SnapshotTables | None = None, incarnation: UUID = INCARNATION) -> Snapshot:
    tables = tables or SnapshotTables()
    return Snapshot(
        schema_version=SNAPSHOT_SCHEMA_VERSION,
        platform_id=PLATFORM_ID,
        incarnation=incarnation,
        version=version,
        compiled_at_ms=1795476435000 + version,
        digest=digest_tables(tables),
        tables=tables,
    )
