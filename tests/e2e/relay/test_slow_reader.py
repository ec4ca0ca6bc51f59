"""Clients that do not read: the gateway's memory stays bounded, and no engine slot is held for ever."""

import asyncio
from collections.abc import Callable

import pytest

from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.relay.client import RawClient, build_request
from tests.e2e.relay.engine import STREAM_HEAD, Asked, build_answer, build_event, wrap_chunk
from tests.e2e.relay.stage import Setting, Stage, run_stage

pytestmark = [pytest.mark.e2e, pytest.mark.waits]
CLIENT_IDLE_TIMEOUT_S = 2
CUT_S_MAX = 20.0
CLIENTS = 16
# A segment of the loopback has 64 KiB, and a smaller buffer drops it.
RECEIVE_BYTES = 64 * 1024
EVENT_TEXT = "x" * 60_000
# What one stream may hold in the gateway: a read buffer, an event, a write buffer, and what the allocator keeps of them.
STREAM_BYTES_MAX = 1 << 20
# A host that stands still for as long as a client may take nothing makes one of the slow ones: this one is given longer.
SLOW_IDLE_TIMEOUT_S = 6
SLOW_PIECE_BYTES, SLOW_PIECES, SLOW_PAUSE_S = 32 * 1024, 65, 0.2
SETTING = Setting(limits={"client_idle_timeout_s": CLIENT_IDLE_TIMEOUT_S}, slots=CLIENTS)
SLOW_SETTING = Setting(limits={"client_idle_timeout_s": SLOW_IDLE_TIMEOUT_S}, slots=CLIENTS)


async def flood(asked: Asked) -> None:
    """Stream without end, as fast as it is taken; ends with the connection."""
    await asked.send(STREAM_HEAD)
    for position in range(1, 1_000_000):
        await asked.send(wrap_chunk(build_event(position, EVENT_TEXT)), position)


async def flood_answer(asked: Asked) -> None:
    """Send a JSON answer of 60 MB."""
    text = build_answer(2).replace(b'"tok"', b'"' + b"x" * 60_000_000 + b'"')
    await asked.answer(text, 2)


async def ask(stage: Stage, number: int, *, is_stream: bool) -> RawClient:
    """Ask, and read nothing."""
    client = await RawClient.connect(stage.gateway.address, RECEIVE_BYTES)
    await client.send(build_request(number, is_stream=is_stream))
    return client


def count_produced(stage: Stage) -> int:
    """Return how many bytes the engine got rid of so far."""
    return sum(attempt.bytes for attempts in stage.engine.log.values() for attempt in attempts)


async def test_flood_to_clients_that_do_not_read_is_bounded_and_cut(
    record_property: Callable[[str, object], None],
) -> None:
    async with run_stage(SETTING) as stage:
        await stage.settle()
        known = set(stage.platform.records)
        before_bytes = stage.gateway.read_resident_bytes()
        stage.engine.script = flood
        clients = [await ask(stage, number, is_stream=True) for number in range(CLIENTS)]
        sizes: list[int] = []

        def is_cut() -> bool:
            sizes.append(stage.gateway.read_resident_bytes())
            return len(stage.platform.records) == len(known) + CLIENTS

        await wait_until_async(is_cut, "every client that does not read is cut", CUT_S_MAX)
        grown_bytes = max(sizes) - before_bytes
        record_property("outcome", f"{count_produced(stage)} bytes produced, {grown_bytes} bytes more resident")
        assert grown_bytes < CLIENTS * STREAM_BYTES_MAX
        for record_id in set(stage.platform.records) - known:
            record, produced = stage.platform.records[record_id], stage.engine.count_produced(record_id)
            assert (record["outcome"], record["usage_source"]) == ("client_closed", "engine_running")
            assert 0 < record["quantities"]["output"] <= produced.tokens
            assert record["duration_us"] >= CLIENT_IDLE_TIMEOUT_S * 1_000_000
        for client in clients:
            client.close()
        await stage.check_sound()


async def test_client_that_does_not_read_its_answer_frees_the_engine() -> None:
    async with run_stage(SETTING) as stage:
        await stage.settle()
        stage.engine.script = flood_answer
        client = await ask(stage, 1, is_stream=False)
        known = len(stage.platform.records)
        await wait_until_async(lambda: len(stage.platform.records) > known, "the call has ended", CUT_S_MAX)
        client.close()
        await stage.check_sound()


async def test_client_that_reads_slowly_is_waited_for() -> None:
    async with run_stage(SLOW_SETTING) as stage:
        await stage.settle()
        stage.engine.script = flood
        client = await ask(stage, 1, is_stream=True)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for _ in range(SLOW_PIECES):
            await client.read_exactly(SLOW_PIECE_BYTES)
            await let_time_pass_async(SLOW_PAUSE_S)
        assert loop.time() > began_s + 2 * SLOW_IDLE_TIMEOUT_S
        health = await stage.gateway.read_health()
        assert health["open_calls"] == 1
        client.reset()
        await stage.check_sound()
