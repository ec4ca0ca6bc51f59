"""Keeps history: folds windows of the journal into files, rolls them up, merges, and drops what is past its terms.

One piece of work at a time, each in a thread. A file is put in its place first, then listed by the manifest that replaces the
old one, and only then does what it was making of go: a crash at any point leaves each row in the answer once.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby

from keisan.domain.errors import StorageUnavailable
from keisan.domain.history import (
    DAY_MS,
    FILE_KEPT_S,
    FRAME_LATE_MS_MAX,
    KEEP_LOOK_S,
    LEFTOVER_KEPT_S,
    SWEEP_INTERVAL_S,
    HistoryFile,
    HistoryTerms,
    InventoryNote,
    Manifest,
    Month,
    Tier,
    Window,
    name_day,
)
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_failure, write_log, write_warning
from keisan.storage.base_history import Block, BlockWriter, FrameJournal, HistoryStore, JournalFile, SeenFrames
from keisan.telemetry.history_fold import build_blocks, choose_frames, merge_tier, roll_hours, roll_samples
from keisan.telemetry.rule_history import choose_expired, choose_merge, choose_roll, plan_room
from keisan.wire.inventory import Inventory

Span = tuple[int, int]


class EndingError(Exception):
    """The process is to end, so the work under way is left."""


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
class KeeperCounts:
    """What was done since the process started."""

    folded_frames: int = 0
    duplicate_frames: int = 0
    folded_rows: int = 0


@dataclass(slots=True)
class HistoryKeeper:
    """The only writer of its store. `manifests` are replaced, never changed: whoever reads one has a list that holds."""

    store: HistoryStore
    journal: FrameJournal
    seen: SeenFrames
    clock: Clock
    terms: HistoryTerms = field(default_factory=HistoryTerms)
    manifests: dict[Month, Manifest] = field(default_factory=dict)
    # Of each site and incarnation.
    notes: dict[tuple[str, str], InventoryNote] = field(default_factory=dict)
    counts: KeeperCounts = field(default_factory=KeeperCounts)
    drops: deque[Drop] = field(default_factory=lambda: deque(maxlen=1000))
    # Set when the process is to end: what is under way is left, and done again by the next one.
    is_ending: bool = False
    _expected: dict[tuple[str, str], tuple[InventoryNote, Inventory]] = field(default_factory=dict)
    _is_loaded: bool = False
    _is_over: bool = False
    _leftovers: deque[tuple[float, list[str]]] = field(default_factory=deque)
    _swept_at_s: float | None = None

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
                    await self.clock.sleep(KEEP_LOOK_S)
            ending.cancel()

    async def _end_with(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.is_ending = True

    def work(self) -> bool:
        """Do one piece of work, and tell whether there may be more; raises OSError."""
        self.load()
        self._remove_leftovers()
        self.journal.close_due()
        return (
            self._put_next()
            or self._fold_next()
            or self._roll_next()
            or self._merge_next()
            or self._drop_expired()
            or self._end_round()
        )

    def load(self) -> None:
        """Read the manifests, once; raises OSError."""
        if not self._is_loaded:
            found = {(each.site, each.incarnation): each for each in self.store.list_notes()}
            self.notes = found
            self.manifests = {each.month: each for each in self.store.list_manifests()}
            self._is_loaded = True

    def expect_inventory(self, note: InventoryNote, inventory: Inventory) -> None:
        """Have an inventory kept beside the files with the next work; of one incarnation the newest."""
        self._expected[note.site, note.incarnation] = (note, inventory)

    def _put_next(self) -> bool:
        if not self._expected:
            return False
        key, (note, inventory) = next(iter(self._expected.items()))
        known = self.notes.get(key)
        if known is None or known.version < note.version or known.region != note.region:
            self.store.put_inventory(note, inventory)
            self.notes = self.notes | {key: note}
        # Unless a newer one came meanwhile.
        if self._expected.get(key) == (note, inventory):
            del self._expected[key]
        return True

    def _end_round(self) -> bool:
        self._make_room()
        self._sweep()
        return False

    def _now_ms(self) -> int:
        return to_milliseconds(self.clock.now())

    # Folding

    def _fold_next(self) -> bool:
        closed = self.journal.list_closed()
        if not closed:
            return False
        window = closed[0].window
        self._fold(window, [each for each in closed if each.window == window])
        return True

    def _fold(self, window: Window, files: Sequence[JournalFile]) -> None:
        manifest = self._find(window.month)
        fresh = [each for each in files if each.path.name not in manifest.folded]
        if fresh:
            places = [place for each in fresh for place in self.journal.list_frames(each)]
            chosen = choose_frames(places, self.seen.find(window))
            with self._open_files(window.region, [Tier.SAMPLE]) as making:
                for block in self._watch(build_blocks(chosen)):
                    making.writers[Tier.SAMPLE].add(block)
                added = making.put((window.start_ms, window.end_ms))
            # Names of files that are gone from the journal need not be known any more.
            there = {each.path.name for each in self.journal.list_closed()}
            names = {name for name in manifest.folded if name in there} | {each.path.name for each in fresh}
            self._replace(manifest, added=added, folded=tuple(sorted(names)))
            self.counts.folded_frames += sum(len(each) for each in chosen.by_inventory.values())
            self.counts.duplicate_frames += chosen.duplicate_count
            self.counts.folded_rows += sum(each.row_count for each in added)
        self.seen.add(window, (place for each in files for place in self.journal.list_frames(each)))
        self.journal.remove(files)

    # Rolling up and merging

    def _roll_next(self) -> bool:
        for manifest in list(self.manifests.values()):
            chosen = choose_roll(manifest.files, self._now_ms())
            if chosen:
                self._roll(manifest, chosen)
                return True
        return False

    def _roll(self, manifest: Manifest, files: Sequence[HistoryFile]) -> None:
        tier, span = files[0].tier, _find_span(files)
        tiers = [Tier.HOUR, Tier.DAY]
        if tier is Tier.SAMPLE:
            tiers = [Tier.SAMPLE, Tier.MINUTE, Tier.HOUR, Tier.SITE_HOUR]
        with self._open_files(manifest.month.region, tiers) as making:
            sinks = {each: making.writers[each].add for each in tiers}
            (roll_samples if tier is Tier.SAMPLE else roll_hours)(self._read(files), sinks)
            # Hours go into days later; all else is at its end.
            added = making.put(span, rolled=[each for each in tiers if each is not Tier.HOUR or tier is Tier.HOUR])
        self._replace(manifest, added=added, removed=files)

    def _merge_next(self) -> bool:
        for manifest in list(self.manifests.values()):
            chosen = choose_merge(manifest.files, self._now_ms())
            if chosen:
                tier, span = chosen[0].tier, _find_span(chosen)
                with self._open_files(manifest.month.region, [tier]) as making:
                    merge_tier(tier, self._read(chosen), making.writers[tier].add)
                    added = making.put(span, rolled=[tier])
                self._replace(manifest, added=added, removed=chosen)
                return True
        return False

    # Dropping

    def _drop_expired(self) -> bool:
        for manifest in list(self.manifests.values()):
            expired = choose_expired(manifest.files, self.terms, self._now_ms())
            if expired:
                write_log("history.expired", region=manifest.month.region, file_count=len(expired))
                self._replace(manifest, removed=expired)
                return True
        return False

    def _make_room(self) -> None:
        listed = ((month, each) for month, manifest in self.manifests.items() for each in manifest.files)
        plan = plan_room(listed, self.journal.count_bytes(), self.terms.disk_bytes_max)
        for month, group in groupby(sorted(plan.dropped, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
            self._replace(self.manifests[month], removed=[each for _, each in group])
        for tier in Tier:
            files = [each for _, each in plan.dropped if each.tier is tier]
            if files:
                size_bytes, until_ms = sum(each.size_bytes for each in files), max(each.until_ms for each in files)
                self._note_drop(Drop(tier, len(files), size_bytes, until_ms, plan.excess_bytes))
        # Told once, until it is within its budget again.
        if plan.excess_bytes and not plan.dropped and not self._is_over:
            self._note_drop(Drop(None, 0, 0, 0, plan.excess_bytes))
        self._is_over = plan.excess_bytes > 0

    def _note_drop(self, drop: Drop) -> None:
        self.drops.append(drop)
        write_warning(
            "history.dropped" if drop.tier else "history.over_budget",
            tier=drop.tier,
            file_count=drop.file_count,
            size_bytes=drop.size_bytes,
            excess_bytes=drop.excess_bytes,
        )

    def _remove_leftovers(self) -> None:
        while self._leftovers and self._leftovers[0][0] <= self.clock.monotonic_s():
            self.store.remove(self._leftovers[0][1])
            self._leftovers.popleft()

    def _sweep(self) -> None:
        now_s = self.clock.monotonic_s()
        if self._swept_at_s is not None and now_s - self._swept_at_s < SWEEP_INTERVAL_S:
            return
        self._swept_at_s = now_s
        kept = [each.name for manifest in self.manifests.values() for each in manifest.files]
        kept += [name for _, names in self._leftovers for name in names]
        count = self.store.sweep(kept, self.clock.now() - timedelta(seconds=LEFTOVER_KEPT_S))
        self.seen.forget(name_day(self._now_ms() - FRAME_LATE_MS_MAX - DAY_MS))
        if count:
            write_log("history.swept", file_count=count)

    # Manifests and files

    def _find(self, month: Month) -> Manifest:
        return self.manifests.get(month) or Manifest(month)

    def _replace(
        self,
        manifest: Manifest,
        *,
        added: Iterable[HistoryFile] = (),
        removed: Sequence[HistoryFile] = (),
        folded: tuple[str, ...] | None = None,
    ) -> None:
        gone = {each.name for each in removed}
        kept = [each for each in manifest.files if each.name not in gone]
        following = replace(
            manifest,
            version=manifest.version + 1,
            files=(*kept, *added),
            folded=manifest.folded if folded is None else folded,
        )
        self.store.put_manifest(following)
        self.manifests[manifest.month] = following
        if gone:
            self._leftovers.append((self.clock.monotonic_s() + FILE_KEPT_S, sorted(gone)))

    def _read(self, files: Sequence[HistoryFile]) -> list[Iterator[Block]]:
        return [self._watch(self.store.read_blocks(each)) for each in files]

    def _watch(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            if self.is_ending:
                raise EndingError
            yield block

    @contextmanager
    def _open_files(self, region: str, tiers: Sequence[Tier]) -> "Iterator[_Making]":
        making = _Making(self.store, region, self._now_ms())
        try:
            for tier in tiers:
                making.writers[tier] = self.store.open_file(tier)
            yield making
        finally:
            making.discard()


@dataclass(slots=True)
class _Making:
    """Files that are being written; those that are not put in their places are removed."""

    store: HistoryStore
    region: str
    now_ms: int
    writers: dict[Tier, BlockWriter] = field(default_factory=dict)

    def put(self, span: Span, *, rolled: Sequence[Tier] = ()) -> list[HistoryFile]:
        """Put those that have rows in their places, and return what a manifest says of them; raises OSError."""
        start_ms, until_ms = span
        made: list[HistoryFile] = []
        for tier, writer in [(tier, each) for tier, each in self.writers.items() if each.row_count]:
            name, size_bytes = self.store.put_file(writer, self.region, start_ms)
            del self.writers[tier]
            made.append(
                HistoryFile(
                    name, tier, start_ms, until_ms, writer.row_count, size_bytes, self.now_ms, is_rolled=tier in rolled
                )
            )
        return made

    def discard(self) -> None:
        for writer in self.writers.values():
            self.store.discard_file(writer)
        self.writers.clear()


def _find_span(files: Sequence[HistoryFile]) -> Span:
    return min(each.start_ms for each in files), max(each.until_ms for each in files)
