"""History's store, journal and keeper as the platform's process has them, on a clock that a bench sets."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from keisan.domain.history import HistoryFile, HistoryTerms, Tier
from keisan.kit.clock import from_milliseconds
from keisan.storage.history_journal import Journal
from keisan.storage.history_query import HistoryEngine
from keisan.storage.history_seen import SeenFolder
from keisan.storage.history_store import FolderPlace, HistoryFileStore, open_folder
from keisan.telemetry.history_answer import HistoryAnswerer
from keisan.telemetry.history_keeper import HistoryKeeper

# 2026-11-01, so that a month of 30 days is one.
START_MS = 1_793_491_200_000


@dataclass
class SetClock:
    """A clock that the bench sets; monotonic time goes with it."""

    instant: datetime = field(default_factory=lambda: from_milliseconds(START_MS))

    def now(self) -> datetime:
        """Return the instant set."""
        return self.instant

    def monotonic_s(self) -> float:
        """Return seconds since 1970."""
        return self.instant.timestamp()

    async def sleep(self, duration_s: float) -> None:
        """Let a duration pass: the bench never waits."""


class UnsyncedPlace(FolderPlace):
    """Where made-up files are: a thousand of them would wait for the disk for minutes."""

    def put(self, local: Path, name: str) -> None:
        """Move a file to a name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        local.rename(path)


class Place:
    """A store with its journal, keeper and answerer, as the platform's process has them."""

    def __init__(self, root: Path) -> None:
        self.clock = SetClock()
        self.journal = Journal(root / "journal", self.clock)
        self.store = HistoryFileStore(open_folder(root / "files"), root / "files" / ".work")
        terms = HistoryTerms(sample_days=3000, minute_days=3000, hour_days=3000, disk_bytes_max=2**50)
        self.keeper = HistoryKeeper(self.store, self.journal, SeenFolder(root / "seen"), self.clock, terms)
        self.answerer = HistoryAnswerer(self.keeper, lambda: HistoryEngine(self.store))

    def keep(self, at_ms: int) -> None:
        """Do all the work there is at an instant."""
        self.clock.instant = from_milliseconds(at_ms)
        while self.keeper.work():
            pass

    def list_files(self, tier: Tier) -> list[HistoryFile]:
        """Return the files of a tier."""
        return [each for manifest in self.keeper.manifests.values() for each in manifest.files if each.tier is tier]
