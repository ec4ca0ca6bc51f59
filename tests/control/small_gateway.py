"""A gateway on loopback, in the test's own process: it streams answers as a test says and posts a usage record of each."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from keisan.domain.key import Key, Secret, digest_secret
from keisan.domain.price import TokenClass
from keisan.domain.usage import UsageRecord
from keisan.kit.http import HttpTarget
from keisan.storage.database import Database
from tests.deadline import let_time_pass_async, wait_until_async
from tests.domain.samples import build_posted, create_record_id
from tests.factories import World, create_record

PIECE = "word "


@dataclass
class Habits:
    """How it answers. `claim_factor` is how many tokens it counts for each piece that it streams: more than one is a lie.

    `calls_max` calls at a time are served and more refused; `record_changes` are of the record, of its context too.
    """

    piece_count: int = 8
    claim_factor: int = 1
    first_wait_s: float = 0.02
    piece_wait_s: float = 0.0
    calls_max: int = 1000
    begins_empty: bool = False
    is_recording: bool = True
    ending: str = "data: [DONE]\n\n"
    record_changes: dict[str, object] = field(default_factory=dict)


@dataclass
class SmallGateway:
    """What came: bodies in order; `open_calls` is how many are under way."""

    storage: Database
    world: World
    habits: Habits = field(default_factory=Habits)
    port: int = 0
    bodies: list[dict[str, object]] = field(default_factory=list)
    open_calls: int = 0
    open_calls_most: int = 0
    handling: int = 0

    @property
    def target(self) -> HttpTarget:
        return HttpTarget(f"http://127.0.0.1:{self.port}")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        self.handling += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])}
            self.bodies.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
            key = await self._find_key(headers.get("authorization", ""))
            if key is None:
                _refuse(writer, 401, "invalid_api_key")
            elif self.open_calls >= self.habits.calls_max:
                _refuse(writer, 429, "engine_overloaded")
            else:
                await self._answer(writer, key)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.handling -= 1

    async def _find_key(self, authorization: str) -> Key | None:
        async with self.storage.read() as view:
            found = await view.keys.find_by_digest(digest_secret(Secret(authorization.removeprefix("Bearer "))))
        return None if found is None or found.revoked_at is not None else found

    async def _answer(self, writer: asyncio.StreamWriter, key: Key) -> None:
        self.open_calls += 1
        self.open_calls_most = max(self.open_calls, self.open_calls_most)
        record, begun_at = self._build_record(key), datetime.now(UTC)
        told, first_byte_us = 0, None
        try:
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"
                + f"keisan-record-id: {record.id}\r\n\r\n".encode()
            )
            if self.habits.begins_empty:
                writer.write(_format_event(""))
            await writer.drain()
            await let_time_pass_async(self.habits.first_wait_s)
            first_byte_us = (datetime.now(UTC) - begun_at) // timedelta(microseconds=1)
            for _ in range(self.habits.piece_count):
                writer.write(_format_event(PIECE))
                await writer.drain()
                told += self.habits.claim_factor
                await let_time_pass_async(self.habits.piece_wait_s)
        finally:
            self.open_calls -= 1
            quantities = {TokenClass.INPUT: 50, TokenClass.OUTPUT: told}
            ended = record._replace(quantities=quantities, first_byte_us=first_byte_us)
            await self._post(ended._replace(**self.habits.record_changes))  # type: ignore[arg-type]  # fields by name
        writer.write(self.habits.ending.encode())

    def _build_record(self, key: Key) -> UsageRecord:
        now = datetime.now(UTC)
        record_id = create_record_id(now)
        left = self.world.left
        record = create_record(key, self.world.price, left.replica, self.world.gateway)
        digest = hashlib.sha256(record_id.bytes).digest()
        return record._replace(id=record_id, day=now.date(), admitted_at=now, content_digest=digest)

    async def _post(self, record: UsageRecord) -> None:
        if not self.habits.is_recording:
            return
        async with self.storage.write() as transaction:
            await transaction.usage.insert_many([build_posted(record, entry_id=None)])


def _format_event(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()


def _refuse(writer: asyncio.StreamWriter, status: int, code: str) -> None:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)


@asynccontextmanager
async def run_small_gateway(storage: Database, world: World) -> AsyncIterator[SmallGateway]:
    """Run one."""
    gateway = SmallGateway(storage, world)
    server = await asyncio.start_server(gateway.handle, "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        server.close()
        # What is under way still has records to post.
        await wait_until_async(lambda: gateway.handling == 0, "all calls have ended", 30.0)
