"""Chips of the catalogue of a platform."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.chip import ChipDetail, ChipView, ComparisonQuery, ComparisonView
from keisan.wire.page import Page


class AsyncChips:
    """Chips of the catalogue; the same for every key."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[ChipView, None]:
        """Iterate over all, by id."""
        return self._transport.walk(Page[ChipView], "/chips")

    async def get(self, chip_id: str) -> ChipDetail:
        """Return one with all its sources; raises NotFound."""
        return await self._transport.fetch(ChipDetail, f"/chips/{quote(chip_id, safe='')}")

    async def compare(self, query: ComparisonQuery | None = None) -> ComparisonView:
        """Return chips beside another, all beside the H20 unless said otherwise; raises NotFound."""
        asked = (query or ComparisonQuery()).model_dump()
        return await self._transport.fetch(ComparisonView, "/chips/comparison", asked)


class Chips(Blocking[AsyncChips]):
    """Chips of the catalogue; the same for every key."""

    list = iterate(AsyncChips.list)
    get = wait_for(AsyncChips.get)
    compare = wait_for(AsyncChips.compare)
