"""The shelf of history's files: what manifests list, and files in the making; shared by all that keep history.

A file is put in its place first, then listed by the manifest that replaces the old one, and only then does what it was making
of go: a crash at any point leaves each row in the answer once.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from keisan.domain.history import (
    FILE_KEPT_S,
    LEFTOVER_KEPT_S,
    SWEEP_INTERVAL_S,
    HistoryFile,
    Manifest,
    Month,
    Tier,
)
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_log
from keisan.storage.base_history import Block, BlockWriter, HistoryStore

Span = tuple[int, int]


class EndingError(Exception):
    """The process is to end, so the work under way is left."""


@dataclass(slots=True)
class HistoryShelf:
    """The only writer of its store. `manifests` are replaced, never changed: whoever reads one has a list that holds."""

    store: HistoryStore
    clock: Clock
    manifests: dict[Month, Manifest] = field(default_factory=dict)
    # Set when the process is to end: what is under way is left, and done again by the next one.
    is_ending: bool = False
    _leftovers: deque[tuple[float, list[str]]] = field(default_factory=deque)
    _swept_at_s: float | None = None

    def now_ms(self) -> int:
        """Return now, in milliseconds since 1970."""
        return to_milliseconds(self.clock.now())

    def load(self) -> None:
        """Read the manifests; raises OSError."""
        self.manifests = {each.month: each for each in self.store.list_manifests()}

    def find(self, month: Month) -> Manifest:
        """Return a month's manifest, an empty one if there is none."""
        return self.manifests.get(month) or Manifest(month)

    def list_files(self) -> Iterator[tuple[Month, HistoryFile]]:
        """Yield all files that are listed."""
        return ((month, each) for month, manifest in list(self.manifests.items()) for each in manifest.files)

    def replace(
        self,
        manifest: Manifest,
        *,
        added: Iterable[HistoryFile] = (),
        removed: Sequence[HistoryFile] = (),
        folded: tuple[str, ...] | None = None,
    ) -> None:
        """List other files in a month; those that are listed no more go once nobody reads them. Raises OSError."""
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

    def remove_leftovers(self) -> bool:
        """Remove files that nobody reads any more; raises OSError."""
        while self._leftovers and self._leftovers[0][0] <= self.clock.monotonic_s():
            self.store.remove(self._leftovers[0][1])
            self._leftovers.popleft()
        return False

    def sweep(self) -> bool:
        """Remove, once in a while, what a crash left; tell whether it was done now. Raises OSError."""
        now_s = self.clock.monotonic_s()
        if self._swept_at_s is not None and now_s - self._swept_at_s < SWEEP_INTERVAL_S:
            return False
        self._swept_at_s = now_s
        kept = [each.name for _, each in self.list_files()]
        kept += [name for _, names in self._leftovers for name in names]
        count = self.store.sweep(kept, self.clock.now() - timedelta(seconds=LEFTOVER_KEPT_S))
        if count:
            write_log("history.swept", file_count=count)
        return True

    def read(self, files: Sequence[HistoryFile]) -> list[Iterator[Block]]:
        """Return the blocks of files; raises OSError, EndingError."""
        return [self.watch(self.store.read_blocks(each)) for each in files]

    def watch(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Yield blocks; raises EndingError once the process is to end."""
        for block in blocks:
            if self.is_ending:
                raise EndingError
            yield block

    @contextmanager
    def open_files(self, region: str, tiers: Sequence[Tier]) -> "Iterator[Making]":
        """Hold files in the making, one a tier; raises OSError."""
        making = Making(self.store, region, self.now_ms())
        try:
            for tier in tiers:
                making.writers[tier] = self.store.open_file(tier)
            yield making
        finally:
            making.discard()


@dataclass(slots=True)
class Making:
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
        """Remove those that were not put; raises OSError."""
        for writer in self.writers.values():
            self.store.discard_file(writer)
        self.writers.clear()


def find_span(files: Sequence[HistoryFile]) -> Span:
    """Return from when to before when files have rows."""
    return min(each.start_ms for each in files), max(each.until_ms for each in files)
