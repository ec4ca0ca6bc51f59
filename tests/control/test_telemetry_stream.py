"""Streams of roll-ups without a network: a reader that was away misses nothing that still holds."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from keisan.control.telemetry_stream import RollUpStreams, StreamPiece
from keisan.domain.errors import InvalidInput, Postponed
from keisan.domain.limits import STREAMS_OPEN_MAX
from keisan.domain.roll_up import Level, RollUp
from keisan.telemetry.reading import RollUpQuery
from tests.api.conftest import live, stage, stage_template
from tests.api.live_fleet import LiveStage

__all__ = ["live", "stage", "stage_template"]


def encode(rollup: RollUp) -> bytes:
    return f"{rollup.name} {rollup.sums['power_milliwatts'].total}".encode()  # type: ignore[index]  # a StrEnum


async def test_reader_that_was_away_is_told_the_newest_at_once(live: LiveStage) -> None:
    query = RollUpQuery(Level.REGION)
    async with aclosing(RollUpStreams().follow(live.watch, query, encode)) as pieces:
        first = await anext(pieces)
        assert first is not None
        assert first.is_whole
        for power in (1, 2, 3):
            live.feed(power_milliwatts=power)
            live.tick()
        async with asyncio.timeout(30):
            second = await anext(pieces)
    assert isinstance(second, StreamPiece)
    assert (second.is_whole, second.items) == (False, (b"JP-13 12",))


async def test_nothing_is_told_twice(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.control.telemetry_stream.STREAM_HEARTBEAT_S", 0.02)
    streams = RollUpStreams()
    async with aclosing(streams.follow(live.watch, RollUpQuery(Level.SITE), encode)) as pieces:
        assert await anext(pieces)
        live.tick()
        assert await anext(pieces) is None, "a new second with nothing new"


async def test_end_of_the_process_ends_it(live: LiveStage) -> None:
    async with aclosing(RollUpStreams().follow(live.watch, RollUpQuery(Level.REGION), encode)) as pieces:
        await anext(pieces)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            ending = group.create_task(list_rest(pieces))
            # It waits for the next picture by now.
            await asyncio.sleep(0)
            live.watch.close()
        assert ending.result() == []


async def list_rest(pieces: AsyncGenerator[StreamPiece | None, None]) -> list[StreamPiece | None]:
    return [piece async for piece in pieces]


async def test_level_that_is_too_large_is_refused(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.control.telemetry_stream.STREAM_GROUPS_MAX", 1)
    with pytest.raises(InvalidInput, match="read it as a list"):
        await anext(RollUpStreams().follow(live.watch, RollUpQuery(Level.REGION), encode))


def test_streams_are_counted() -> None:
    streams = RollUpStreams(open_count=STREAMS_OPEN_MAX - 1)
    with streams.enter(), pytest.raises(Postponed), streams.enter():
        raise AssertionError
    assert streams.open_count == STREAMS_OPEN_MAX - 1
