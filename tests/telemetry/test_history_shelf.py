"""The shelf: what a crash left goes, and what is listed stays."""

from datetime import timedelta

from keisan.domain.history import HOUR_MS, HistoryTerms, Tier
from keisan.storage.base_history import JournalFrame
from tests.storage.history_world import DAY_START_MS
from tests.telemetry.history_stage import HistoryStage, check


def test_what_a_crash_left_is_swept(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames[:10])
    world.keep(DAY_START_MS + HOUR_MS)
    left = world.root / "data" / "sample" / "day=2026-11-26" / "region=CN-SX" / "left.parquet"
    left.write_bytes(b"x")
    # Files are stamped by the machine's clock.
    world.clock.instant = world.clock.instant + timedelta(days=3650)
    again = HistoryStage(world.root, world.clock, HistoryTerms(9999, 9999, 9999))
    again.keep()
    assert not left.exists()
    assert len(again.list_files(Tier.SAMPLE)) == 1
    check(again, frames[:10])
