"""Looks at what other platforms said and at what this one serves: tells its own offers, and lets gateways have news of the others.

The look is repeated rather than written with each change: a platform falls silent without anybody writing.
"""

import asyncio
from collections.abc import Collection
from uuid import UUID

from keisan.control.context import Control
from keisan.control.key_book import BOOK_KINDS
from keisan.control.link_place import load_neighbourhood
from keisan.control.platform_offer import draw_own_offers, list_told_offers, tell_offers
from keisan.control.snapshot_platforms import judge_link, load_platform_tables
from keisan.control.snapshot_tables import PlatformTables
from keisan.domain.access import PlatformScope
from keisan.domain.errors import KeisanError
from keisan.domain.letter import LetterKind
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.clock import wait_unless_stopped
from keisan.kit.observe import write_warning
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
LOOK_S = 1.0
# The one row that stands for all that is told of other platforms.
PLATFORMS_ID = UUID("018f0000-0000-7000-8000-000000000070")
SHOWN_KINDS = frozenset({*BOOK_KINDS, LetterKind.OFFER})


class PlatformWatch:
    """One for each process. It keeps nothing that matters: after a restart it looks at everything again.

    `wanted` are the names of the models that are offered, None for all that have a price.
    """

    def __init__(self, control: Control, wanted: Collection[str] | None = None) -> None:
        self._control = control
        self._wanted = wanted
        self._change = 0
        self._seen: object = None
        self._tables: PlatformTables | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until `stop` is set."""
        while not stop.is_set():
            try:
                await self.look()
            except KeisanError as fault:
                write_warning("platforms.not_seen", code=fault.code, fault=str(fault)[:500])
            await wait_unless_stopped(self._control.clock, LOOK_S, stop)

    async def look(self) -> None:
        """Look once; raises StorageUnavailable, and then all is looked at again the next time."""
        async with self._control.storage.read() as view:
            seen, change = await self._see(view)
            if seen == self._seen:
                return
            tables = await load_platform_tables(view, self._control)
            drawn = await draw_own_offers(view, self._control, self._wanted)
            told = {name: letter.body for name, letter in (await list_told_offers(view, self._control)).items()}
        if drawn != told:
            async with self._control.storage.write() as transaction:
                await tell_offers(transaction, self._control, self._wanted)
        # What gateways had before this process began, they compare by its digest.
        if self._tables is not None and tables != self._tables:
            async with self._control.storage.write() as transaction:
                await transaction.snapshot.touch(SnapshotTable.PLATFORMS, [PLATFORMS_ID])
        self._seen, self._change, self._tables = seen, change, tables

    async def _see(self, view: Transaction) -> tuple[object, int]:
        """Return what tells whether anything has changed, and the last change of a register that is looked at."""
        mark = await view.snapshot.get_mark()
        places = await view.registers.list_places(EVERYTHING, self._change)
        shown = [each.change for each in places if each.line.key.kind in SHOWN_KINDS]
        links, now = (await load_neighbourhood(view)).links, self._control.clock.now()
        tickets = await view.platform_tickets.list_in_force(EVERYTHING)
        change = max(shown, default=self._change)
        seen = (
            mark.version,
            change,
            tuple((link.id, link.version, judge_link(link, now)) for link in links),
            tuple((ticket.id, ticket.number) for ticket in tickets),
        )
        return seen, change
