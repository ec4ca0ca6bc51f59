"""One GET over a unix socket, for health probes: a fresh connection each time, the status line and the body's start."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

ANSWER_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The HTTP status and what came of the body within ANSWER_BYTES_MAX."""

    status: int
    body: str


async def fetch_answer(socket_path: Path, url_path: str, timeout_s: float) -> ProbeAnswer:
    """Return the answer to GET `url_path`.

    Raises TimeoutError after `timeout_s`, OSError when nobody listens, ValueError when the answer is not HTTP.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        try:
            writer.write(f"GET {url_path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
            received = bytearray()
            while len(received) < ANSWER_BYTES_MAX:
                part = await reader.read(ANSWER_BYTES_MAX)
                if not part:
                    break
                received += part
        finally:
            writer.close()
    return parse_answer(bytes(received))


def parse_answer(received: bytes) -> ProbeAnswer:
    """Return status and body of a raw HTTP/1.x answer; raises ValueError when it is none."""
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.partition(b"\r\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("the answer is not HTTP/1.x")
    return ProbeAnswer(int(words[1]), body.decode("utf-8", "replace"))
