"""Clients, as a process of its own, that write down how each of their calls ended.

python -m tests.e2e.reconciliation.load TALLY SEED RATE CALLERS KEY,KEY PORT... : calls until SIGTERM, then ends those that are open.
"""

import asyncio
import os
import random
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from tests.deadline import let_time_pass_async
from tests.e2e.reconciliation.script import Kind, Script
from tests.e2e.reconciliation.tally import Fate

MODEL = "reconciled"
RECORD_ID = re.compile(rb"(?i)\r\nkeisan-record-id: (\S+)")
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
CODE = re.compile(rb'"code":"(\w+)"')
# A client that leaves before its JSON answer waits so long: its request is with the engine by then, the answer is not.
LEAVE_S = 0.015
RECONNECT_S = 0.02
# Of a gateway that lives no call takes so long.
CALL_S_MAX = 30.0
FLUSH_LINES = 64


@dataclass(slots=True)
class Load:
    """What all callers share; `next_s` is when the next call is due."""

    tally: int
    source: random.Random
    interval_s: float
    keys: list[str]
    next_s: float = 0.0
    number: int = 0
    is_ending: bool = False
    lines: list[str] = field(default_factory=list)

    def draw(self) -> tuple[Script, int]:
        """Return the next call, and who pays for it."""
        self.number += 1
        return Script.draw(self.number, self.source), self.source.randrange(len(self.keys))

    async def keep_pace(self) -> None:
        """Wait until the next call is due."""
        now_s = time.monotonic()
        due_s = max(self.next_s, now_s - 1.0)
        self.next_s = due_s + self.interval_s
        if due_s > now_s:
            await let_time_pass_async(due_s - now_s)

    def note(self, line: str) -> None:
        """Write down how a call ended, soon."""
        self.lines.append(line)
        if len(self.lines) >= FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Write down what is known."""
        os.write(self.tally, "".join(self.lines).encode())
        self.lines.clear()


class Caller(asyncio.Protocol):
    """One connection to one gateway, with one call at a time on it."""

    def __init__(self, load: Load, gateway: int, port: int) -> None:
        self.load, self.gateway, self.port = load, gateway, port
        self.transport: asyncio.Transport | None = None
        self.script: Script | None = None
        self.payer = 0
        self.read = b""
        self.begun_ns = 0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, fault: Exception | None) -> None:
        self.transport = None
        if self.script is not None:
            self._end(Fate.BROKEN)
        self._go_on()

    def data_received(self, data: bytes) -> None:
        script = self.script
        if script is None:
            return
        self.read += data
        if script.kind is Kind.LEAVE and script.is_stream and b'"tok' in self.read:
            self.leave()
        elif self._is_whole():
            is_good = self.read.startswith(b"HTTP/1.1 200") and b'"error":' not in self.read
            if is_good and script.is_stream:
                assert b"data: [DONE]" in self.read, self.read
            self._end(Fate.DONE if is_good else Fate.REFUSED)
            self._go_on()

    def _is_whole(self) -> bool:
        head_bytes = self.read.find(b"\r\n\r\n") + 4
        if head_bytes < 4:
            return False
        length = LENGTH.search(self.read[:head_bytes])
        return self.read.endswith(b"\r\n0\r\n\r\n") if length is None else len(self.read) >= head_bytes + int(length[1])

    def leave(self) -> None:
        """Go without a word, if the call is open still; the next call waits for the connection's end."""
        if self.script is not None and self.transport is not None:
            self._end(Fate.LEFT)
            self.transport.abort()

    def _end(self, fate: Fate) -> None:
        script = self.script
        assert script is not None
        found = RECORD_ID.search(self.read)
        record_id = found[1].decode() if found else "-"
        times = f"{self.begun_ns} {time.monotonic_ns()}"
        code = CODE.search(self.read)
        said = code[1].decode() if code else self.read[9:12].decode() or "-"
        self.load.note(f"{fate} {script.number} {script.kind} {record_id} {self.gateway} {self.payer} {times} {said}\n")
        self.script = None

    def _go_on(self) -> None:
        if not self.over.done():
            self.over.set_result(None)

    async def run(self) -> None:
        """Call until the load ends."""
        loop = asyncio.get_running_loop()
        while not self.load.is_ending:
            await self.load.keep_pace()
            if self.transport is None:
                try:
                    await loop.create_connection(lambda: self, "127.0.0.1", self.port)
                except OSError:
                    await let_time_pass_async(RECONNECT_S)
                    continue
            if self.transport is None:
                continue
            self._begin(loop)
            async with asyncio.timeout(CALL_S_MAX):
                await self.over

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        assert self.transport is not None
        script, self.payer = self.load.draw()
        self.script, self.over, self.read = script, loop.create_future(), b""
        self.begun_ns = time.monotonic_ns()
        self.transport.write(write_request(script, self.load.keys[self.payer]))
        if script.kind is Kind.LEAVE and not script.is_stream:
            number = script.number
            loop.call_later(LEAVE_S, lambda: self._leave_call(number))

    def _leave_call(self, number: int) -> None:
        if self.script is not None and self.script.number == number:
            self.leave()


def write_request(script: Script, key: str) -> bytes:
    """Return a whole chat request."""
    stream = "true" if script.is_stream else "false"
    body = (
        f'{{"model":"{MODEL}","messages":[{{"role":"user","content":"{script.write()}"}}],'
        f'"max_tokens":64,"stream":{stream}}}'
    )
    return (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def run_load(tally: Path, numbers: list[int], keys: list[str], ports: list[int]) -> None:
    """Call with all callers, each gateway's as many, until SIGTERM."""
    seed, rate_per_s, callers = numbers
    descriptor = os.open(tally, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    load = Load(descriptor, random.Random(seed), 1 / rate_per_s, keys)

    def end() -> None:
        load.is_ending = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    async with asyncio.TaskGroup() as group:
        for place in range(callers):
            gateway = place % len(ports)
            group.create_task(Caller(load, gateway, ports[gateway]).run())
    load.flush()
    os.fdatasync(descriptor)


if __name__ == "__main__":
    uvloop.run(
        run_load(
            Path(sys.argv[1]),
            [int(text) for text in sys.argv[2:5]],
            sys.argv[5].split(","),
            [int(text) for text in sys.argv[6:]],
        )
    )
