"""Rolling up and merging: every tier has what came, in few files, also what came late."""

from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, Tier
from keisan.kit.clock import to_milliseconds
from keisan.storage.base_history import JournalFrame
from tests.storage.history_world import DAY_START_MS
from tests.telemetry.history_stage import HistoryStage, check


def test_each_window_becomes_files_of_every_tier(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.keep(DAY_START_MS + HOUR_MS)
    # The last window waits for its grace.
    assert len(world.list_files(Tier.SAMPLE)) == 5
    world.keep(DAY_START_MS + HOUR_MS * 3 + 5 * MINUTE_MS)
    check(world, frames)
    assert world.journal.list_closed() == []
    assert {each.tier: each.is_rolled for each in world.list_files(Tier.HOUR)} == {Tier.HOUR: False}
    assert len(world.list_files(Tier.SAMPLE)) == len(world.list_files(Tier.MINUTE)) == 3
    world.keep(DAY_START_MS + DAY_MS + HOUR_MS)
    check(world, frames)
    assert [len(world.list_files(tier)) for tier in (Tier.HOUR, Tier.DAY)] == [1, 1]


def test_frames_of_an_hour_that_is_over_are_added_to_every_tier(
    world: HistoryStage, frames: list[JournalFrame]
) -> None:
    late = [each for place, each in enumerate(frames) if place % 3 == 0]
    world.journal.write([each for place, each in enumerate(frames) if place % 3])
    world.keep(DAY_START_MS + DAY_MS + HOUR_MS)
    for start in range(0, len(late), 20):
        world.journal.write(late[start : start + 20])
        world.keep(to_milliseconds(world.clock.instant) + 5 * MINUTE_MS)
    check(world, frames)
    world.keep(DAY_START_MS + DAY_MS + 12 * HOUR_MS)
    check(world, frames)
    # What came in many pieces lies in few.
    assert len(world.list_files(Tier.SAMPLE)) < 3 * 4
    assert len(world.list_files(Tier.DAY)) < 4
