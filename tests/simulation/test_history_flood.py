"""A site floods history with ever new incarnations and late windows: the disk budget holds, and others' history is written."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest

from keisan.domain.history import (
    DAY_MS,
    INVENTORIES_WAITING_SITE_MAX,
    MINUTE_MS,
    WINDOW_MS,
    FrameOrigin,
    HistoryTerms,
    Tier,
)
from keisan.kit.clock import to_milliseconds
from keisan.storage.base_history import JournalFrame
from keisan.telemetry import rule_history
from tests.factories import FixedClock
from tests.storage.history_world import DAY_START, SITES, create_frame, create_head
from tests.storage.test_history_store import create_inventory
from tests.telemetry.history_stage import HistoryStage, expect_tier

FLOODER, NEIGHBOUR, FAR = range(3)
FAR_REGION = "CN-GD"
KIB = 1024
BUDGET_BYTES = 1200 * KIB
INVENTORIES_MAX = 4
STEP_MS = 10 * MINUTE_MS
STEPS = 18
LATE_WINDOWS = 40
LATE_FRAMES = 12


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryStage]:
    # No power is cut here.
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)
    monkeypatch.setattr(rule_history, "INVENTORIES_SITE_MAX", INVENTORIES_MAX)
    opened = HistoryStage(tmp_path, FixedClock(DAY_START), HistoryTerms(disk_bytes_max=BUDGET_BYTES))
    yield opened
    opened.journal.close()


def create_honest(source: np.random.Generator, site: int, sequence: int, at_ms: int) -> JournalFrame:
    frame = create_frame(source, create_head(sequence, at_ms), site=site, device_count=2)
    return replace(frame, origin=FrameOrigin(SITES[FAR], FAR_REGION)) if site == FAR else frame


def flood(stage: HistoryStage, source: np.random.Generator, random: Random, step: int) -> None:
    """Send frames of days past, each under an incarnation of its own, and an inventory of each."""
    note, inventory = create_inventory()
    now_ms = to_milliseconds(stage.clock.now())
    for number in range(LATE_FRAMES):
        name = f"{step}-{number}"
        at_ms = now_ms - DAY_MS + random.randrange(LATE_WINDOWS) * WINDOW_MS
        stage.journal.write([create_frame(source, create_head(1, at_ms, incarnation=name), device_count=2)])
        own = replace(note, site=str(SITES[FLOODER]), incarnation=name, received_ms=now_ms + number)
        stage.keeper.expect_inventory(own, inventory)


def count_used(stage: HistoryStage) -> int:
    """Return what history takes of the disk, by the disk: without files that are kept for readers that began before."""
    listed = {each.name for tier in Tier for each in stage.list_files(tier)}
    data = stage.root / "data"
    files = [path for path in data.rglob("*.parquet") if is_kept(path.relative_to(data), listed)]
    return sum(path.stat().st_size for path in [*files, *(stage.root / "journal").glob("*/*")])


def is_kept(path: Path, listed: set[str]) -> bool:
    return str(path) in listed or path.parts[0] == "inventory"


@pytest.mark.parametrize("seed", range(2))
def test_a_flood_of_one_site_takes_no_room_and_no_turn_of_others(stage: HistoryStage, seed: int) -> None:
    """The keeper has one turn in ten minutes: it cannot keep up with the flood, and need not."""
    source, random = np.random.default_rng(seed), Random(seed)
    honest: list[JournalFrame] = []
    for step in range(STEPS):
        at_ms = to_milliseconds(DAY_START) + step * STEP_MS
        mine = [create_honest(source, site, step, at_ms + 1000) for site in (NEIGHBOUR, FAR)]
        stage.journal.write(mine)
        honest += mine
        note, inventory = create_inventory()
        if step == STEPS // 2:
            late_comer = replace(note, site=str(SITES[NEIGHBOUR]), incarnation="a", received_ms=at_ms)
            stage.keeper.expect_inventory(late_comer, inventory)
        stage.clock.instant = DAY_START + timedelta(milliseconds=(step + 1) * STEP_MS)
        flood(stage, source, random, step)
        stage.keeper.work()
        assert stage.keeper.inventories.waiting_count <= 2 * INVENTORIES_WAITING_SITE_MAX
        stage.keeper.room.make_room()
        assert count_used(stage) <= BUDGET_BYTES, step
        # All but the window that is not closed yet.
        wanted = expect_tier([each for each in honest if each.head.sampled_at_ms < at_ms], Tier.HOUR)
        if step % 3 == 0:
            found = stage.sum_tier(Tier.HOUR)
            assert all(found.get(row, (0, 0))[0] >= count for row, (count, _) in wanted.items()), step
    assert (str(SITES[NEIGHBOUR]), "a") in stage.keeper.notes
    kept = [each for each in stage.keeper.notes.values() if each.site == str(SITES[FLOODER])]
    assert len(kept) <= INVENTORIES_MAX
    assert stage.keeper.drops
    assert {each.tier for each in stage.keeper.drops} <= {Tier.SAMPLE, Tier.MINUTE}
