"""Makes room: drops what is past its tier's time, and what passes the disk budget, the finest tier first."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from keisan.domain.history import HistoryTerms, Tier
from keisan.kit.observe import write_log, write_warning
from keisan.telemetry.history_shelf import HistoryShelf
from keisan.telemetry.rule_history import choose_expired, plan_room


@dataclass(frozen=True, slots=True)
class Drop:
    """What was dropped to keep within the disk budget: of one tier, all from the oldest to before `until_ms`.

    `excess_bytes` is by how much the budget is passed all the same: nothing else may be dropped.
    """

    tier: Tier | None
    file_count: int
    size_bytes: int
    until_ms: int
    excess_bytes: int


@dataclass(slots=True)
class DiskRoom:
    """`count_other_bytes` is what there is beside listed files and cannot be dropped: the journal, and inventories."""

    shelf: HistoryShelf
    terms: HistoryTerms
    count_other_bytes: Callable[[], int]
    drops: deque[Drop] = field(default_factory=lambda: deque(maxlen=1000))
    _is_over: bool = False

    def drop_expired(self) -> bool:
        """Drop what is past its tier's time; raises OSError."""
        for manifest in list(self.shelf.manifests.values()):
            expired = choose_expired(manifest.files, self.terms, self.shelf.now_ms())
            if expired:
                write_log("history.expired", region=manifest.month.region, file_count=len(expired))
                self.shelf.replace(manifest, removed=expired)
        return False

    def make_room(self) -> bool:
        """Drop what passes the disk budget; raises OSError."""
        plan = plan_room(self.shelf.list_files(), self.count_other_bytes(), self.terms.disk_bytes_max)
        for month, group in groupby(sorted(plan.dropped, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            self.shelf.replace(self.shelf.manifests[month], removed=[each for _, each in group])
        for tier in Tier:
            files = [each for _, each in plan.dropped if each.tier is tier]
            if files:
                size_bytes, until_ms = sum(each.size_bytes for each in files), max(each.until_ms for each in files)
                self._note_drop(Drop(tier, len(files), size_bytes, until_ms, plan.excess_bytes))
        # Told once, until it is within its budget again.
        if plan.excess_bytes and not plan.dropped and not self._is_over:
            self._note_drop(Drop(None, 0, 0, 0, plan.excess_bytes))
        self._is_over = plan.excess_bytes > 0
        return False

    def _note_drop(self, drop: Drop) -> None:
        self.drops.append(drop)
        write_warning(
            "history.dropped" if drop.tier else "history.over_budget",
            tier=drop.tier,
            file_count=drop.file_count,
            size_bytes=drop.size_bytes,
            excess_bytes=drop.excess_bytes,
        )
