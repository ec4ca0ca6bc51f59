"""Live telemetry through the client."""

import asyncio
import socket
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from random import Random

import httpx
import pytest

from keisan.control.pulse import Pulse
from keisan.daemon.listener import bind_listener
from keisan.daemon.platform import FleetParts, build_server
from keisan.daemon.settings import PlatformSettings
from keisan.daemon.settings_address import Address
from keisan.domain.errors import InvalidInput, PermissionDenied, PlatformUnreachable, SettingsInvalid, Unauthenticated
from keisan.domain.roll_up import Level
from keisan.kit.clock import SystemClock
from keisan.kit.retry import Backoff
from keisan.sdk import AsyncKeisan
from keisan.sdk.client import Connections
from keisan.sdk.telemetry import AsyncTelemetry
from keisan.sdk.transport import Transport
from keisan.wire.telemetry import LiveDeviceQuery
from tests.api.conftest import live
from tests.api.live_fleet import LiveStage, open_live
from tests.api.stage import Stage
from tests.deadline import wait_until_async
from tests.ports import find_free_port
from tests.sdk.platform import connect, script_transport
from tests.telemetry.fleet import build_frame_body, build_inventory_body

__all__ = ["live"]


async def test_sums_devices_and_frames(stage: Stage, admin: AsyncKeisan) -> None:
    await stage.ask("site", "POST", "/site/inventory", build_inventory_body())
    await stage.ask("site", "POST", "/site/frame", build_frame_body())
    stage.fleet.fleet.roll_up(stage.fleet.read_moment())
    [region] = (await admin.telemetry.list_rollups()).items
    assert (region.level, region.counts["ok"]) == (Level.REGION, 4)
    nodes = await admin.telemetry.list_rollups(Level.NODE, site_id=stage.site.id)
    assert [node.counts["devices"] for node in nodes.items] == [2, 2]
    devices = await admin.telemetry.list_devices(LiveDeviceQuery(site_id=stage.site.id, node="node-1"))
    assert [device.number for device in devices.items] == [2, 3]
    assert (await admin.telemetry.list_frames()).items[0].outcomes["live"] == 1


async def test_what_is_refused_is_an_error_of_the_tree(stage: Stage, admin: AsyncKeisan) -> None:
    with pytest.raises(InvalidInput):
        await admin.telemetry.list_rollups(Level.NODE)
    async with AsyncKeisan.over(Connections(connect(stage, "developer"))) as developer:
        with pytest.raises(PermissionDenied):
            await developer.telemetry.list_rollups()


@dataclass(frozen=True, slots=True)
class NotedBackoff(Backoff):
    """Waits for hundredths of a second, and notes each time it is asked how long."""

    attempts: list[int] = field(default_factory=list)

    def compute_wait_s(self, attempt: int, random: Random) -> float:
        self.attempts.append(attempt)
        return 0.02


async def open_client(live: LiveStage, who: str = "admin", backoff: Backoff | None = None) -> AsyncKeisan:
    client = AsyncKeisan(live.url, live.stage.secrets[who])
    quick = Transport(client.telemetry._transport.http, SystemClock(), backoff or NotedBackoff())
    client.telemetry._transport = quick
    return client


def has_bound(port: int, listeners: list[socket.socket]) -> bool:
    """Bind the port if it is free: the connection that tried it last may still hold it."""
    try:
        listeners.append(bind_listener(Address("127.0.0.1", port)))
    except SettingsInvalid:
        return False
    return True


async def test_stream_outlives_the_platform(stage: Stage) -> None:
    """The server goes and comes again: the client asks until it is answered, and is told all anew."""
    # One that no connection is given while nobody listens there.
    port = find_free_port()
    async with open_live(stage, port) as live:
        await follow_over_a_restart(live, port)


async def follow_over_a_restart(live: LiveStage, port: int) -> None:
    backoff = NotedBackoff()
    async with await open_client(live, backoff=backoff) as keisan, aclosing(keisan.telemetry.stream()) as updates:
        first = await anext(updates)
        assert (first.is_whole, {line.name for line in first.items}) == (True, {"JP-13", "JP-14"})
        live.feed(power_milliwatts=3)
        live.tick()
        change = await anext(updates)
        assert (change.is_whole, [line.name for line in change.items]) == (False, ["JP-13"])
        live.stop.set()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(anext(updates))
            await wait_until_async(lambda: bool(backoff.attempts) and backoff.attempts[-1] > 3, "nobody answers")
            live.watch.is_closing = False
            stop = asyncio.Event()
            parts = FleetParts(live.watch, live.stage.history, live.stage.development, Pulse(live.stage.control))
            server = build_server(PlatformSettings(), parts, lambda _: None)
            listeners: list[socket.socket] = []
            await wait_until_async(lambda: has_bound(port, listeners), "the port is free again")
            group.create_task(server.answer(listeners[0], stop))
            async with asyncio.timeout(20):
                again = await waiting
            stop.set()
        assert (again.is_whole, len(again.items)) == (True, 2)


async def test_stream_that_never_began_is_an_error(live: LiveStage) -> None:
    async with AsyncKeisan("http://127.0.0.1:9", "sk-x") as nowhere:
        with pytest.raises(PlatformUnreachable):
            await anext(nowhere.telemetry.stream())
    async with await open_client(live, "developer") as developer:
        with pytest.raises(PermissionDenied):
            await anext(developer.telemetry.stream())
    async with await open_client(live) as keisan:
        with pytest.raises(InvalidInput):
            await anext(keisan.telemetry.stream(Level.NODE))


async def test_revoked_key_ends_the_stream_with_an_error(live: LiveStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_LOOK_S", 0)
    monkeypatch.setattr("keisan.api.telemetry_stream.STREAM_KEY_WAIT_S_MAX", 30)
    async with await open_client(live, "auditor") as keisan, aclosing(keisan.telemetry.stream()) as updates:
        await anext(updates)
        key = live.stage.keys["auditor"]
        async with live.stage.storage.write() as transaction:
            await transaction.keys.update(replace(key, revoked_at=live.stage.clock.now(), version=key.version + 1))
        live.feed(power_milliwatts=2)
        live.tick()
        with pytest.raises(Unauthenticated):
            await anext(updates)


async def test_other_than_a_platform_is_told(stage: Stage) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="data: <html>\n\n")

    with pytest.raises(PlatformUnreachable, match="no platform"):
        await anext(AsyncTelemetry(script_transport(answer)).stream())
