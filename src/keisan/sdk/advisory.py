"""Advisories of the catalogue of a platform."""

from collections.abc import AsyncGenerator

from keisan.sdk.blocking import Blocking, iterate
from keisan.sdk.transport import Transport
from keisan.wire.advisory import AdvisoryView
from keisan.wire.page import Page


class AsyncAdvisories:
    """Advisories against the use of chips; the same for every key."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[AdvisoryView, None]:
        """Iterate over all, by id."""
        return self._transport.walk(Page[AdvisoryView], "/advisories")


class Advisories(Blocking[AsyncAdvisories]):
    """Advisories against the use of chips; the same for every key."""

    list = iterate(AsyncAdvisories.list)
