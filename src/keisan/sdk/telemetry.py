"""The live fleet of a platform: sums of every level, and single devices."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random
from uuid import UUID

from keisan.domain.errors import KeisanError, PlatformUnreachable
from keisan.domain.roll_up import Level
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.event_stream import read_events
from keisan.sdk.transport import Transport
from keisan.wire.supernode import LiveSupernodeList
from keisan.wire.telemetry import (
    FrameCountsList,
    LiveDeviceList,
    LiveDeviceQuery,
    RollUpList,
    RollUpUpdate,
)


class AsyncTelemetry:
    """Live telemetry of the sites within the key's scope; all methods raise PermissionDenied for people of organizations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_rollups(
        self, level: Level = Level.REGION, region: str | None = None, site_id: UUID | None = None
    ) -> RollUpList:
        """Return the sums of a level as of the last second, of one region or site if it is named.

        Levels inside a site need the site: raises InvalidInput without, NotFound for one that tells nothing.
        """
        query = {"level": level, "region": region, "site_id": site_id}
        return await self._transport.fetch(RollUpList, "/telemetry/rollups", query)

    async def list_devices(self, query: LiveDeviceQuery) -> LiveDeviceList:
        """Return devices of a site with their live values; `next_start` of the answer continues the list."""
        return await self._transport.fetch(LiveDeviceList, "/telemetry/devices", query.model_dump(mode="json"))

    async def list_supernodes(self, site_id: UUID) -> LiveSupernodeList:
        """Return what is left of each supernode of a site; raises NotFound for a site that tells nothing."""
        return await self._transport.fetch(LiveSupernodeList, "/telemetry/supernodes", {"site_id": site_id})

    async def stream(
        self, level: Level = Level.REGION, region: str | None = None, site_id: UUID | None = None
    ) -> AsyncGenerator[RollUpUpdate, None]:
        """Iterate over the sums of a level for ever: all of them first, then each second those that changed.

        Once it has begun it outlives the platform: after each cut it asks again until it is answered, and the next update is
        whole. Raises as list_rollups does, also later, for example when the key is revoked.
        """
        query = {"level": level, "region": region, "site_id": site_id}
        random = Random()  # noqa: S311  # spreads those that come again in time, guards nothing
        attempt, has_begun = 0, False
        while True:
            try:
                async with aclosing(read_events(self._transport, "/telemetry/stream", query)) as events:
                    async for data in events:
                        update = _read_update(data)
                        attempt, has_begun = 0, True
                        yield update
            except KeisanError as fault:
                if not fault.is_retryable or not has_begun:
                    raise
            attempt += 1
            await self._transport.clock.sleep(self._transport.backoff.compute_wait_s(attempt, random))

    async def list_frames(self) -> FrameCountsList:
        """Return what became of each site's frames since the platform's process began."""
        return await self._transport.fetch(FrameCountsList, "/telemetry/frames")


def _read_update(data: str) -> RollUpUpdate:
    try:
        return RollUpUpdate.model_validate_json(data)
    except ValueError as fault:
        raise PlatformUnreachable("what answers is no platform of this release", str(fault)) from fault


class Telemetry(Blocking[AsyncTelemetry]):
    """Live telemetry of the sites within the key's scope."""

    list_rollups = wait_for(AsyncTelemetry.list_rollups)
    list_devices = wait_for(AsyncTelemetry.list_devices)
    list_supernodes = wait_for(AsyncTelemetry.list_supernodes)
    stream = iterate(AsyncTelemetry.stream)
    list_frames = wait_for(AsyncTelemetry.list_frames)
