"""Keeps history: every kind of work has its turn, one piece of it at a time, and room is made first of all.

Each in a thread. What the disk refuses of one kind holds up no other.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keisan.domain.errors import StorageUnavailable
from keisan.domain.history import KEEP_LOOK_S, HistoryTerms, InventoryNote, Manifest, Month
from keisan.kit.clock import Clock, wait_unless_stopped
from keisan.kit.observe import write_failure
from keisan.storage.base_history import FrameJournal, HistoryStore, SeenFrames
from keisan.telemetry.history_folding import FoldCounts, WindowFolding
from keisan.telemetry.history_inventories import InventoryKeeping
from keisan.telemetry.history_rolling import FileRolling
from keisan.telemetry.history_room import DiskRoom, Drop
from keisan.telemetry.history_shelf import EndingError, HistoryShelf
from keisan.wire.inventory import Inventory

LONG_AGO_S = float("-inf")


@dataclass(slots=True)
class KeeperStep:
    """One kind of work. `act` does a bounded piece of it, and tells whether there may be more."""

    name: str
    act: Callable[[], bool]
    rests_until_s: float = LONG_AGO_S


class HistoryKeeper:
    """The only writer of its store and the only reader of its journal."""

    def __init__(
        self, store: HistoryStore, journal: FrameJournal, seen: SeenFrames, clock: Clock, terms: HistoryTerms
    ) -> None:
        self.clock = clock
        self.shelf = HistoryShelf(store, clock)
        self.inventories = InventoryKeeping(store)
        self.folding = WindowFolding(self.shelf, journal, seen)
        self.rolling = FileRolling(self.shelf, self.folding)
        self.room = DiskRoom(self.shelf, terms, lambda: journal.count_bytes() + self.inventories.count_bytes())
        self.steps = (
            KeeperStep("remove", self.shelf.remove_leftovers),
            KeeperStep("make room", self.room.make_room),
            KeeperStep("close", self.folding.close_due),
            KeeperStep("keep inventories", self.inventories.put_next),
            KeeperStep("fold", self.folding.fold_next),
            KeeperStep("roll up", self.rolling.roll_next),
            KeeperStep("merge", self.rolling.merge_next),
            KeeperStep("expire", self.room.drop_expired),
            KeeperStep("sweep", self._sweep),
        )
        self._is_loaded = False

    @property
    def store(self) -> HistoryStore:
        """Return where the files are."""
        return self.shelf.store

    @property
    def manifests(self) -> Mapping[Month, Manifest]:
        """Return what is listed, by month."""
        return self.shelf.manifests

    @property
    def notes(self) -> Mapping[tuple[str, str], InventoryNote]:
        """Return what is told of kept inventories, by site and incarnation."""
        return self.inventories.notes

    @property
    def terms(self) -> HistoryTerms:
        """Return for how long what is kept."""
        return self.room.terms

    @property
    def counts(self) -> FoldCounts:
        """Return what was folded since the process started."""
        return self.folding.counts

    @property
    def drops(self) -> deque[Drop]:
        """Return what was dropped and not yet told."""
        return self.room.drops

    async def run(self, stop: asyncio.Event) -> None:
        """Keep history until `stop` is set; what the disk refuses is tried again."""
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(self._end_with(stop))
            while not stop.is_set():
                try:
                    has_more = await asyncio.to_thread(self.work)
                except EndingError:
                    break
                except (OSError, StorageUnavailable) as fault:
                    write_failure("history.not_kept", fault)
                    has_more = False
                if not has_more:
                    await wait_unless_stopped(self.clock, KEEP_LOOK_S, stop)
            ending.cancel()

    async def _end_with(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.shelf.is_ending = True

    def work(self) -> bool:
        """Let every kind of work have its turn, and tell whether there may be more; raises OSError if nothing can be read."""
        self.load()
        # All of them, also after one that has more.
        return sum(self._take_turn(step) for step in self.steps) > 0

    def _take_turn(self, step: KeeperStep) -> bool:
        if self.clock.monotonic_s() < step.rests_until_s:
            return False
        try:
            return step.act()
        except (OSError, StorageUnavailable) as fault:
            write_failure("history.not_kept", fault, step=step.name)
            step.rests_until_s = self.clock.monotonic_s() + KEEP_LOOK_S
            return False

    def load(self) -> None:
        """Read the manifests, once; raises OSError."""
        if not self._is_loaded:
            self.inventories.load()
            self.shelf.load()
            self._is_loaded = True

    def expect_inventory(self, note: InventoryNote, inventory: Inventory) -> None:
        """Have an inventory kept beside the files."""
        self.inventories.expect(note, inventory)

    def _sweep(self) -> bool:
        if self.shelf.sweep():
            self.folding.forget()
        return False
