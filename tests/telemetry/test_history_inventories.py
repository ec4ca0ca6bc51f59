"""Inventories beside the files: kept in turns of their sites, bounded for each, and tried again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.history import HOUR_MS, INVENTORIES_WAITING_SITE_MAX, KEEP_LOOK_S, InventoryNote
from keisan.storage.base_history import JournalFrame
from keisan.storage.history_store import HistoryFileStore
from keisan.telemetry import rule_history
from keisan.wire.inventory import Inventory
from tests.storage.history_world import DAY_START_MS
from tests.storage.test_history_store import create_inventory
from tests.telemetry.history_stage import HistoryStage, check


def test_what_the_disk_refuses_of_one_kind_holds_up_no_other(world: HistoryStage, frames: list[JournalFrame]) -> None:
    """An inventory that cannot be written is tried again, and frames are folded meanwhile."""
    kept: list[InventoryNote] = []

    class Refusing(HistoryFileStore):
        """Has no room for inventories at first."""

        def put_inventory(self, note: InventoryNote, inventory: Inventory) -> InventoryNote:
            kept.append(note)
            if len(kept) == 1:
                raise OSError("no room")
            return super().put_inventory(note, inventory)

    world.keeper.inventories.store = Refusing(world.store.place, world.store.work)
    world.keeper.expect_inventory(*create_inventory())
    world.journal.write(frames[:10])
    world.keep(DAY_START_MS + HOUR_MS)
    check(world, frames[:10])
    assert (len(kept), len(world.keeper.notes)) == (1, 0)
    world.clock.instant += timedelta(seconds=KEEP_LOOK_S)
    world.keep()
    [note] = world.keeper.notes.values()
    assert (len(kept), note.size_bytes > 0) == (2, True)
    # Known by its size to the next process too.
    again = HistoryStage(world.root, world.clock)
    again.keep()
    assert again.keeper.notes == world.keeper.notes


def test_a_site_has_few_that_wait_and_its_turn_like_any_other(world: HistoryStage) -> None:
    note, inventory = create_inventory()
    for number in range(20):
        world.keeper.expect_inventory(replace(note, site="flood", incarnation=str(number)), inventory)
    world.keeper.expect_inventory(replace(note, site="other"), inventory)
    assert world.keeper.inventories.waiting_count == INVENTORIES_WAITING_SITE_MAX + 1
    assert world.keeper.inventories.passed_over_count == 20 - INVENTORIES_WAITING_SITE_MAX
    for _ in range(2):
        world.keeper.inventories.put_next()
    assert {each.site for each in world.keeper.notes.values()} == {"flood", "other"}
    world.keep()
    # Those that came last.
    kept = {each.incarnation for each in world.keeper.notes.values() if each.site == "flood"}
    assert kept == {str(number) for number in range(20 - INVENTORIES_WAITING_SITE_MAX, 20)}
    assert world.keeper.inventories.waiting_count == 0


def test_the_newest_of_an_incarnation_is_kept(world: HistoryStage) -> None:
    note, inventory = create_inventory()
    for version in (3, 2, 4):
        world.keeper.expect_inventory(replace(note, version=version), inventory)
        world.keep()
    assert [each.version for each in world.keeper.notes.values()] == [4]


def test_what_passes_a_sites_share_goes_from_the_disk(world: HistoryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_history, "INVENTORIES_SITE_MAX", 2)
    note, inventory = create_inventory()
    for number in range(5):
        world.keeper.expect_inventory(replace(note, incarnation=str(number), received_ms=number), inventory)
        world.keep()
    folder = world.root / "data" / "inventory"
    assert {path.stem for path in folder.rglob("*.parquet")} == {"3", "4"}
    assert world.keeper.inventories.forgotten_count == 3
    assert world.keeper.inventories.count_bytes() == sum(path.stat().st_size for path in folder.rglob("*.parquet"))
