"""The stream over real sockets: all first, then changes; slow and many readers, revoked keys, and the end of the process."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import numpy as np
import pytest

from keisan.api.authentication import find_principal
from keisan.api.context import ApiContext
from keisan.domain.access import Principal
from keisan.domain.errors import StorageUnavailable
from keisan.domain.key import Secret
from keisan.domain.limits import STREAMS_OPEN_MAX
from keisan.storage.base import Storage
from keisan.storage.database import Database
from keisan.wire.telemetry import RollUpUpdate
from tests.api.live_fleet import LiveStage
from tests.deadline import wait_until_async
from tests.telemetry.fleet import build_head, build_inventory, build_values

READERS = 150


@dataclass(frozen=True)
class Event:
    id: int
    name: str
    update: RollUpUpdate


def find_context(live: LiveStage) -> ApiContext:
    app: Any = live.server.config.app
    context = app.user_middleware[0].kwargs["context"]
    assert isinstance(context, ApiContext)
    return context


async def read_events(answer: httpx.Response) -> AsyncGenerator[Event | None, None]:
    """Yield the events of an answer by the letter of the standard, None for a comment."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(": ")
            assert name in {"id", "event", "data"}
            fields[name] = value
        elif fields:
            yield Event(int(fields["id"]), fields["event"], RollUpUpdate.model_validate_json(fields["data"]))
            fields = {}


@asynccontextmanager
async def open_stream(
    live: LiveStage, query: str = "", who: str = "admin"
) -> AsyncIterator[AsyncGenerator[Event | None, None]]:
    async with live.open_client(who) as client, follow(client, query) as events:
        yield events


@asynccontextmanager
async def follow(client: httpx.AsyncClient, query: str = "") -> AsyncIterator[AsyncGenerator[Event | None, None]]:
    async with client.stream("GET", f"/stream{query}") as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with aclosing(read_events(answer)) as events:
            yield events


async def take(events: AsyncGenerator[Event | None, None]) -> Event:
    async with asyncio.timeout(30):
        event = await anext(events)
    assert event is not None
    return event


async def test_all_comes_first_and_then_what_changed(live: LiveStage) -> None:
    async with open_stream(live) as events:
        first = await take(events)
        assert (first.name, first.update.is_whole) == ("whole", True)
        assert {line.name for line in first.update.items} == {"JP-13", "JP-14"}
        async with live.open_client() as client:
            listed = (await client.get("/rollups?level=region")).json()["items"]
        assert json.loads(first.update.model_dump_json())["items"] == listed
        # Nothing is new in this second, so nothing is told of it.
        live.tick()
        live.feed(power_milliwatts=5000)
        live.tick()
        second = await take(events)
        assert (second.name, second.update.is_whole) == ("change", False)
        (line,) = second.update.items
        assert (line.name, line.sums["power_milliwatts"].total) == ("JP-13", 20_000)
        assert second.id > first.id


async def test_stream_ends_after_as_many_events_as_asked(live: LiveStage) -> None:
    async with open_stream(live, "?level=site&events_max=1") as events:
        told = [event async for event in events]
    assert [event.update.is_whole for event in told if event] == [True]
    async with live.open_client() as client:
        assert (await client.get("/stream?level=node")).status_code == 400, "of which site?"
        assert (await client.get(f"/stream?level=node&site_id={live.stage.ids['umi']}")).status_code == 404
        inside = await client.get(f"/stream?level=node&site_id={live.heard.site_id}&events_max=1")
    assert '"node-1"' in inside.text


@pytest.mark.parametrize(
    ("who", "names"),
    [("provider", {"cellar"}), ("other_provider", {"harbour"}), ("auditor", {"cellar", "harbour"})],
)
async def test_everybody_follows_their_own_sites_only(live: LiveStage, who: str, names: set[str]) -> None:
    async with open_stream(live, "?level=site", who) as events:
        assert {line.name for line in (await take(events)).update.items} == names
        live.feed(power_milliwatts=1)
        live.feed(live.silent, power_milliwatts=1)
        live.tick()
        assert {line.name for line in (await take(events)).update.items} == names


@pytest.mark.parametrize(("who", "status"), [("owner", 403), ("site", 403), ("gateway", 403), ("revoked", 401)])
async def test_others_follow_nothing(live: LiveStage, who: str, status: int) -> None:
    async with live.open_client(who) as client:
        assert (await client.get("/stream")).status_code == status


