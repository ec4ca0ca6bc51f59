"""Makers of the catalogue of a platform."""

from collections.abc import AsyncGenerator

from keisan.sdk.blocking import Blocking, iterate
from keisan.sdk.transport import Transport
from keisan.wire.maker import MakerView
from keisan.wire.page import Page


class AsyncMakers:
    """Makers of chips, cabinets, models and services; the same for every key."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[MakerView, None]:
        """Iterate over all, by id."""
        return self._transport.walk(Page[MakerView], "/makers")


class Makers(Blocking[AsyncMakers]):
    """Makers of chips, cabinets, models and services; the same for every key."""

    list = iterate(AsyncMakers.list)
