"""What waiting loops would each ask the database for again and again, asked once for all of them.

A process has a dozen loops and as many gateways that wait for work or news. Belongs to the event loop's thread.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from keisan.control.context import Control
from keisan.domain.lease import WorkNoun
from keisan.domain.snapshot import SnapshotMark

LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Beat:
    """What was seen at one look: where the snapshot stands, and of which nouns work is due that nobody does."""

    mark: SnapshotMark
    due: frozenset[WorkNoun]


class Pulse:
    """One for each process; it looks only when asked, and no more often than every LOOK_EVERY_S."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._lock = asyncio.Lock()
        self._beat: Beat | None = None
        self._looked_at_s = float("-inf")

    async def look(self) -> Beat:
        """Return what was seen within the last LOOK_EVERY_S; raises StorageUnavailable."""
        clock = self._control.clock
        async with self._lock:
            if self._beat is None or clock.monotonic_s() - self._looked_at_s >= LOOK_EVERY_S:
                async with self._control.storage.read() as view:
                    due = await view.outbox.collect_due_nouns(clock.now())
                    self._beat = Beat(await view.snapshot.get_mark(), due)
                self._looked_at_s = clock.monotonic_s()
            return self._beat

    async def is_due(self, nouns: Collection[WorkNoun]) -> bool:
        """Tell whether there is work of any of these nouns; raises StorageUnavailable."""
        return not (await self.look()).due.isdisjoint(nouns)
