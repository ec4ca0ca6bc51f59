"""A receiver of alerts on loopback, in the test's own process, whose answers a test scripts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

# What is answered to the request of this number; None hangs up without an answer.
Script = Callable[[int], int | None]


def answer_ok(_number: int) -> int:
    """Take everything."""
    return 200


@dataclass(frozen=True)
class Request:
    headers: dict[str, str]
    body: bytes

    @property
    def sequence(self) -> int:
        return int(self.headers["keisan-alert-sequence"])


@dataclass
class Receiver:
    """What came, in order; `script` says what is answered."""

    script: Script = answer_ok
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alerts"

    @property
    def sequences(self) -> list[int]:
        return [request.sequence for request in self.requests]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer as the script says."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers["content-length"]))
            code = self.script(len(self.requests))
            self.requests.append(Request(headers, body))
            if code is not None:
                writer.write(f"HTTP/1.1 {code} X\r\nlocation: {self.url}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def run_receiver(script: Script = answer_ok) -> AsyncIterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(script)
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
