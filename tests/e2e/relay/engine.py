"""An engine that does what a test's script says, byte by byte, on a real unix socket.

It keeps its own log by record id of what it produced: the oracle for what may be billed.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keisan.domain.engine import RunningUsage
from tests.e2e.relay.snapshot import MODEL, EnginePlace

HEAD_BYTES_MAX = 64 * 1024
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"data: [DONE]\n\n"
LAST_CHUNK = b"0\r\n\r\n"
# What the scripted prompt costs, as every event of the script says.
PROMPT_COMPUTED, PROMPT_CACHED = 7, 30


class HungUpError(Exception):
    """The gateway closed the connection while the script was speaking."""


@dataclass(slots=True)
class Produced:
    """What one attempt at a call produced: bytes handed to the socket, and the tokens that they tell of."""

    bytes: int = 0
    tokens: int = 0
    is_cancelled: bool = False


@dataclass(slots=True)
class Asked:
    """One request; `number` is what the test wrote into its prompt to know it again; both are empty if it was not read."""

    record_id: str
    number: int
    body: dict[str, Any]
    socket: socket.socket
    produced: Produced
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, content: bytes, tokens: int = 0) -> None:
        """Send bytes as they are; `tokens` is how many have been produced with them. Raises HungUpError."""
        self.produced.bytes += len(content)
        self.produced.tokens = max(self.produced.tokens, tokens)
        try:
            await asyncio.get_running_loop().sock_sendall(self.socket, content)
        except OSError as fault:
            raise HungUpError from fault

    async def send_token(self, position: int) -> None:
        """Send the event of one token, in a chunk of its own."""
        await self.send(wrap_chunk(build_event(position)), position)

    async def wait_until_closed(self) -> None:
        """Wait until the gateway closes the connection, which cancels the work."""
        with contextlib.suppress(OSError):
            while await asyncio.get_running_loop().sock_recv(self.socket, 4096):
                pass
        self.produced.is_cancelled = True

    async def answer(self, text: bytes, tokens: int = 0, status: str = "200 OK") -> None:
        """Send a whole JSON answer."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        await self.send(head.encode() + text, tokens)

    async def stream(self, count: int) -> None:
        """Send a whole stream of `count` tokens, event by event."""
        await self.send(STREAM_HEAD)
        for position in range(1, count + 1):
            await self.send_token(position)
        await self.send(wrap_chunk(build_usage_event(count)) + wrap_chunk(END) + LAST_CHUNK, count)

    def close(self) -> None:
        """Close the connection; the gateway sees the end of what was sent, or a reset if it sent what was not read."""
        self.socket.close()


Script = Callable[[Asked], Awaitable[None]]


@dataclass(slots=True)
class ScriptedEngine:
    """`script` may be replaced at any time; after it returns, the connection serves the next request unless closed.

    `is_reading` False leaves the bodies of requests unread, so that closing resets. `log` holds every attempt by record id.
    """

    place: EnginePlace
    script: Script
    is_reading: bool = True
    log: dict[str, list[Produced]] = field(default_factory=dict)
    open_connections: int = 0

    def count_produced(self, record_id: str) -> Produced:
        """Return the sum over all attempts at a call."""
        attempts = self.log[record_id]
        return Produced(sum(one.bytes for one in attempts), sum(one.tokens for one in attempts))

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled; a fault of a script ends the test."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                connection, _ = await loop.sock_accept(listener)
                self.open_connections += 1
                group.create_task(self._serve_connection(connection))

    async def _serve_connection(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(HungUpError, ConnectionError):
                while connection.fileno() >= 0 and (asked := await self._read_request(connection)):
                    await self.script(asked)
        finally:
            self.open_connections -= 1

    async def _read_request(self, connection: socket.socket) -> Asked | None:
        loop, read = asyncio.get_running_loop(), b""
        while b"\r\n\r\n" not in read:
            piece = await loop.sock_recv(connection, HEAD_BYTES_MAX)
            if not piece:
                return None
            read += piece
        head, _, body = read.partition(b"\r\n\r\n")
        headers = parse_headers(head)
        record_id, length = headers["x-request-id"], int(headers["content-length"])
        produced = Produced()
        self.log.setdefault(record_id, []).append(produced)
        if not self.is_reading:
            return Asked(record_id, 0, {}, connection, produced, headers)
        while len(body) < length:
            piece = await loop.sock_recv(connection, length - len(body))
            if not piece:
                return None
            body += piece
        request = json.loads(body)
        return Asked(record_id, read_number(request), request, connection, produced, headers)


def parse_headers(head: bytes) -> dict[str, str]:
    """Return the header fields of a request's or an answer's head by lower-case name."""
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def read_number(request: dict[str, Any]) -> int:
    """Return the number at the end of the prompt, by which a test knows its call."""
    return int(request["messages"][0]["content"].rpartition(" ")[2])


def wrap_chunk(content: bytes) -> bytes:
    """Return bytes as one chunk of a chunked body."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def build_event(position: int, text: str = "tok{}") -> bytes:
    """Return the event of one token, with the running count that llama.cpp tells."""
    content = text.format(position)
    return (
        f'data: {{"choices":[{{"index":0,"delta":{{"content":"{content}"}}}}],"model":"{MODEL}","timings":'
        f'{{"cache_n":{PROMPT_CACHED},"prompt_n":{PROMPT_COMPUTED},"predicted_n":{position}}}}}\n\n'
    ).encode()


def build_usage_event(count: int) -> bytes:
    """Return the event with the final word on usage."""
    return f'data: {{"choices":[],"model":"{MODEL}","usage":{build_usage(count)}}}\n\n'.encode()


def build_answer(count: int) -> bytes:
    """Return a whole JSON answer of `count` tokens."""
    choices = '[{"index":0,"message":{"role":"assistant","content":"tok"},"finish_reason":"stop"}]'
    return f'{{"choices":{choices},"model":"{MODEL}","usage":{build_usage(count)}}}'.encode()


def build_usage(count: int) -> str:
    """Return the usage object of `count` produced tokens."""
    prompt = PROMPT_COMPUTED + PROMPT_CACHED
    details = f'{{"cached_tokens":{PROMPT_CACHED}}}'
    return f'{{"prompt_tokens":{prompt},"completion_tokens":{count},"prompt_tokens_details":{details}}}'


@asynccontextmanager
async def run_engine(
    path: Path, script: Script, slots: int = 256, running_usage: RunningUsage = RunningUsage.LLAMA_CPP_TIMINGS
) -> AsyncIterator[ScriptedEngine]:
    """Run an engine on a new socket at `path`; raises what a script raised."""
    engine = ScriptedEngine(EnginePlace(path, slots, running_usage), script)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1024)
        listener.setblocking(False)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(engine.serve(listener))
            try:
                yield engine
            finally:
                serving.cancel()
