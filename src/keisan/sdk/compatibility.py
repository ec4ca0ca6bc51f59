"""Compatibility records of the catalogue of a platform."""

from collections.abc import AsyncGenerator

from keisan.sdk.blocking import Blocking, iterate
from keisan.sdk.transport import Transport
from keisan.wire.compatibility import CompatibilityView
from keisan.wire.page import Page


class AsyncCompatibility:
    """What engines serve which models on which chips; the same for every key."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, chip_id: str | None = None) -> AsyncGenerator[CompatibilityView, None]:
        """Iterate over the records of one chip, or of all."""
        return self._transport.walk(Page[CompatibilityView], "/compatibility", {"chip_id": chip_id})


class Compatibility(Blocking[AsyncCompatibility]):
    """What engines serve which models on which chips; the same for every key."""

    list = iterate(AsyncCompatibility.list)
