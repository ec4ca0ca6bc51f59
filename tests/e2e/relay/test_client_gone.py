"""A client that leaves after any byte of a stream, by FIN or by RST: one record, delivered <= billed <= produced.

The engine sends its next event only after the client has left, and must then see its work cancelled.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.e2e.relay.client import RawClient, build_request
from tests.e2e.relay.engine import (
    END,
    PROMPT_CACHED,
    PROMPT_COMPUTED,
    STREAM_HEAD,
    Asked,
    build_event,
    build_usage_event,
    wrap_chunk,
)
from tests.e2e.relay.stage import Stage, run_stage

pytestmark = pytest.mark.e2e
CLIENTS = 64
# With their timings cut out, this many events and the end are 2 KB for the client.
EVENTS = 27
CANCEL_S_MAX = 10.0
CALL_S_MAX = 30.0
SHOWN = re.compile(rb'"content":"tok(\d+)"')
# The least that chunks cost: one event is a chunk of two digits, and the whole body in one chunk has three.
FRAME_BYTES = len(b"ab\r\n\r\n")
LAST_FRAME_BYTES = len(b"abc\r\n\r\n0\r\n\r\n")


@dataclass(slots=True)
class Leaving:
    """One call: its client leaves after `count` bytes; `events` of the stream are sent for it to have so many."""

    number: int
    count: int
    is_reset: bool
    events: int
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    record_id: str = ""
    read: bytes = b""


@dataclass(frozen=True, slots=True)
class Stream:
    """The scripted stream: what the engine sends piece by piece, and how long each is for the client."""

    pieces: tuple[bytes, ...]
    shown_bytes: tuple[int, ...]
    head_bytes: int

    @property
    def total_bytes(self) -> int:
        """Return the length of a whole answer that comes in one chunk."""
        return self.head_bytes + sum(self.shown_bytes) + LAST_FRAME_BYTES

    def count_events(self, count: int) -> int:
        """Return how many pieces make sure that the client gets `count` bytes, however they are chunked.

        The head of an answer leaves the gateway with its first piece, so that before it another replica can be tried.
        """
        if count == 0:
            return 0
        reached = self.head_bytes + FRAME_BYTES
        for number, length in enumerate(self.shown_bytes, 1):
            reached += length
            if count <= reached:
                return number
        return len(self.pieces)


def build_stream(head_bytes: int) -> Stream:
    """Return the stream of the script."""
    tokens = tuple(build_event(position) for position in range(1, EVENTS + 1))
    shown = tuple(len(re.sub(rb',"timings":\{[^}]*\}', b"", token)) for token in tokens)
    # The usage event is hidden from a client that did not ask for it, so it goes with the end.
    return Stream((*tokens, build_usage_event(EVENTS) + END), (*shown, len(END)), head_bytes)


async def speak(asked: Asked, leaving: Leaving, stream: Stream) -> None:
    """Send what the client needs; when it has left, one piece more, and wait to be cancelled."""
    leaving.record_id = asked.record_id
    leaving.is_asked.set()
    await asked.send(STREAM_HEAD)
    for number in range(leaving.events):
        await asked.send(wrap_chunk(stream.pieces[number]), min(number + 1, EVENTS))
    await leaving.is_gone.wait()
    try:
        if leaving.events < len(stream.pieces):
            await asked.send(wrap_chunk(stream.pieces[leaving.events]), min(leaving.events + 1, EVENTS))
        async with asyncio.timeout(CANCEL_S_MAX):
            await asked.wait_until_closed()
    finally:
        leaving.is_over.set()
    asked.close()


async def leave(stage: Stage, leaving: Leaving) -> None:
    """Read exactly so many bytes, leave, and see the call through to its end at the engine."""
    client = await RawClient.connect(stage.gateway.address)
    try:
        await client.send(build_request(leaving.number, is_stream=True))
        leaving.read = await client.read_exactly(leaving.count)
        await leaving.is_asked.wait()
        if leaving.is_reset:
            client.reset()
        else:
            client.finish()
        leaving.is_gone.set()
        await leaving.is_over.wait()
    finally:
        client.close()


def read_events(read: bytes) -> bytes:
    """Return what of the body's events is in the first bytes of an answer, without the framing of its chunks."""
    body = read.partition(b"\r\n\r\n")[2]
    events = b""
    while b"\r\n" in body:
        size, _, body = body.partition(b"\r\n")
        events += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return events


def check_leaving(stage: Stage, leaving: Leaving) -> None:
    """Assert delivered <= billed <= produced for one call, in tokens and in bytes."""
    record = stage.platform.records[leaving.record_id]
    produced = stage.engine.count_produced(leaving.record_id)
    events = read_events(leaving.read)
    delivered = max((int(position) for position in SHOWN.findall(events)), default=0)
    billed = record["quantities"].get("output", 0)
    where = f"{leaving.count} bytes, reset {leaving.is_reset}: {record}"
    assert delivered <= billed <= produced.tokens, where
    assert len(events) <= record["response_bytes"] <= produced.bytes, where
    assert record["outcome"] in {"client_closed", "completed"}, where
    if billed:
        assert (record["quantities"]["input"], record["quantities"]["input_cached"]) == (PROMPT_COMPUTED, PROMPT_CACHED)


async def measure_head(stage: Stage) -> int:
    """Return how long the head of a streamed answer is."""
    client = await RawClient.connect(stage.gateway.address)
    await client.send(build_request(0, is_stream=True))
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        read += await client.read_exactly(1)
    client.close()
    return len(read)


async def test_client_that_leaves_after_any_byte_is_billed_once(record_property: Callable[[str, object], None]) -> None:
    calls: dict[int, Leaving] = {}
    async with run_stage() as stage:
        await stage.settle()
        stream = build_stream(await measure_head(stage))
        known = len(stage.engine.log)

        async def script(asked: Asked) -> None:
            await speak(asked, calls[asked.number], stream)

        stage.engine.script = script
        wanted = [(count, is_reset) for count in range(stream.total_bytes + 1) for is_reset in (False, True)]
        for number, (count, is_reset) in enumerate(wanted):
            calls[number] = Leaving(number, count, is_reset, stream.count_events(count))
        waiting = iter(calls.values())

        async def run_client() -> None:
            for leaving in waiting:
                async with asyncio.timeout(CALL_S_MAX):
                    await leave(stage, leaving)

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(run_client())
        await stage.platform.wait_for_records(known + len(calls), 60.0)
        assert len({leaving.record_id for leaving in calls.values()}) == len(calls)
        for leaving in calls.values():
            check_leaving(stage, leaving)
        await stage.check_sound()
    outcomes = [stage.platform.records[leaving.record_id]["outcome"] for leaving in calls.values()]
    record_property("outcome", f"{len(calls)} calls, {outcomes.count('completed')} completed")
    assert sum(stream.shown_bytes) >= 2000
