"""Clients on real sockets: one that reads exactly as many bytes as it is told and closes as it is told, one that keeps alive."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any, Self

from tests.e2e.relay.engine import parse_headers
from tests.e2e.relay.snapshot import API_KEY, MODEL

ANSWER_S_MAX = 60.0


class CutShortError(Exception):
    """The connection ended before what was read was whole."""


def build_request(number: int, *, is_stream: bool, **more: object) -> bytes:
    """Return a whole chat request; `number` ends its prompt, so that the engine's script knows the call."""
    body = json.dumps(
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": f"call {number}"}],
            "max_tokens": 1024,
            "stream": is_stream,
            **more,
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {API_KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class RawClient:
    """A bare socket: nothing is read that was not asked for."""

    socket: socket.socket

    @classmethod
    async def connect(cls, address: tuple[str, int], receive_bytes: int | None = None) -> Self:
        """Connect; `receive_bytes` bounds the system's own buffer, so that not reading is felt soon."""
        opened = socket.socket(socket.AF_INET)
        opened.setblocking(False)
        if receive_bytes is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(opened, address)
        except BaseException:
            opened.close()
            raise
        return cls(opened)

    async def send(self, content: bytes) -> None:
        """Send everything."""
        await asyncio.get_running_loop().sock_sendall(self.socket, content)

    async def read_exactly(self, count: int) -> bytes:
        """Read so many bytes and not one more; raises CutShortError if the connection ends before."""
        loop, read = asyncio.get_running_loop(), b""
        while len(read) < count:
            piece = await loop.sock_recv(self.socket, count - len(read))
            if not piece:
                raise CutShortError(f"{len(read)} of {count} bytes: {read[-200:]!r}")
            read += piece
        return read

    async def read_to_end(self) -> bytes:
        """Read until the other side closes, or resets."""
        loop, read = asyncio.get_running_loop(), b""
        try:
            while piece := await loop.sock_recv(self.socket, 1 << 20):
                read += piece
        except ConnectionError:
            pass
        return read

    def finish(self) -> None:
        """Send a FIN, and leave unread what is unread: closing now would send a reset for it."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Close as the system does it by itself."""
        self.socket.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `body` is without its chunks' framing."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def record_id(self) -> str:
        """Return the id of the call's record."""
        return self.headers["keisan-record-id"]

    @property
    def code(self) -> str | None:
        """Return the code of a typed error, in a JSON answer or in a stream's last event; None without one."""
        text = self.body
        if self.headers["content-type"].startswith("text/event-stream"):
            text = text.strip().rpartition(b"\n\n")[2].removeprefix(b"data: ")
        try:
            error = json.loads(text).get("error")
        except ValueError:
            return None
        return None if error is None else str(error["code"])

    def read_json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class KeepAliveClient:
    """A connection that calls one after the other go over; opened anew when it was closed."""

    address: tuple[str, int]
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    connections: int = 0

    async def call(self, request: bytes) -> Answer:
        """Send a request and read its answer to the last byte; raises CutShortError or OSError if it did not come."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._exchange(request)
        except BaseException:
            self.close()
            raise

    async def _exchange(self, request: bytes) -> Answer:
        if self.reader is None or self.writer is None:
            async with asyncio.timeout(ANSWER_S_MAX):
                self.reader, self.writer = await asyncio.open_connection(*self.address)
            self.connections += 1
        self.writer.write(request)
        answer = await read_answer(self.reader)
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one whole answer; raises CutShortError if the connection ends before its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        headers = parse_headers(head.strip())
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = await _read_chunks(reader)
    except asyncio.IncompleteReadError as fault:
        raise CutShortError(repr(fault.partial[-200:])) from fault
    return Answer(int(head.split(b" ", 2)[1]), headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        chunk = await reader.readexactly(size + 2)
        if size == 0:
            return body
        body += chunk[:-2]
