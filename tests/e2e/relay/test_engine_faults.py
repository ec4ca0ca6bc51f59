"""Engines that break every rule: each call gets a typed end and one record, and the gateway is as before."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.e2e.relay.client import Answer, CutShortError, KeepAliveClient, build_request
from tests.e2e.relay.engine import (
    END,
    LAST_CHUNK,
    STREAM_HEAD,
    Asked,
    Script,
    build_answer,
    build_event,
    build_usage,
    build_usage_event,
    wrap_chunk,
)
from tests.e2e.relay.stage import Setting, Stage, run_stage

pytestmark = [pytest.mark.e2e, pytest.mark.waits, pytest.mark.asyncio(loop_scope="module")]
SLOTS = 4
HASTY_LIMITS = {"first_byte_timeout_s": 3, "stream_idle_timeout_s": 3, "drain_after_client_s": 1}
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
OLD_HEAD = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n"
OLD_STREAM_HEAD = b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
LARGE_BYTES = 10_000_000
FINISH = wrap_chunk(build_usage_event(2)) + wrap_chunk(END) + LAST_CHUNK


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call must end: status and code for the client (None: the answer breaks off), outcome and output billed."""

    status: int | None
    code: str | None
    outcome: str
    output: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What an engine does, and how a stream or a JSON call must end then."""

    name: str
    script: Script
    is_stream: bool
    ending: Ending
    padding_bytes: int = 0
    is_reading: bool = True

    @property
    def is_stall(self) -> bool:
        """Tell whether it may end by the gateway's own patience only."""
        return isinstance(self.script, Stall)


LOST = Ending(200, "engine_lost", "engine_cut", 1)
BROKEN = Ending(200, "engine_error", "engine_cut", 1)
COMPLETED = Ending(200, None, "completed", 2)
JSON_LOST = Ending(502, "engine_lost", "engine_cut")
JSON_BROKEN = Ending(502, "engine_error", "engine_cut")
JSON_REFUSED = Ending(502, "engine_error", "engine_refused")
UNREACHABLE = Ending(503, "no_healthy_replica", "engine_unreachable")
FREE = Ending(200, None, "completed", 0)


def say(*pieces: bytes, tokens: int = 0, is_closing: bool = True) -> Script:
    """Return a script that sends bytes as they are, then closes or leaves the connection open."""

    async def speak(asked: Asked) -> None:
        for piece in pieces:
            await asked.send(piece, tokens)
        if is_closing:
            asked.close()

    return speak


@dataclass(frozen=True, slots=True)
class Stall:
    """A script that sends bytes and then says nothing more, until the gateway has had enough."""

    pieces: tuple[bytes, ...]
    tokens: int

    async def __call__(self, asked: Asked) -> None:
        for piece in self.pieces:
            await asked.send(piece, self.tokens)
        await asked.wait_until_closed()


def say_and_stall(*pieces: bytes, tokens: int = 0) -> Script:
    return Stall(pieces, tokens)


def stream(*pieces: bytes) -> bytes:
    """Return the beginning of a stream: head, one token, and what is given, as it is."""
    return b"".join((STREAM_HEAD, wrap_chunk(build_event(1)), *pieces))


def measure(content: bytes, added_bytes: int = 0) -> bytes:
    """Return a JSON answer whose head names a length that is off by so much."""
    return JSON_HEAD + f"content-length: {len(content) + added_bytes}\r\n\r\n".encode() + content


TOKEN = wrap_chunk(build_event(2))
LARGE_TOKEN = wrap_chunk(build_event(2, "x" * LARGE_BYTES))
LARGE_ANSWER = build_answer(2).replace(b'"tok"', b'"' + b"x" * LARGE_BYTES + b'"')
TWO_USAGES = build_answer(5)[:-1] + f',"usage":{build_usage(2)}}}'.encode()
NO_USAGE = b'{"choices":[{"message":{"content":"hello"}}]}'
BARE_EVENT = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n'
BAD_TEXT = build_event(2).replace(b"tok2", b"\xff\xfe\xc3")
ABSURD = build_event(1).replace(b'"cache_n":30', b'"cache_n":-1').replace(b'"predicted_n":1', b'"predicted_n":1e99')

