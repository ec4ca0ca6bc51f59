"""A tiny platform that plays the two exchanges of a gateway, and keeps every usage record that it was ever handed."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from keisan.gateway.link import CREDIT_PATH, SNAPSHOT_PATH, USAGE_PATH
from keisan.wire.usage import split_usage_batch
from tests.deadline import wait_until_async
from tests.e2e.relay.engine import parse_headers


@dataclass(slots=True)
class RecordKeeper:
    """`records` by id as first received; `repeats` counts equal ones that came again, as after a kill they may.

    `is_away` True answers nobody, so that records stay in the spool.
    """

    url: str = ""
    is_away: bool = False
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: Counter[str] = field(default_factory=Counter)
    texts: dict[str, bytes] = field(default_factory=dict)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def has_left(self) -> bool:
        """Tell whether nobody is answered any more; asked anew after each wait."""
        return self.is_away

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side ends it."""
        try:
            while not self.has_left():
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(parse_headers(head.strip()).get("content-length", "0")))
                path = urlsplit(head.split(b" ", 2)[1].decode()).path
                status, content = await self.answer(path, body)
                if self.has_left():
                    return
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a request; returns status and body."""
        if path == USAGE_PATH:
            return 200, json.dumps({"answers": self._take(split_usage_batch(body))}).encode()
        if path == CREDIT_PATH:
            # Nobody here has a limit or pays ahead, so a gateway serves without a word on either.
            return 503, b""
        assert path == SNAPSHOT_PATH, path
        # Nothing changes, and a gateway that is told so at once asks again at once.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), 20.0)
        return 204, b""

    def _take(self, texts: Sequence[bytes]) -> list[dict[str, object]]:
        answers: list[dict[str, object]] = []
        for position, text in enumerate(texts):
            record = json.loads(text)
            record_id = record["record_id"]
            known = self.texts.setdefault(record_id, text)
            assert known == text, f"two records of one id: {known!r} {text!r}"
            if record_id in self.records:
                self.repeats[record_id] += 1
            self.records.setdefault(record_id, record)
            outcome = "exists" if self.repeats[record_id] else "created"
            answers.append({"position": position, "record_id": record_id, "outcome": outcome, "code": ""})
        return answers

    async def wait_for_records(self, count: int, deadline_s: float = 20.0) -> None:
        """Wait until so many records are here; raises AssertionError if fewer, or more, came."""
        what = f"{count} records are here"
        await wait_until_async(lambda: len(self.records) >= count, what, deadline_s)
        assert len(self.records) == count, f"{len(self.records)} records of {count} calls"


@asynccontextmanager
async def run_platform() -> AsyncIterator[RecordKeeper]:
    """Run a platform on a free port of this host."""
    keeper = RecordKeeper()
    server = await asyncio.start_server(keeper.serve, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    keeper.url = f"http://{host}:{port}"
    try:
        yield keeper
    finally:
        keeper.closing.set()
        keeper.is_away = True
        server.close()
        await server.wait_closed()
