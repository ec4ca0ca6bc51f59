"""History in the platform's process: what is taken is kept and told, drops are events, an end is an end."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keisan.control.context import Control
from keisan.control.history import History
from keisan.daemon.history import open_history
from keisan.daemon.history_settings import DISK_BYTES_MIN, HistorySettings
from keisan.domain.history import MINUTE_MS, HistoryTerms, Tier
from keisan.kit.clock import SystemClock, to_milliseconds
from keisan.storage.history_journal import list_records
from keisan.telemetry.history_room import Drop
from keisan.telemetry.history_shelf import EndingError
from keisan.telemetry.live_site import SitePlace
from tests.control.people import list_events
from tests.deadline import wait_until_async
from tests.factories import FixedClock, World
from tests.storage.history_world import create_frame, create_head
from tests.storage.test_history_store import create_inventory


@pytest.fixture
def history(control: Control, tmp_path: Path) -> History:
    return open_history(control, HistorySettings(disk_bytes_max=DISK_BYTES_MIN), tmp_path)


def append(history: History, world: World, count: int, start_ms: int) -> None:
    site = world.left.site
    place = SitePlace(site.id, site.provider_id, site.name, site.region)
    history.take_inventory(place, create_inventory()[1])
    source = np.random.default_rng(1)
    for sequence in range(count):
        frame = create_frame(source, create_head(sequence, start_ms + sequence * 10_000))
        history.append(place, frame.head, frame.numbers, frame.values)


async def test_what_is_dropped_is_told_as_an_event(control: Control, world: World, history: History) -> None:
    history.keeper.drops.extend([Drop(Tier.SAMPLE, 3, 5000, MINUTE_MS, 0), Drop(None, 0, 0, 0, 77)])
    await history.tell_drops()
    await history.tell_drops()
    told = [(event.action, event.detail) for event in await list_events(control) if event.action.startswith("history.")]
    budget = str(DISK_BYTES_MIN)
    assert told == [
        (
            "history.dropped",
            {
                "tier": "sample",
                "files": "3",
                "bytes": "5000",
                "until": "1970-01-01T00:01:00+00:00",
                "disk_bytes_max": budget,
                "excess_bytes": "0",
            },
        ),
        ("history.over_budget", {"disk_bytes_max": budget, "excess_bytes": "77"}),
    ]


async def test_the_finest_tier_goes_first_and_is_told(
    control: Control, world: World, history: History, clock: FixedClock
) -> None:
    start_ms = to_milliseconds(clock.now()) // (60 * MINUTE_MS) * (60 * MINUTE_MS)
    append(history, world, 300, start_ms)
    await history.intake.flush()
    await clock.sleep(3800)
    while history.keeper.work():
        pass
    files = [each for manifest in history.keeper.manifests.values() for each in manifest.files]
    sizes = {each.tier: each.size_bytes for each in files}
    assert set(sizes) == {Tier.SAMPLE, Tier.MINUTE, Tier.HOUR, Tier.SITE_HOUR}
    history.keeper.room.terms = HistoryTerms(disk_bytes_max=sum(sizes.values()) - 1)
    while history.keeper.work():
        pass
    left = [each for manifest in history.keeper.manifests.values() for each in manifest.files]
    assert {each.tier for each in left} == set(sizes) - {Tier.SAMPLE}
    await history.tell_drops()
    (event,) = [each for each in await list_events(control) if each.action == "history.dropped"]
    assert (event.detail["tier"], event.detail["bytes"]) == ("sample", str(sizes[Tier.SAMPLE]))
    # Readers that began before are done by then.
    (gone,) = [each for each in files if each.tier is Tier.SAMPLE]
    assert list(history.keeper.shelf.store.read_blocks(gone))
    await clock.sleep(120)
    history.keeper.work()
    with pytest.raises(OSError, match="No such"):
        list(history.keeper.shelf.store.read_blocks(gone))
    history.intake.journal.close()


async def test_an_orderly_end_writes_all_that_was_taken(control: Control, world: World, tmp_path: Path) -> None:
    history = open_history(replace(control, clock=SystemClock()), HistorySettings(), tmp_path)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(history.run(stop))
        await wait_until_async(lambda: history.keeper._is_loaded, "the keeper has begun")
        append(history, world, 20, to_milliseconds(SystemClock().now()))
        stop.set()
    paths = [each.path for each in history.intake.journal.list_closed()]
    assert sum(len(list(list_records(path))) for path in paths) == 20


async def test_work_that_is_under_way_ends_with_the_process(
    control: Control, world: World, history: History, clock: FixedClock
) -> None:
    append(history, world, 60, to_milliseconds(clock.now()))
    await history.intake.flush()
    await clock.sleep(1800)
    history.keeper.shelf.is_ending = True
    with pytest.raises(EndingError):
        history.keeper.work()
    history.keeper.shelf.is_ending = False
    while history.keeper.work():
        pass
    assert history.keeper.counts.folded_frames == 60
    history.intake.journal.close()
