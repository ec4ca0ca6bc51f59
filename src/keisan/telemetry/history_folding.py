"""Folds windows of the journal into files of samples: those that are on time first, and late ones in turn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from keisan.domain.history import DAY_MS, FRAME_LATE_MS_MAX, Tier, Window, name_day
from keisan.storage.base_history import FrameJournal, JournalFile, SeenFrames
from keisan.telemetry.history_fold import build_blocks, choose_frames
from keisan.telemetry.history_shelf import HistoryShelf
from keisan.telemetry.rule_history import choose_windows, split_windows


@dataclass(slots=True)
class FoldCounts:
    """What was done since the process started."""

    folded_frames: int = 0
    duplicate_frames: int = 0
    folded_rows: int = 0


@dataclass(slots=True)
class WindowFolding:
    """`waiting` are windows that are on time and not folded yet: what they will hold is awaited."""

    shelf: HistoryShelf
    journal: FrameJournal
    seen: SeenFrames
    counts: FoldCounts = field(default_factory=FoldCounts)
    waiting: frozenset[Window] = frozenset()
    _last: Window | None = None

    def close_due(self) -> bool:
        """Close files of windows that are over; raises OSError."""
        self.journal.close_due()
        return False

    def fold_next(self) -> bool:
        """Fold a few windows, and tell whether there may be more; raises OSError."""
        closed = self.journal.list_closed()
        now_ms = self.shelf.now_ms()
        self.waiting, late = split_windows((each.window for each in closed), now_ms)
        for window in choose_windows(self.waiting | late, self._last, now_ms):
            if window in late:
                self._last = window
            self._fold(window, [each for each in closed if each.window == window])
            self.waiting -= {window}
        return bool(closed)

    def forget(self) -> None:
        """Forget which frames were folded long ago: none of them is taken any more. Raises OSError."""
        self.seen.forget(name_day(self.shelf.now_ms() - FRAME_LATE_MS_MAX - DAY_MS))

    def _fold(self, window: Window, files: Sequence[JournalFile]) -> None:
        manifest = self.shelf.find(window.month)
        fresh = [each for each in files if each.path.name not in manifest.folded]
        if fresh:
            places = [place for each in fresh for place in self.journal.list_frames(each)]
            chosen = choose_frames(places, self.seen.find(window))
            with self.shelf.open_files(window.region, [Tier.SAMPLE]) as making:
                for block in self.shelf.watch(build_blocks(chosen)):
                    making.writers[Tier.SAMPLE].add(block)
                added = making.put((window.start_ms, window.end_ms))
            # Names of files that are gone from the journal need not be known any more.
            there = {each.path.name for each in self.journal.list_closed()}
            names = {name for name in manifest.folded if name in there} | {each.path.name for each in fresh}
            self.shelf.replace(manifest, added=added, folded=tuple(sorted(names)))
            self.counts.folded_frames += sum(len(each) for each in chosen.by_inventory.values())
            self.counts.duplicate_frames += chosen.duplicate_count
            self.counts.folded_rows += sum(each.row_count for each in added)
        self.seen.add(window, (place for each in files for place in self.journal.list_frames(each)))
        self.journal.remove(files)
