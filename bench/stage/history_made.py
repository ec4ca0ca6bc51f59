"""Made-up history: frames as sites send them, and roll-ups of a month, with values as noisy as real ones."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa

from keisan.devices.simulated_sampler import SimulatedChip, SimulatedSampler
from keisan.domain.history import (
    DAY_MS,
    HOUR_MS,
    STEPS_MS,
    FrameOrigin,
    HistoryFile,
    InventoryNote,
    Manifest,
    Month,
    Tier,
    name_day,
)
from keisan.domain.history_column import NULLABLE, ROLL_UP_COLUMNS, WIDE, Statistic
from keisan.domain.ids import SiteId
from keisan.domain.inventory import InventoryHead
from keisan.domain.sample import MISSING, FrameHead, SampleName
from keisan.storage.base_history import BLOCK_DEVICES, Block, BlockKey, Column, JournalFrame
from keisan.wire.inventory import Inventory
from stage.history_place import START_MS, Place, UnsyncedPlace

PERIOD_MS = 10_000
# Cheap fields come with each frame, dear ones with each sixth.
DEAR_EVERY = 6
SITE = SiteId(UUID(int=1))
CHIP = SimulatedChip(65_536, 450_000, 8)
POWER = SampleName.POWER_MILLIWATTS


def make_frames(device_count: int, hours: int) -> Iterator[list[JournalFrame]]:
    """Yield the frames of each hour: what SimulatedSampler reads, with the noise that real sensors have."""
    sampler = SimulatedSampler([CHIP] * device_count, seed=7)
    source = np.random.default_rng(7)
    noisy = {POWER: 3000, SampleName.HOST_RECEIVE_KIB_PER_S: 3000, SampleName.HOST_TRANSMIT_KIB_PER_S: 3000}
    places = {name: place for place, name in enumerate(SampleName)}
    for hour in range(hours):
        frames = []
        for step in range(HOUR_MS // PERIOD_MS):
            sequence = hour * (HOUR_MS // PERIOD_MS) + step
            numbers, values = sampler.read(PERIOD_MS / 1000, is_dear=sequence % DEAR_EVERY == 0)
            for name, width in noisy.items():
                values[places[name]] += source.integers(0, width, len(numbers), np.int32)
            at_ms = START_MS + sequence * PERIOD_MS + int(source.integers(0, 400))
            head = FrameHead("a", 1, sequence, at_ms, PERIOD_MS)
            frames.append(JournalFrame(FrameOrigin(SITE, "CN-SX"), head, numbers, values))
        yield frames


def expect_inventory(place: Place, device_count: int, region: str = "CN-SX", site: SiteId = SITE) -> None:
    """Have an inventory kept, nodes of eight."""
    nodes = -(-device_count // 8)
    inventory = Inventory(
        InventoryHead("a", 1, tuple(f"{site}-n{n}" for n in range(nodes)), ("c",), ("Chip",)),
        pa.array([f"{site}-d{n}" for n in range(device_count)]),
        node=np.arange(device_count, dtype=np.int32) // 8,
        chip=np.zeros(device_count, np.int32),
        name=np.zeros(device_count, np.int32),
        supernode=np.full(device_count, -1, np.int32),
        memory_mib=np.full(device_count, CHIP.memory_mib, np.int32),
        is_retired=np.zeros(device_count, np.bool_),
    )
    place.keeper.expect_inventory(InventoryNote(str(site), region, "a", 1, device_count, START_MS), inventory)


def write_days(root: Path, tier: Tier, shape: tuple[int, int, int, int]) -> Place:
    """Write made-up roll-ups of regions x sites x devices x days, a file a region and day, and list them.

    Rows of whole sites are the same in all regions: their sums take as long, and making them does not.
    """
    regions, site_count, device_count, days = shape
    place = Place(root)
    place.store.place = UnsyncedPlace(root / "files", place.store.place.filesystem)
    per_day = DAY_MS // STEPS_MS[tier]
    source = np.random.default_rng(3)
    first: list[HistoryFile] = []
    for number in range(regions):
        region = f"CN-{number:02}"
        sites = [SiteId(UUID(int=number * site_count + each + 1)) for each in range(site_count)]
        if site_count == 1:
            expect_inventory(place, device_count, region, sites[0])
        files = []
        for day in range(days):
            start_ms = START_MS + day * DAY_MS
            if site_count > 1 and first:
                files.append(copy_file(place, first[day], region))
                continue
            writer = place.store.open_file(tier)
            for site in sites:
                for block in make_blocks(source, str(site), device_count, (start_ms, per_day, STEPS_MS[tier])):
                    writer.add(block)
            row_count = writer.row_count
            name, size_bytes = place.store.put_file(writer, region, start_ms)
            files.append(HistoryFile(name, tier, start_ms, start_ms + DAY_MS, row_count, size_bytes, 0, is_rolled=True))
        first = first or files
        place.store.put_manifest(Manifest(Month(region, name_day(START_MS)[:7]), 1, tuple(files)))
    place.keep(START_MS + days * DAY_MS)
    return place


def copy_file(place: Place, file: HistoryFile, region: str) -> HistoryFile:
    """Put a file's content under another region."""
    folder = Path(place.store.place.root)
    name = re.sub("region=[^/]*", f"region={region}", file.name)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / file.name, folder / name)
    return replace(file, name=name)


def make_blocks(
    source: np.random.Generator, site: str, device_count: int, steps: tuple[int, int, int]
) -> Iterator[Block]:
    """Yield roll-ups of a day with values that wander, as noisy as samples are."""
    start_ms, count, step_ms = steps
    for low in range(0, device_count, BLOCK_DEVICES):
        devices = min(BLOCK_DEVICES, device_count - low)
        rows = devices * count
        at_ms = np.tile(start_ms + np.arange(count, dtype=np.int64) * step_ms, devices)
        samples = step_ms // PERIOD_MS
        base = source.integers(200_000, 400_000, rows, np.int32)
        columns: dict[str, Column] = {
            "sample_count": np.full(rows, samples, np.int32),
            "covered_ms": np.full(rows, step_ms, np.int64),
            "first_ms": at_ms,
            "last_ms": at_ms + step_ms - PERIOD_MS,
        }
        for each in ROLL_UP_COLUMNS:
            made = base // 8 if each.statistic in NULLABLE else np.full(rows, samples, np.int32)
            columns[each.name] = base.astype(np.int64) * samples if each.statistic in WIDE else made
            if each.field is SampleName.LINK_RECEIVE_KIB_PER_S and each.statistic is Statistic.MIN:
                columns[each.name] = np.full(rows, MISSING, np.int32)
        numbers = np.repeat(np.arange(low, low + devices, dtype=np.uint32), count)
        yield Block(BlockKey(site, "a", low // BLOCK_DEVICES), numbers, at_ms, columns)
