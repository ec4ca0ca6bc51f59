"""Gateway and door as two processes, over TLS: to a real engine, and with secret, certificate and door replaced under way.

The gateway's platform is a small server here, so that the test decides what the snapshot says of the door.
"""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from keisan.domain.key import Secret, digest_secret
from keisan.gateway.identity import JOIN_PATH
from keisan.gateway.link import CREDIT_PATH, USAGE_PATH
from keisan.kit.private_file import write_private_file
from keisan.wire.snapshot import Snapshot, SnapshotAnswer, SnapshotDoor, SnapshotTables, SnapshotUpstream
from keisan.wire.usage import split_usage_batch
from tests.daemon.certificate import write_certificate
from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.stack import MODEL, Stack
from tests.gateway.small_platform import Reply, Request, build_snapshot, run_platform
from tests.gateway.test_identity import answer_join
from tests.gateway.test_native import ANSWER, SECRET, build_tables

pytestmark = pytest.mark.e2e
START_S_MAX = 60.0
CALLERS = 4
# A gateway looks at the file of whom it trusts each second.
TRUSTED_S = 3.0
CALLS_PER_STEP = 20


@asynccontextmanager
async def run_process(folder: Path, *words: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a keisan process, yield it with the URL it announced, and end it with SIGTERM."""
    output, log = folder / f"{words[0]}.out", folder / f"{words[0]}.log"
    with output.open("wb") as out, log.open("ab") as errors:
        command = [sys.executable, "-m", "keisan.daemon.main", *words]
        process = subprocess.Popen(command, stdout=out, stderr=errors, start_new_session=True)
    try:
        await wait_until_async(
            lambda: output.read_text().endswith("\n"), f"{words[0]} answers (see {log})", START_S_MAX
        )
        yield process, json.loads(output.read_text())["url"]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, START_S_MAX)


@dataclass
class Platform:
    """Tells what the stack's own platform tells, but for the way to the replicas; notes what the gateway serves."""

    tables: SnapshotTables
    version: int = 1
    acknowledged: int = 0
    records: list[dict[str, object]] = field(default_factory=list)

    def tell_door(self, url: str, secret: str) -> None:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        assert host is not None
        assert port is not None
        replicas = {
            replica_id: row.model_copy(
                update={
                    "upstream": SnapshotUpstream(
                        kind="door", path=f"/replicas/{replica_id}", host=host, port=port, is_tls=True
                    )
                }
            )
            for replica_id, row in self.tables.replicas.items()
        }
        doors = {
            str(row.site_id): SnapshotDoor(host=host, port=port, is_tls=True, secret=secret)
            for row in self.tables.replicas.values()
        }
        self.tables = self.tables.model_copy(update={"replicas": replicas, "doors": doors})
        self.version += 1

    async def answer(self, request: Request) -> Reply:
        if request.path == JOIN_PATH:
            return answer_join(request)
        if request.path == CREDIT_PATH:
            # It answers nobody's questions of money: what pays afterwards needs none.
            return 503, None
        if request.path == USAGE_PATH:
            records = [json.loads(record) for record in split_usage_batch(request.body)]
            self.records += records
            return 200, {
                "answers": [
                    {"position": position, "record_id": record["record_id"], "outcome": "created"}
                    for position, record in enumerate(records)
                ]
            }
        self.acknowledged = int(request.query.get("version", "0"))
        with suppress(AssertionError):
            await wait_until_async(lambda: self.acknowledged != self.version, "there is a newer snapshot")
        if self.acknowledged == self.version:
            return 204, None
        snapshot = build_snapshot(self.version, self.tables)
        return 200, SnapshotAnswer(snapshot=snapshot).model_dump(mode="json", exclude_unset=True)

    async def wait_until_served(self) -> None:
        await wait_until_async(lambda: self.acknowledged == self.version, "the gateway serves the new snapshot", 20.0)


@dataclass
class Traffic:
    """Calls that never pause: every one must come to its end."""

    client: httpx.AsyncClient
    model: str
    count: int = 0

    async def call_forever(self, is_stream: bool) -> None:
        while True:
            await self.call(is_stream)
            self.count += 1

    async def call(self, is_stream: bool) -> None:
        """Make one call; raises AssertionError unless it comes to its end."""
        messages = [{"role": "user", "content": "Hi"}]
        body = {"model": self.model, "messages": messages, "max_tokens": 2, "stream": is_stream}
        answer = await self.client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, await self.describe(answer)
        assert '"error"' not in answer.text
        if is_stream:
            assert answer.text.endswith("data: [DONE]\n\n"), answer.text
        else:
            assert answer.json()["usage"]["completion_tokens"] > 0

    async def describe(self, answer: httpx.Response) -> str:
        """Return a refusal with what the gateway counted on the way to it."""
        metrics = (await self.client.get("/metrics")).text.splitlines()
        return "\n".join([answer.text, *(line for line in metrics if line.startswith("keisan_upstream_"))])

    async def advance(self, calls: int = CALLS_PER_STEP) -> None:
        """Return when so many calls that began after this moment have come to their end."""
        due = self.count + CALLERS + calls
        await wait_until_async(lambda: self.count >= due, "calls pass", 60.0)


@asynccontextmanager
async def open_client(url: str, api_key: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@asynccontextmanager
async def run_traffic(traffic: Traffic, callers_max: int = CALLERS) -> AsyncIterator[Traffic]:
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(traffic.call_forever(bool(number % 2))) for number in range(callers_max)]
        yield traffic
        for caller in callers:
            caller.cancel()


EVENT = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Tokyo"}}]}


async def answer_as_engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one call, streamed or whole, and close, as an engine does."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        asked = json.loads(await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0])))
        assert "authorization" not in head
        texts = [json.dumps(ANSWER)]
        kind = "application/json"
        if asked.get("stream"):
            usage = json.dumps({**EVENT, "choices": [], "usage": ANSWER["usage"]})
            texts, kind = [f"data: {text}\n\n" for text in (json.dumps(EVENT), usage, "[DONE]")], "text/event-stream"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for text in (*texts, ""):
            writer.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
            await writer.drain()
    finally:
        writer.close()


@dataclass(frozen=True)
class Place:
    """Where the test keeps what an operator and an agent keep."""

    folder: Path

    def trust_certificate(self) -> None:
        """Write another certificate, and trust it beside those before."""
        write_certificate(self.folder / "next.pem", self.folder / "next.key", is_authority=False)
        with (self.folder / "roots.pem").open("ab") as roots:
            roots.write((self.folder / "next.pem").read_bytes())

    def use_certificate(self) -> None:
        """Put the certificate in force that was written last."""
        for kind in ("pem", "key"):
            (self.folder / f"next.{kind}").replace(self.folder / f"door.{kind}")

    def write_access(self, tables: SnapshotTables, *secrets: str) -> None:
        access = {
            "digests": [digest_secret(Secret(secret)) for secret in secrets],
            "replicas": {replica_id: row.upstream.path for replica_id, row in tables.replicas.items()},
        }
        (self.folder / "site").mkdir(exist_ok=True)
        write_private_file(self.folder / "site" / "door.json", json.dumps(access).encode())

    def list_door(self) -> tuple[str, ...]:
        chain, key = self.folder / "door.pem", self.folder / "door.key"
        listener = ("--listen", "127.0.0.1:0", "--certificate", str(chain), "--certificate-key", str(key))
        return ("door", "--data", str(self.folder), "--site", str(self.folder / "site"), *listener)

    def list_gateway(self, platform_url: str) -> tuple[str, ...]:
        (self.folder / "token").write_text("jt-keisan-door")
        link = ("--platform-url", platform_url, "--join-token", str(self.folder / "token"))
        upstream = ("--upstream-ca", str(self.folder / "roots.pem"))
        return ("gateway", "--data", str(self.folder), "--listen", "127.0.0.1:0", *link, *upstream)


async def read_certificate(url: str) -> str:
    """Return which certificate a server shows now."""
    place = urlsplit(url)
    return await asyncio.to_thread(ssl.get_server_certificate, (str(place.hostname), int(place.port or 0)))


async def ask_door(url: str, replica_id: str, secret: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # the test's own door
        path = f"{url}/replicas/{replica_id}/v1/chat/completions"
        return await client.post(path, json={}, headers={"authorization": f"Bearer {secret}"})


@asynccontextmanager
async def run_gateway(platform: Platform, place: Place) -> AsyncIterator[str]:
    async with (
        run_platform(platform.answer) as server,
        run_process(place.folder, *place.list_gateway(server.url)) as (_, url),
    ):
        yield url


async def test_real_engine_answers_through_a_door(stack: Stack, tmp_path: Path) -> None:
    assert stack.api_key is not None
    tables = Snapshot.model_validate_json((stack.data / "gateway" / "snapshot.json").read_bytes()).tables
    platform, place = Platform(tables), Place(tmp_path)
    place.trust_certificate()
    place.use_certificate()
    place.write_access(tables, "secret")
    async with run_process(tmp_path, *place.list_door()) as (_, door_url):
        platform.tell_door(door_url, "secret")
        async with run_gateway(platform, place) as url, open_client(url, stack.api_key) as client:
            traffic = Traffic(client, MODEL)
            await traffic.call(is_stream=False)
            await traffic.call(is_stream=True)
            await wait_until_async(lambda: len(platform.records) == 2, "both records are handed in", 20.0)
    assert {(record["outcome"], record["usage_source"]) for record in platform.records} == {("completed", "engine")}


async def test_calls_pass_while_secret_certificate_and_door_are_replaced(tmp_path: Path) -> None:
    tables = build_tables(tmp_path / "e.sock")
    replica_id = next(iter(tables.replicas))
    platform, place = Platform(tables), Place(tmp_path)
    place.trust_certificate()
    place.use_certificate()
    place.write_access(tables, "first")
    (tmp_path / "second").mkdir()
    engine = await asyncio.start_unix_server(answer_as_engine, tmp_path / "e.sock")
    async with engine, AsyncExitStack() as doors:
        first_door, first_url = await doors.enter_async_context(run_process(tmp_path, *place.list_door()))
        platform.tell_door(first_url, "first")
        async with (
            run_gateway(platform, place) as url,
            open_client(url, SECRET) as client,
            run_traffic(Traffic(client, "small")) as traffic,
        ):
            await traffic.advance()
            # The secret: two in force, the gateway moves to the new one, the old one goes.
            place.write_access(tables, "first", "second")
            await traffic.advance()
            platform.tell_door(first_url, "second")
            await platform.wait_until_served()
            await traffic.advance()
            place.write_access(tables, "second")
            await traffic.advance()
            assert (await ask_door(first_url, replica_id, "first")).status_code == 401
            # The certificate: gateways trust it before the door shows it, and who is inside stays inside.
            old = await read_certificate(first_url)
            place.trust_certificate()
            await let_time_pass_async(TRUSTED_S)
            place.use_certificate()
            async with asyncio.timeout(20):
                while await read_certificate(first_url) == old:
                    await traffic.advance()
            # The door: another opens, with the new certificate, and the first one drains.
            second = run_process(tmp_path / "second", *place.list_door())
            _, second_url = await doors.enter_async_context(second)
            assert await read_certificate(second_url) != old
            platform.tell_door(second_url, "second")
            await platform.wait_until_served()
            await traffic.advance()
            first_door.send_signal(signal.SIGTERM)
            await wait_until_async(lambda: first_door.poll() == 0, "the first door ends", 40.0)
            await traffic.advance()
            count = traffic.count
    # Those under way when the traffic ended were cut by their clients.
    outcomes = Counter(record["outcome"] for record in platform.records)
    assert outcomes["completed"] >= count
    assert set(outcomes) <= {"completed", "client_closed"}


async def test_allocator_of_the_compiled_part_takes_no_huge_pages(tmp_path: Path) -> None:
    async with run_process(tmp_path, "door", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0") as (door, _):
        status = Path(f"/proc/{door.pid}/status").read_text()
    assert "THP_enabled:\t0\n" in status