STREAMS = (
    ("truncates", say(stream(), tokens=1), LOST),
    ("truncates within an event", say(stream(wrap_chunk(build_event(2)[:30])), tokens=2), LOST),
    ("truncates within a chunk", say(stream(TOKEN[:30]), tokens=2), LOST),
    ("ends without its end", say(stream(LAST_CHUNK), tokens=1), LOST),
    ("stalls", say_and_stall(stream(), tokens=1), Ending(200, "engine_timeout", "engine_cut", 1)),
    ("stalls before its head", say_and_stall(), Ending(504, "engine_timeout", "engine_cut")),
    ("stalls after its head", say_and_stall(STREAM_HEAD), Ending(504, "engine_timeout", "engine_cut")),
    ("stalls within its head", say_and_stall(STREAM_HEAD[:20]), Ending(504, "engine_timeout", "engine_cut")),
    ("sends invalid UTF-8", say(stream(wrap_chunk(BAD_TEXT), FINISH), tokens=2), COMPLETED),
    ("sends an event of 10 MB", say(stream(LARGE_TOKEN, FINISH), tokens=2), BROKEN),
    ("tells no usage", say(STREAM_HEAD + wrap_chunk(BARE_EVENT + END) + LAST_CHUNK, tokens=1), FREE),
    ("tells usage twice", say(stream(wrap_chunk(build_usage_event(5)), FINISH), tokens=5), COMPLETED),
    ("tells absurd usage", say(STREAM_HEAD + wrap_chunk(ABSURD + END) + LAST_CHUNK, tokens=1), FREE),
    ("speaks HTTP/1.0", say(OLD_STREAM_HEAD + build_event(2) + build_usage_event(2) + END, tokens=2), COMPLETED),
    ("speaks HTTP/1.0 and truncates", say(OLD_STREAM_HEAD + build_event(1), tokens=1), LOST),
    ("never ends its chunks", say_and_stall(stream(wrap_chunk(build_usage_event(2) + END)), tokens=2), COMPLETED),
    (
        "sends a chunk without end",
        say_and_stall(stream(b"fffffff\r\nx"), tokens=1),
        Ending(200, "engine_timeout", "engine_cut", 1),
    ),
    ("sends a chunk of impossible length", say(stream(b"f" * 40 + b"\r\nx"), tokens=1), LOST),
    ("sends a chunk of no length", say(stream(b"zz\r\nx\r\n"), tokens=1), LOST),
    (
        "sends an error",
        say(stream(wrap_chunk(b'data: {"error":{"code":500}}\n\n')), tokens=1),
        Ending(200, "engine_error", "engine_refused", 1),
    ),
    (
        "goes on after its end",
        say(stream(wrap_chunk(build_usage_event(2) + END + build_event(9) + END), LAST_CHUNK), tokens=9),
        COMPLETED,
    ),
)
WHOLE = (
    ("truncates", say(measure(build_answer(2), 9), tokens=2), JSON_LOST),
    ("truncates without a length", say(JSON_HEAD + b"\r\n" + build_answer(2)[:60], tokens=2), JSON_BROKEN),
    ("speaks HTTP/1.0 and truncates", say(OLD_HEAD + build_answer(2)[:60], tokens=2), JSON_BROKEN),
    ("speaks HTTP/1.0", say(OLD_HEAD + build_answer(2), tokens=2), COMPLETED),
    ("stalls", say_and_stall(measure(build_answer(2), 9), tokens=2), Ending(504, "engine_timeout", "engine_cut")),
    ("stalls before its head", say_and_stall(), Ending(504, "engine_timeout", "engine_cut")),
    ("names too short a length", say(measure(build_answer(2), -9), tokens=2), JSON_BROKEN),
    (
        "sends invalid UTF-8",
        say(measure(build_answer(2).replace(b'"tok"', b'"\xff\xfe"')), tokens=2, is_closing=False),
        COMPLETED,
    ),
    ("sends an answer of 10 MB", say(measure(LARGE_ANSWER), tokens=2, is_closing=False), COMPLETED),
    ("tells no usage", say(measure(NO_USAGE), tokens=1, is_closing=False), FREE),
    ("tells usage twice", say(measure(TWO_USAGES), tokens=5, is_closing=False), COMPLETED),
    ("streams unasked", say(stream(FINISH), tokens=2), JSON_BROKEN),
    ("sends a page", say(measure(b"<html>busy</html>"), is_closing=False), JSON_BROKEN),
    ("sends nothing", say(measure(b""), is_closing=False), JSON_BROKEN),
    ("has no content", say(b"HTTP/1.1 204 No Content\r\n\r\n", is_closing=False), JSON_BROKEN),
    ("sends garbage", say(b"\x16\x03\x01\x02 this is not HTTP\r\n\r\n"), UNREACHABLE),
    ("sends a head without end", say(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 500_000), UNREACHABLE),
    ("closes unheard", say(), UNREACHABLE),
    ("names two lengths", say(JSON_HEAD + b"content-length: 1\r\n" + measure(b"{}")[len(JSON_HEAD) :]), UNREACHABLE),
    ("fails", say(b"HTTP/1.1 500 Oops\r\ncontent-length: 7\r\n\r\n/secret", is_closing=False), JSON_REFUSED),
    ("is busy", say(b"HTTP/1.1 429 Busy\r\ncontent-length: 0\r\n\r\n", is_closing=False), JSON_REFUSED),
    (
        "redirects",
        say(b"HTTP/1.1 302 X\r\nlocation: http://a/\r\ncontent-length: 0\r\n\r\n", is_closing=False),
        JSON_REFUSED,
    ),
    ("switches protocols", say_and_stall(b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), JSON_REFUSED),
    ("fails without end", say_and_stall(b"HTTP/1.1 500 Oops\r\ncontent-length: 900\r\n\r\nab"), JSON_REFUSED),
)
# Closing with a request unread resets the connection; a large prompt is not read whole by the socket's buffer alone.
RESETS = (
    ("begins 200 and resets", say(JSON_HEAD + b"content-length: 900\r\n\r\n{", tokens=0), False, JSON_LOST),
    ("begins a stream and resets", say(stream(), tokens=1), True, LOST),
    ("resets unheard", say(), False, UNREACHABLE),
)
FAULTS = (
    *(Fault(f"a stream that {name}", script, True, ending) for name, script, ending in STREAMS),
    *(Fault(f"an answer that {name}", script, False, ending) for name, script, ending in WHOLE),
    *(
        Fault(name, script, is_stream, ending, 2_000_000, is_reading=False)
        for name, script, is_stream, ending in RESETS
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """One gateway for all faults but stalls: that it survives each is the point, and that it holds nothing of any at the end."""
    async with run_until_sound({}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty_stage() -> AsyncIterator[Stage]:
    """Another for all stalls: it waits so shortly that on a busy host any engine may seem to stall."""
    async with run_until_sound(HASTY_LIMITS) as running:
        yield running


@asynccontextmanager
async def run_until_sound(limits: Mapping[str, int]) -> AsyncIterator[Stage]:
    """Run a stage that is as before at its end."""
    async with run_stage(Setting(limits=limits, slots=SLOTS)) as running:
        await running.settle()
        yield running
        await asyncio.gather(*(running.call(number) for number in range(SLOTS)))
        await running.check_sound()


async def call(stage: Stage, fault: Fault) -> Answer | None:
    """Make a call to the faulty engine; None if the answer broke off."""
    engine = stage.engine
    engine.script, engine.is_reading = fault.script, fault.is_reading
    try:
        return await stage.call(1, is_stream=fault.is_stream, user="x" * fault.padding_bytes)
    except (CutShortError, ConnectionError):
        return None
    finally:
        engine.is_reading = True


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_engine_fault_has_a_typed_end_and_one_record(stage: Stage, hasty_stage: Stage, fault: Fault) -> None:
    stage = hasty_stage if fault.is_stall else stage
    known = set(stage.platform.records)
    answer = await call(stage, fault)
    await stage.wait_until_quiet()
    [record_id] = set(stage.platform.records) - known
    record, ending = stage.platform.records[record_id], fault.ending
    assert (answer and answer.status, answer and answer.code) == (ending.status, ending.code), (answer, record)
    output = record["quantities"].get("output", 0)
    assert (record["outcome"], output) == (ending.outcome, ending.output), record
    assert output <= stage.engine.count_produced(record_id).tokens
    if answer is not None:
        assert answer.record_id == record_id
        assert b"secret" not in answer.body
    await stage.check_call()
    assert "panicked" not in stage.gateway.read_log()


async def test_answer_that_nobody_asked_for_reaches_nobody(stage: Stage) -> None:
    own, forged = measure(build_answer(2)), measure(build_answer(2).replace(b'"tok"', b'"forged"'))

    async def speak(asked: Asked) -> None:
        await asked.send(own + forged, 2)

    stage.engine.script = speak
    known = len(stage.engine.log)
    client = KeepAliveClient(stage.gateway.address)
    for number in range(200):
        answer = await client.call(build_request(number, is_stream=False))
        assert (answer.status, b"forged" in answer.body) == (200, False)
    client.close()
    assert len(stage.engine.log) == known + 200
    await stage.wait_until_quiet()
