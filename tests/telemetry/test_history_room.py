"""Making room: the finest goes first, inventories count, and what passes the budget all the same is told once."""

from keisan.domain.history import DAY_MS, HOUR_MS, HistoryTerms, Tier
from keisan.storage.base_history import JournalFrame
from tests.storage.history_world import DAY_START_MS
from tests.storage.test_history_store import create_inventory
from tests.telemetry.history_stage import HistoryStage


def test_room_is_made_before_anything_else_and_told(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.keep(DAY_START_MS + HOUR_MS * 4)
    sizes = {tier: sum(each.size_bytes for each in world.list_files(tier)) for tier in Tier}
    world.keeper.expect_inventory(*create_inventory())
    world.keep()
    # All that there is, but for the inventory.
    world.keeper.room.terms = HistoryTerms(disk_bytes_max=sum(sizes.values()))
    first = next(step for step in world.keeper.steps if step.name == "make room")
    first.act()
    (drop,) = world.keeper.drops
    assert (drop.tier, drop.file_count, drop.excess_bytes) == (Tier.SAMPLE, 1, 0)
    assert sum(each.size_bytes for _, each in world.keeper.shelf.list_files()) == sum(sizes.values()) - drop.size_bytes


def test_what_cannot_go_is_told_once(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames[:5])
    world.keep(DAY_START_MS + HOUR_MS)
    world.keeper.room.terms = HistoryTerms(disk_bytes_max=1)
    world.keep()
    world.keep()
    (drop,) = world.keeper.drops
    assert (drop.tier, drop.excess_bytes > 0) == (None, True)


def test_what_is_past_its_time_goes(world: HistoryStage, frames: list[JournalFrame]) -> None:
    world.journal.write(frames)
    world.keep(DAY_START_MS + HOUR_MS * 4)
    world.keep(DAY_START_MS + 4 * DAY_MS)
    assert not world.list_files(Tier.SAMPLE)
    assert world.list_files(Tier.MINUTE)
    assert not world.keeper.drops
