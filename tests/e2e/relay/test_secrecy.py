"""A gateway process keeps no text of a prompt or an answer: not in its log, its folder, its numbers or its spans.

A marker stands wherever a caller and an engine can say something, through every fault that an engine may have.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from tests.deadline import wait_until_async
from tests.e2e.relay.client import RawClient, build_request
from tests.e2e.relay.collector import Collector, run_collector
from tests.e2e.relay.engine import END, LAST_CHUNK, STREAM_HEAD, Asked, wrap_chunk
from tests.e2e.relay.stage import Setting, Stage, run_stage

pytestmark = pytest.mark.e2e
MARKER = "xyzzy-plugh"
TEXT = MARKER.encode()
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"' + TEXT + b'"}}]}\n\n'

Fault = Callable[[Asked], Awaitable[None]]


async def answer_whole(asked: Asked) -> None:
    message = {"role": "assistant", "content": MARKER}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    await asked.answer(json.dumps({"choices": [{"index": 0, "message": message}], "usage": usage}).encode())


async def answer_error(asked: Asked) -> None:
    await asked.answer(json.dumps({"error": {"message": MARKER, "type": MARKER}}).encode(), status="400 X")


async def answer_failure(asked: Asked) -> None:
    await asked.answer(TEXT, status="500 " + MARKER)


async def answer_no_json(asked: Asked) -> None:
    await asked.answer(TEXT)


async def answer_half(asked: Asked) -> None:
    await asked.send(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{" + TEXT)
    asked.close()


async def answer_no_http(asked: Asked) -> None:
    await asked.send(TEXT + b"\r\n\r\n")
    asked.close()


async def die(asked: Asked) -> None:
    asked.close()


async def stream_whole(asked: Asked) -> None:
    await asked.send(STREAM_HEAD + wrap_chunk(EVENT) + wrap_chunk(END) + LAST_CHUNK)


async def stream_half(asked: Asked) -> None:
    await asked.send(STREAM_HEAD + wrap_chunk(EVENT))
    asked.close()


async def stream_error(asked: Asked) -> None:
    error = b'data: {"error":{"message":"' + TEXT + b'"}}\n\n'
    await asked.send(STREAM_HEAD + wrap_chunk(EVENT) + wrap_chunk(error) + LAST_CHUNK)


async def stream_no_json(asked: Asked) -> None:
    await asked.send(STREAM_HEAD + wrap_chunk(b"data: " + TEXT + b"\xff\xfe\n\n") + LAST_CHUNK)


async def stream_too_much(asked: Asked) -> None:
    await asked.send(STREAM_HEAD + wrap_chunk(b"data: " + TEXT * 400) + LAST_CHUNK)


FAULTS: tuple[tuple[Fault, bool], ...] = (
    (answer_whole, False),
    (answer_error, False),
    (answer_failure, False),
    (answer_no_json, False),
    (answer_half, False),
    (answer_no_http, False),
    (answer_whole, False),
    (die, False),
    (stream_whole, True),
    (stream_half, True),
    (stream_error, True),
    (stream_whole, True),
    (stream_no_json, True),
    (stream_too_much, True),
    (answer_no_http, True),
    (die, True),
)


def build_call(number: int, *, is_stream: bool, **more: object) -> bytes:
    """Return a request that says the marker wherever it may."""
    messages = [{"role": "user", "content": f"{MARKER} {number}"}]
    request = build_request(number, is_stream=is_stream, messages=messages, user=MARKER, stop=MARKER, **more)
    headers = (
        f"\r\nuser-agent: {MARKER}\r\ntraceparent: 00-{number + 1:032x}-00f067aa0ba902b7-01\r\ntracestate: a={MARKER}"
    )
    return request.replace(b"\r\ncontent-length", headers.encode() + b"\r\ncontent-length", 1)


def list_refused() -> list[bytes]:
    """Return requests that are refused, each with the marker where it is at fault."""
    sound = build_call(0, is_stream=False)
    return [
        build_call(0, is_stream=False, model=MARKER),
        build_call(0, is_stream=False, **{MARKER: 1}),
        build_call(0, is_stream=False, max_tokens=MARKER),
        sound.replace(b'{"model"', b"{" + TEXT + b'"model"', 1),
        sound.replace(b"Bearer ", b"Bearer " + TEXT, 1),
        sound.replace(b"/v1/chat/", b"/v1/" + TEXT + b"/", 1),
        sound.replace(b"\r\nuser-agent", b"\r\nkeisan-policy: " + TEXT + b"\r\nuser-agent", 1),
        sound.replace(b"POST ", TEXT.upper().replace(b"-", b"") + b" ", 1),
        TEXT + b"\r\n\r\n",
    ]


async def send(stage: Stage, request: bytes) -> bytes:
    """Send bytes over a connection of their own and read what comes until the gateway closes it."""
    client = await RawClient.connect(stage.gateway.address)
    try:
        await client.send(request.replace(b"\r\nhost:", b"\r\nconnection: close\r\nhost:", 1))
        return await client.read_to_end()
    finally:
        client.close()


async def leave(stage: Stage, number: int) -> None:
    """Begin a stream and go away."""
    client = await RawClient.connect(stage.gateway.address)
    await client.send(build_call(number, is_stream=True))
    await client.read_exactly(20)
    client.reset()


async def speak_to_nobody(asked: Asked) -> None:
    """Stream until nobody reads any more."""
    await asked.send(STREAM_HEAD + wrap_chunk(EVENT))
    await asked.wait_until_closed()
    asked.close()


async def read_numbers(stage: Stage) -> dict[str, bytes]:
    """Return what the gateway serves of itself."""
    async with httpx.AsyncClient(
        base_url="http://{}:{}".format(*stage.gateway.address), trust_env=False, timeout=10.0
    ) as client:
        return {path: (await client.get(path)).content for path in ("/metrics", "/healthz")}


def read_folder(root: Path) -> dict[str, bytes]:
    """Return every file that the gateway process has written: log, output, snapshot, spool."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def check_secrecy(texts: dict[str, bytes]) -> None:
    """Assert that no text holds the marker."""
    for name, text in texts.items():
        assert b"xyzzy" not in text.lower(), f"{name} holds the marker: {text[:2000]!r}"


