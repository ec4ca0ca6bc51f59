"""Takes accepted frames into history: a bounded queue, written to the journal by a thread, synced in groups.

A crash of the process loses what came in the last JOURNAL_WRITE_S, a power cut that of JOURNAL_SYNC_S more.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum

from keisan.domain.history import (
    FRAME_EARLY_MS_MAX,
    FRAME_LATE_MS_MAX,
    JOURNAL_QUEUE_BYTES_MAX,
    JOURNAL_SYNC_S,
    JOURNAL_WRITE_S,
    FrameOrigin,
)
from keisan.domain.ids import SiteId
from keisan.domain.sample import FrameHead
from keisan.kit.clock import Clock, to_milliseconds, wait_unless_stopped
from keisan.kit.observe import write_failure
from keisan.storage.base_history import FrameJournal, JournalFrame
from keisan.wire.frame import Numbers, Values


class Taking(StrEnum):
    """What became of a frame that was handed in."""

    TAKEN = "taken"
    QUEUE_FULL = "queue_full"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


@dataclass(slots=True)
class HistoryIntake:
    """Frames on their way to the journal. All but the writing itself happens on the event loop, in microseconds.

    A site may have as much in the queue as is left of it, so that one takes half at the most, two take two thirds, and some
    is left for whoever else comes.
    """

    journal: FrameJournal
    clock: Clock
    counts: dict[Taking, int] = field(default_factory=lambda: dict.fromkeys(Taking, 0))
    # Frames that were taken and could not be written: the disk refused them.
    lost_count: int = 0
    written_bytes: int = 0
    _queue: deque[JournalFrame] = field(default_factory=deque)
    _queued_bytes: int = 0
    _site_bytes: Counter[SiteId] = field(default_factory=Counter)

    @property
    def queued_bytes(self) -> int:
        """Return how much waits to be written."""
        return self._queued_bytes

    def append(self, site_id: SiteId, region: str, head: FrameHead, numbers: Numbers, values: Values) -> Taking:
        """Take an accepted frame, or say why not; the arrays must not be changed afterwards."""
        taking = self._judge(site_id, head, int(numbers.nbytes + values.nbytes))
        self.counts[taking] += 1
        if taking is Taking.TAKEN:
            frame = JournalFrame(FrameOrigin(site_id, region), head, numbers, values)
            self._queue.append(frame)
            self._queued_bytes += frame.size_bytes
            self._site_bytes[site_id] += frame.size_bytes
        return taking

    def _judge(self, site_id: SiteId, head: FrameHead, size_bytes: int) -> Taking:
        age_ms = to_milliseconds(self.clock.now()) - head.sampled_at_ms
        if age_ms > FRAME_LATE_MS_MAX:
            return Taking.TOO_OLD
        if age_ms < -FRAME_EARLY_MS_MAX:
            return Taking.TOO_NEW
        left_bytes = JOURNAL_QUEUE_BYTES_MAX - self._queued_bytes - size_bytes
        return Taking.QUEUE_FULL if self._site_bytes[site_id] > left_bytes else Taking.TAKEN

    async def run(self, stop: asyncio.Event) -> None:
        """Write what comes until `stop` is set, and then what is left."""
        synced_at_s = self.clock.monotonic_s()
        while not stop.is_set():
            await wait_unless_stopped(self.clock, JOURNAL_WRITE_S, stop)
            is_due = self.clock.monotonic_s() - synced_at_s >= JOURNAL_SYNC_S
            await self.flush(is_synced=is_due)
            if is_due:
                synced_at_s = self.clock.monotonic_s()
        await self.flush()

    async def flush(self, *, is_synced: bool = True) -> None:
        """Write what is queued, in a thread; with `is_synced`, it is on the disk afterwards."""
        batch = list(self._queue)
        self._queue.clear()
        try:
            self.written_bytes += await asyncio.to_thread(self.journal.write, batch)
            if is_synced:
                await asyncio.to_thread(self.journal.sync)
        except OSError as fault:
            # Live values do not wait for a full disk; what history lacks shows as coverage.
            self.lost_count += len(batch)
            write_failure("history.not_written", fault, frame_count=len(batch))
        finally:
            self._queued_bytes -= sum(each.size_bytes for each in batch)
            for each in batch:
                self._site_bytes[each.origin.site_id] -= each.size_bytes
            self._site_bytes = +self._site_bytes