async def test_silence_is_broken_by_comments(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.control.telemetry_stream.STREAM_HEARTBEAT_S", 0.05)
    async with open_stream(live) as events:
        await take(events)
        async with asyncio.timeout(30):
            assert [await anext(events) for _ in range(3)] == [None] * 3


async def test_what_has_gone_is_told_by_telling_all(live: LiveStage) -> None:
    async with open_stream(live, "?level=region") as events:
        await take(events)
        moved = replace(live.silent, region="JP-27")
        live.watch.fleet.take_inventory(moved, build_inventory([0, 0, 1, 1], [0, -1]))
        live.tick()
        event = await take(events)
    assert event.update.is_whole
    assert {line.name for line in event.update.items} == {"JP-13", "JP-27"}


async def test_slow_reader_skips_seconds_and_holds_up_nobody(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is not told is not kept for it: the next that it reads is the newest."""
    # It is not cut off here, however long the quick one takes.
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_SEND_S_MAX", 600)
    nodes = 1000
    inventory = build_inventory([n for n in range(nodes) for _ in range(2)], incarnation="large")
    live.watch.fleet.take_inventory(live.heard, inventory)
    query = f"?level=node&site_id={live.heard.site_id}"
    context = find_context(live)
    with open_deaf(live, query) as slow:
        await wait_until_async(lambda: context.streams.open_count == 1, "the slow one is being answered")
        seconds, told = 40, 0
        async with open_stream(live, query) as events:
            await take(events)
            for second in range(seconds):
                feed_large(live, second)
                live.tick()
                event = await take(events)
                told += 1
                assert len(event.update.items) == nodes
            assert told == seconds, "the quick one misses nothing"
        told_late = await asyncio.to_thread(drain_until, slow, f'"total":{(seconds - 1) * 2},'.encode())
    assert 1 <= told_late.count(b"event: change") < seconds // 2, "most seconds were never written for the slow one"


def open_deaf(live: LiveStage, query: str) -> socket.socket:
    """Ask for a stream and read nothing of it."""
    host, _, port = live.url.removeprefix("http://").partition(":")
    connection = socket.socket()
    connection.settimeout(20)
    # Before it is connected, or the window is larger already.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.connect((host, int(port)))
    request = f"GET /api/v1/telemetry/stream{query} HTTP/1.1\r\nhost: a\r\n"
    request += "".join(f"{name}: {value}\r\n" for name, value in live.headers("admin").items())
    connection.sendall(f"{request}\r\n".encode())
    return connection


def drain_until(connection: socket.socket, wanted: bytes) -> bytes:
    """Return what a connection has until something is in it."""
    drained = bytearray()
    looked = 0
    while drained.find(wanted, looked) < 0:
        looked = max(0, len(drained) - len(wanted))
        piece = connection.recv(1 << 20)
        assert piece, "it ended before"
        drained += piece
    return bytes(drained)


def feed_large(live: LiveStage, second: int) -> None:
    """Let the large site send a frame in which each device says the second."""
    site = live.watch.fleet.sites[live.heard.site_id]
    count = site.columns.inventory.device_count
    now = live.watch.read_moment()
    head = build_head(second, now.wall_ms, incarnation="large")
    site.take(head, np.arange(count, dtype=np.uint32), build_values(count, tokens_per_s=second), now)


async def test_many_readers_are_told_by_one_reading(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = 0
    real = find_context(live).streams.__class__._renew_lane

    def count_lanes(streams: Any, watch: Any, query: Any, encode: Any) -> Any:
        def counted(rollup: Any) -> bytes:
            nonlocal encoded
            encoded += 1
            return bytes(encode(rollup))

        return real(streams, watch, query, counted)

    monkeypatch.setattr("keisan.control.telemetry_stream.RollUpStreams._renew_lane", count_lanes)
    # The first of so many readers may wait long for the last.
    monkeypatch.setattr("keisan.control.telemetry_stream.STREAM_HEARTBEAT_S", 600)
    gate = asyncio.Barrier(READERS + 1)

    async def read(client: httpx.AsyncClient) -> list[int]:
        async with follow(client) as events:
            first = await take(events)
            await gate.wait()
            second = await take(events)
            return [len(first.update.items), len(second.update.items)]

    async with live.open_client() as client, asyncio.TaskGroup() as group:
        readers = [group.create_task(read(client)) for _ in range(READERS)]
        async with asyncio.timeout(60):
            await gate.wait()
        assert find_context(live).streams.open_count == READERS
        live.feed(power_milliwatts=7)
        live.tick()
    assert [reader.result() for reader in readers] == [[2, 1]] * READERS
    assert encoded == 2 * 2, "two regions, in each of two seconds"
    await wait_until_async(lambda: find_context(live).streams.open_count == 0, "all are gone")


async def test_reader_that_goes_is_forgotten(live: LiveStage) -> None:
    context = find_context(live)
    async with open_stream(live) as events:
        await take(events)
        assert context.streams.open_count == 1
    # Nothing is told meanwhile: its going alone is noticed.
    await wait_until_async(lambda: context.streams.open_count == 0, "it is noticed")


async def test_streams_beyond_the_limit_are_refused(live: LiveStage) -> None:
    context = find_context(live)
    context.streams.open_count = STREAMS_OPEN_MAX
    async with live.open_client() as client:
        answer = await client.get("/stream")
    assert (answer.status_code, answer.json()["code"]) == (429, "postponed")
    assert context.streams.open_count == STREAMS_OPEN_MAX
    context.streams.open_count = 0


async def revoke_auditor(live: LiveStage) -> None:
    key = live.stage.keys["auditor"]
    async with live.stage.storage.write() as transaction:
        await transaction.keys.update(replace(key, revoked_at=live.stage.clock.now(), version=key.version + 1))


async def test_revoked_key_ends_its_stream(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_LOOK_S", 0)
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_WAIT_S_MAX", 30)
    async with open_stream(live, who="auditor") as events:
        await take(events)
        live.feed(power_milliwatts=1)
        live.tick()
        assert not (await take(events)).update.is_whole
        await revoke_auditor(live)
        live.feed(power_milliwatts=2)
        live.tick()
        async with asyncio.timeout(30):
            assert [event async for event in events] == []


async def test_late_look_lets_nothing_more_through(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_LOOK_S", 0)
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_WAIT_S_MAX", 30)
    has_seen, is_answered = asyncio.Event(), asyncio.Event()

    async def find_late(storage: Storage, secret: Secret) -> Principal:
        found = await find_principal(storage, secret)
        has_seen.set()
        await is_answered.wait()
        return found

    async with open_stream(live, who="auditor") as events:
        await take(events)
        with monkeypatch.context() as patch:
            patch.setattr("keisan.api.telemetry_stream.STREAM_KEY_WAIT_S_MAX", 0)
            patch.setattr("keisan.api.telemetry_stream.find_principal", find_late)
            live.feed(power_milliwatts=1)
            live.tick()
            await take(events)
            async with asyncio.timeout(30):
                await has_seen.wait()
        await revoke_auditor(live)
        is_answered.set()
        live.feed(power_milliwatts=2)
        live.tick()
        async with asyncio.timeout(30):
            assert [event async for event in events] == []


async def test_database_that_hangs_holds_up_no_stream(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_LOOK_S", 0)

    @asynccontextmanager
    async def hang(_: Database) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async with open_stream(live) as events:
        await take(events)
        with monkeypatch.context() as patch:
            patch.setattr(Database, "read", hang)
            for second in range(5):
                live.feed(power_milliwatts=second)
                live.tick()
                (line,) = (await take(events)).update.items
                assert line.sums["power_milliwatts"].total == 4 * second
            # Nobody reads on for ever with a key that may have been revoked.
            patch.setattr("keisan.api.telemetry_stream.STREAM_KEY_UNSEEN_S_MAX", 0)
            live.feed(power_milliwatts=9)
            live.tick()
            async with asyncio.timeout(30):
                assert [event async for event in events] == []


async def test_database_that_refuses_ends_no_stream(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_LOOK_S", 0)

    def refuse(_: Database) -> None:
        raise StorageUnavailable("away")

    async with open_stream(live) as events:
        await take(events)
        with monkeypatch.context() as patch:
            patch.setattr(Database, "read", refuse)
            for second in range(3):
                live.feed(power_milliwatts=second)
                live.tick()
                assert len((await take(events)).update.items) == 1


async def test_reader_that_reads_nothing_is_cut_off(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_SEND_S_MAX", 0.2)
    live.watch.fleet.take_inventory(live.heard, build_inventory(range(1900), incarnation="large"))
    context = find_context(live)
    with open_deaf(live, f"?level=node&site_id={live.heard.site_id}"):
        await wait_until_async(lambda: context.streams.open_count == 1, "it is being answered")
        second = 0

        def is_gone() -> bool:
            nonlocal second
            second += 1
            feed_large(live, second)
            live.tick()
            return context.streams.open_count == 0

        await wait_until_async(is_gone, "it is cut off")
    assert context.streams.open_count == 0


async def test_end_of_the_process_ends_streams_at_once(live: LiveStage) -> None:
    async with open_stream(live) as events, open_stream(live, "?level=site") as others:
        await take(events)
        await take(others)
        live.stop.set()
        async with asyncio.timeout(30):
            assert [event async for event in events] == []
            assert [event async for event in others] == []
