"""The export: batches as the relay gave them, repeated while the collector is away, dropped when it refuses them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from keisan.gateway.trace_export import TRACES_PATH, TraceExport, export_traces
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.retry import Backoff
from tests.deadline import wait_until_async
from tests.gateway.small_platform import RecordingRelay, Reply, Request, SmallPlatform, run_platform


@dataclass
class Exporting:
    export: TraceExport
    relay: RecordingRelay
    collector: SmallPlatform

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.collector.requests]


def accept(request: Request) -> Reply:
    assert (request.method, request.path) == ("POST", "/otlp" + TRACES_PATH)
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    return 200, {}


@pytest.fixture
async def exporting() -> AsyncIterator[Exporting]:
    async with run_platform(accept) as collector, open_async_client(HttpTarget(f"{collector.url}/otlp")) as client:
        relay = RecordingRelay()
        yield Exporting(TraceExport(client, relay, SystemClock(), Backoff(0.01, 1.0, 0.01)), relay, collector)


async def test_batches_are_posted_as_they_were_taken(exporting: Exporting) -> None:
    exporting.relay.spans = [b'{"one":  1}', b'{"two":2}']
    assert [await exporting.export.export_batch() for _ in range(3)] == [True, True, True]
    assert exporting.bodies == [b'{"one":  1}', b'{"two":2}'], "and nothing where nothing waits"


@pytest.mark.parametrize("code", [429, 502, 503, 504])
async def test_batch_that_came_at_a_bad_time_is_tried_again(exporting: Exporting, code: int) -> None:
    exporting.relay.spans = [b"one", b"two"]
    exporting.collector.handler = lambda _: (code, {})
    assert not await exporting.export.export_batch()
    exporting.collector.handler = accept
    assert await exporting.export.export_batch()
    assert exporting.bodies == [b"one", b"one"]
    assert exporting.relay.spans == [b"two"], "one batch is held at a time"


@pytest.mark.parametrize("code", [400, 401, 404, 413, 500])
async def test_batch_that_is_refused_for_good_is_dropped(exporting: Exporting, code: int) -> None:
    exporting.relay.spans = [b"one", b"two"]
    exporting.collector.handler = lambda _: (code, {})
    assert await exporting.export.export_batch()
    exporting.collector.handler = accept
    assert await exporting.export.export_batch()
    assert exporting.bodies == [b"one", b"two"]


async def test_loop_outlives_a_collector_that_is_away(exporting: Exporting) -> None:
    exporting.collector.handler = None
    exporting.relay.spans = [b"one"]
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(exporting.export.run(finish))
        await wait_until_async(lambda: not exporting.relay.spans, "the batch is taken")
        exporting.collector.handler = accept
        await wait_until_async(lambda: exporting.bodies == [b"one"], "the batch is posted")
        finish.set()


async def test_last_spans_are_posted_and_a_dead_collector_holds_nobody_up(exporting: Exporting) -> None:
    finish = asyncio.Event()
    finish.set()
    exporting.relay.spans = [b"last"]
    await exporting.export.run(finish)
    assert exporting.bodies == [b"last"]
    exporting.collector.handler = None
    exporting.relay.spans = [b"lost"]
    await exporting.export.run(finish)


async def test_without_a_collector_nothing_is_taken() -> None:
    relay = RecordingRelay(spans=[b"one"])
    await export_traces(None, relay, SystemClock(), asyncio.Event())
    assert relay.spans == [b"one"]


async def test_collector_gets_what_the_relay_has(exporting: Exporting) -> None:
    exporting.relay.spans = [b"one"]
    finish = asyncio.Event()
    finish.set()
    await export_traces(f"{exporting.collector.url}/otlp", exporting.relay, SystemClock(), finish)
    assert exporting.bodies == [b"one"]