async def make_all_calls(stage: Stage) -> int:
    """Make every call and every refused request; return how many records there must be."""
    for request in list_refused():
        assert b" 4" in (await send(stage, request))[:20], request
    number = 1
    for fault, is_stream in FAULTS:
        stage.engine.script = fault
        answer = await send(stage, build_call(number, is_stream=is_stream))
        assert answer.startswith(b"HTTP/1.1 "), fault
        number += 1
    stage.engine.script = speak_to_nobody
    await leave(stage, number)
    return number


async def collect(stage: Stage, collector: Collector, calls: int) -> dict[str, bytes]:
    """Return all that was kept or told, once everything is told."""
    await stage.platform.wait_for_records(calls)

    def count_calls() -> int:
        return sum("keisan.record_id" in span.attributes for span in collector.spans)

    await wait_until_async(lambda: count_calls() == calls, "every call has its span", 20.0)
    texts = await read_numbers(stage) | read_folder(stage.folder.data)
    texts |= {f"export {place}": body for place, body in enumerate(collector.bodies)}
    return texts | {"records": json.dumps(stage.platform.records).encode()}


async def test_no_text_of_a_call_is_kept() -> None:
    async with run_collector() as collector:
        more = {"otlp_url": collector.url, "trace_sample_ppm": "1000000"}
        async with run_stage(Setting(more=more, limits={"event_bytes_max": 2048})) as stage:
            calls = await make_all_calls(stage)
            texts = await collect(stage, collector, calls)
            assert any(name.endswith(".log") and text for name, text in texts.items())
            assert any("spool" in name and b"record_id" in text for name, text in texts.items())
            check_secrecy(texts)
            stage.gateway.kill()
            await stage.restart()
            check_secrecy(read_folder(stage.folder.data))
