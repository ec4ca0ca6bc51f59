"""Streams as the settings name them: on the platform's database, or on NATS."""

import asyncio

from keisan.control.context import Control
from keisan.control.stream_carrier import StreamCarrier
from keisan.daemon.settings import StreamSettings
from keisan.domain.ids import PlatformId
from keisan.storage.base import Storage
from keisan.streams.base import Streams
from keisan.streams.sql import SqlStreams


def open_streams(own: StreamSettings, storage: Storage, platform_id: PlatformId) -> Streams:
    """Return the streams that the settings name; nothing is connected yet."""
    if own.nats_url is None:
        return SqlStreams(storage)
    # NATS's client is only loaded where it is used: a laptop's start is quicker without.
    from keisan.streams.nats import NatsStreams

    return NatsStreams(storage, own.nats_url, platform_id)


async def carry_streams(own: StreamSettings, control: Control, stop: asyncio.Event) -> None:
    """Carry what is committed until `stop` is set; on the database there is nothing to do."""
    if own.nats_url is not None:
        await StreamCarrier(control.get_streams(), control.clock).run(stop)
