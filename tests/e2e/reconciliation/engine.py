"""An engine, as a process of its own, that writes down what usage it is about to report before it reports it.

python -m tests.e2e.reconciliation.engine LOG SOCKET... : one line a report, for each socket a replica by its place.
It shares nothing with keisan but HTTP.
"""

import asyncio
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from tests.e2e.reconciliation.report import Word
from tests.e2e.reconciliation.script import Kind, Script

RECORD_ID = re.compile(rb"(?i)\r\nx-request-id: (\S+)")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
# Between the two writes of a stream, so that there is a middle in which a gateway can die.
PAUSE_S = 0.004
# Before a JSON answer whose client leaves.
LEAVE_PAUSE_S = 0.03


@dataclass(slots=True)
class Engine:
    """What all connections share: the log's descriptor, and how often calls were lost on purpose."""

    log: int
    lost: dict[bytes, int] = field(default_factory=dict)


class Speaker(asyncio.Protocol):
    """One connection of a gateway to one replica."""

    def __init__(self, engine: Engine, place: int) -> None:
        self.engine, self.place = engine, place
        self.read = b""
        self.record_id = b""
        self.script: Script | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, fault: Exception | None) -> None:
        if self.script is not None:
            self.note(Word.GONE)
            self.script = None

    def data_received(self, data: bytes) -> None:
        self.read += data
        head_bytes = self.read.find(b"\r\n\r\n") + 4
        if head_bytes < 4:
            return
        head = self.read[:head_bytes]
        length, record_id = LENGTH.search(head), RECORD_ID.search(head)
        assert length is not None
        assert record_id is not None
        end = head_bytes + int(length[1])
        if len(self.read) < end:
            return
        body, self.read = self.read[head_bytes:end], self.read[end:]
        self.record_id, self.script = record_id[1], Script.read(body)
        self.speak(self.script)

    def note(self, word: Word, output: int = 0) -> None:
        """Write a line before what it tells of is sent; a crash of this process loses none."""
        script = self.script
        assert script is not None
        line = b"%b %b %d %d %d %d %d %d\n" % (
            word.encode(),
            self.record_id,
            script.number,
            self.place,
            script.input,
            script.cached,
            output,
            time.monotonic_ns(),
        )
        os.write(self.engine.log, line)

    def speak(self, script: Script) -> None:
        if script.kind is Kind.LOSE and self._is_lost(script):
            self.note(Word.LOST)
            self._hang_up()
        elif script.kind is Kind.REFUSE:
            self.note(Word.REFUSED)
            self._finish(write_error(500 if script.number % 2 else 429))
        elif script.is_stream:
            self._begin_stream(script)
        elif script.kind is Kind.CUT:
            self.note(Word.HALF)
            answer = write_answer(script)
            self.transport.write(answer[: len(answer) - script.output])
            asyncio.get_running_loop().call_later(PAUSE_S, self._hang_up)
        elif script.kind is Kind.LEAVE:
            asyncio.get_running_loop().call_later(LEAVE_PAUSE_S, self._answer)
        else:
            self._answer()

    def _is_lost(self, script: Script) -> bool:
        count = self.engine.lost.get(self.record_id, 0) + 1
        self.engine.lost[self.record_id] = count
        return count <= 1 + script.output % 2

    def _answer(self) -> None:
        script = self.script
        if script is None:
            return
        is_silent = script.kind is Kind.SILENT
        self.note(Word.SILENT if is_silent else Word.ANSWERED, 0 if is_silent else script.output)
        self._finish(write_answer(script))

    def _begin_stream(self, script: Script) -> None:
        is_ending_early = script.kind in {Kind.CUT, Kind.LEAVE}
        told = script.output if is_ending_early else max(1, script.output // 2)
        if script.kind is Kind.LATE:
            self.note(Word.ASKED)
        else:
            self.note(Word.RUNNING, told)
        self.transport.write(STREAM_HEAD + write_event(script, told))
        if script.kind is not Kind.LEAVE:
            then = self._hang_up if script.kind is Kind.CUT else self._end_stream
            asyncio.get_running_loop().call_later(PAUSE_S, then)

    def _end_stream(self) -> None:
        script = self.script
        if script is None:
            return
        self.note(Word.FINAL, script.output)
        self._finish(
            write_event(script, script.output) + write_chunk(b'{"choices":[],%b}' % write_usage(script)) + LAST
        )

    def _finish(self, answer: bytes) -> None:
        self.transport.write(answer)
        self.script = None

    def _hang_up(self) -> None:
        self.script = None
        self.transport.close()


def write_chunk(data: bytes) -> bytes:
    """Return an event in a chunk of its own."""
    return b"%x\r\ndata: %b\n\n\r\n" % (len(data) + 8, data)


def write_event(script: Script, output: int) -> bytes:
    """Return the event of a token, with llama.cpp's running count unless usage comes late."""
    timings = b""
    if script.kind is not Kind.LATE:
        timings = b',"timings":{"cache_n":%d,"prompt_n":%d,"predicted_n":%d}' % (script.cached, script.input, output)
    return write_chunk(b'{"choices":[{"index":0,"delta":{"content":"tok%d"}}]%b}' % (output, timings))


def write_usage(script: Script) -> bytes:
    """Return the usage member; prompt tokens hold the cached ones."""
    return b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d}}' % (
        script.input + script.cached,
        script.output,
        script.cached,
    )


def write_answer(script: Script) -> bytes:
    """Return a whole JSON answer."""
    usage = b"" if script.kind is Kind.SILENT else b"," + write_usage(script)
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"tok"},"finish_reason":"stop"}]%b}' % usage
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def write_error(status: int) -> bytes:
    """Return a refusal."""
    return b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % status


async def serve(log: Path, sockets: list[str]) -> None:
    """Serve until SIGTERM, then put the log on disk."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    engine, loop, stop = Engine(descriptor), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    servers = [
        await loop.create_unix_server(lambda place=place: Speaker(engine, place), path, backlog=1024)  # type: ignore[misc]  # bound here
        for place, path in enumerate(sockets)
    ]
    await stop.wait()
    for server in servers:
        server.close()
    os.fdatasync(descriptor)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[2:]))
