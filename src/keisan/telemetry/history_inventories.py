"""Keeps inventories beside history's files: one each turn, sites in turn, and of one site no more than its share."""

import threading
from dataclasses import dataclass, field

from keisan.domain.history import INVENTORIES_WAITING_SITE_MAX, InventoryNote
from keisan.kit.observe import write_warning
from keisan.storage.base_history import HistoryStore
from keisan.telemetry.rule_history import choose_forgotten, choose_turns
from keisan.wire.inventory import Inventory

Waiting = tuple[InventoryNote, Inventory]


@dataclass(slots=True)
class InventoryKeeping:
    """`notes` are of what is kept, by site and incarnation; replaced, never changed."""

    store: HistoryStore
    notes: dict[tuple[str, str], InventoryNote] = field(default_factory=dict)
    # What found no room to wait, and what went for newer ones of its site.
    passed_over_count: int = 0
    forgotten_count: int = 0
    # By site, then by incarnation, the oldest first: written by the event loop, read by the keeper's thread.
    _expected: dict[str, dict[str, Waiting]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _last: str | None = None

    @property
    def waiting_count(self) -> int:
        """Return how many wait to be kept."""
        with self._turn:
            return sum(map(len, self._expected.values()))

    def load(self) -> None:
        """Read what is kept; raises OSError."""
        self.notes = {(each.site, each.incarnation): each for each in self.store.list_notes()}

    def count_bytes(self) -> int:
        """Return what is kept takes."""
        return sum(each.size_bytes for each in self.notes.values())

    def expect(self, note: InventoryNote, inventory: Inventory) -> None:
        """Have an inventory kept; of one incarnation the newest, of one site the newest few."""
        with self._turn:
            own = self._expected.setdefault(note.site, {})
            own.pop(note.incarnation, None)
            own[note.incarnation] = (note, inventory)
            if len(own) > INVENTORIES_WAITING_SITE_MAX:
                del own[next(iter(own))]
                self.passed_over_count += 1

    def put_next(self) -> bool:
        """Keep one inventory, and tell whether there may be more; raises OSError."""
        with self._turn:
            turns = choose_turns(self._expected, self._last)
            if not turns:
                return False
            (site,) = turns
            note, inventory = next(iter(self._expected[site].values()))
        # Also if the disk refuses it: then others have their turn.
        self._last = site
        known = self.notes.get((site, note.incarnation))
        if known is None or known.version < note.version or known.region != note.region:
            kept = self.store.put_inventory(note, inventory)
            self.notes = self.notes | {(site, note.incarnation): kept}
            self._forget(site)
        self._settle(note, inventory)
        return True

    def _settle(self, note: InventoryNote, inventory: Inventory) -> None:
        with self._turn:
            own = self._expected.get(note.site, {})
            # Unless a newer one came meanwhile, or it had to go.
            if own.get(note.incarnation) == (note, inventory):
                del own[note.incarnation]
            if not own:
                self._expected.pop(note.site, None)

    def _forget(self, site: str) -> None:
        gone = choose_forgotten(each for each in self.notes.values() if each.site == site)
        if gone:
            self.store.remove_inventories(gone)
            names = {(each.site, each.incarnation) for each in gone}
            self.notes = {key: each for key, each in self.notes.items() if key not in names}
            self.forgotten_count += len(gone)
            write_warning("history.inventories_forgotten", site=site, count=len(gone))
