"""Frames on their way to the journal: taken in bounds, written in the background, none lost at an orderly end."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import cast
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.domain.history import FRAME_EARLY_MS_MAX, FRAME_LATE_MS_MAX
from keisan.domain.ids import SiteId
from keisan.kit.clock import SystemClock, from_milliseconds
from keisan.storage.base_history import FrameJournal, JournalFrame
from keisan.storage.history_journal import Journal, list_records
from keisan.telemetry import history
from keisan.telemetry.history import HistoryIntake, Taking
from tests.deadline import wait_until_async
from tests.storage.history_world import DAY_START_MS, create_frame, create_frames, create_head, is_same


class StillClock(SystemClock):
    """Shows one instant, and waits as the machine's does."""

    def now(self) -> datetime:
        return from_milliseconds(DAY_START_MS)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path, StillClock())
    yield journal
    journal.close()


@pytest.fixture
def intake(journal: Journal) -> HistoryIntake:
    return HistoryIntake(journal, StillClock())


@pytest.fixture
def frames() -> list[JournalFrame]:
    return list(create_frames(np.random.default_rng(3), 20))


def append(intake: HistoryIntake, frame: JournalFrame) -> Taking:
    return intake.append(frame.origin.site_id, frame.origin.region, frame.head, frame.numbers, frame.values)


def read_all(journal: Journal) -> list[JournalFrame]:
    journal.close()
    return [place.read() for each in journal.list_closed() for place in list_records(each.path)]


async def test_what_is_taken_is_written_soon_and_at_the_end(
    intake: HistoryIntake, journal: Journal, frames: list[JournalFrame]
) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(intake.run(stop))
        assert {append(intake, each) for each in frames[:10]} == {Taking.TAKEN}
        assert intake.queued_bytes == sum(each.size_bytes for each in frames[:10])
        await wait_until_async(lambda: intake.written_bytes > 0 and intake.queued_bytes == 0, "frames are written")
        for each in frames[10:]:
            append(intake, each)
        stop.set()
    assert (intake.queued_bytes, intake.lost_count, intake.counts[Taking.TAKEN]) == (0, 0, 20)
    found = read_all(journal)
    assert all(is_same(one, other) for one, other in zip(frames, found, strict=True))


async def test_a_queue_that_is_full_takes_no_more(
    intake: HistoryIntake, frames: list[JournalFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "JOURNAL_QUEUE_BYTES_MAX", frames[0].size_bytes)
    assert [append(intake, frames[0]) for _ in range(2)] == [Taking.TAKEN, Taking.QUEUE_FULL]
    await intake.flush()
    assert append(intake, frames[0]) is Taking.TAKEN
    assert intake.counts[Taking.QUEUE_FULL] == 1


@given(st.integers(1, 5), st.lists(st.integers(0, 7), max_size=400))
@settings(max_examples=50)
def test_loud_sites_leave_a_share_of_the_queue_to_each_other_one(loud: int, asked: list[int]) -> None:
    """However much so many send, another finds its part of what they share, and one that sends little is never refused."""
    intake = HistoryIntake(cast("FrameJournal", None), StillClock())
    frame = create_frame(np.random.default_rng(1), create_head(0, DAY_START_MS))
    room = 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "JOURNAL_QUEUE_BYTES_MAX", room * frame.size_bytes)

        def send(site: int) -> Taking:
            return intake.append(SiteId(UUID(int=site)), "CN-SX", frame.head, frame.numbers, frame.values)

        taken = Counter(site % loud for site in asked if send(site % loud) is Taking.TAKEN)
        for _ in range(2 * room):
            for site in range(loud):
                taken[site] += send(site) is Taking.TAKEN
        assert max(taken.values()) <= room // 2 + 1
        assert send(99) is Taking.TAKEN
        assert sum(send(99) is Taking.TAKEN for _ in range(room)) >= room // (loud + 1) // 4
        assert intake.queued_bytes <= room * frame.size_bytes


async def test_what_is_written_is_in_nobody_s_share(
    intake: HistoryIntake, frames: list[JournalFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "JOURNAL_QUEUE_BYTES_MAX", frames[0].size_bytes * 3)
    for _ in range(3):
        assert [append(intake, frames[0]) for _ in range(3)] == [Taking.TAKEN, Taking.TAKEN, Taking.QUEUE_FULL]
        await intake.flush()
    assert not intake._site_bytes


@pytest.mark.parametrize(
    ("at_ms", "taking"),
    [
        (DAY_START_MS - FRAME_LATE_MS_MAX, Taking.TAKEN),
        (DAY_START_MS - FRAME_LATE_MS_MAX - 1, Taking.TOO_OLD),
        (DAY_START_MS + FRAME_EARLY_MS_MAX, Taking.TAKEN),
        (DAY_START_MS + FRAME_EARLY_MS_MAX + 1, Taking.TOO_NEW),
    ],
)
def test_a_frame_of_another_time_is_not_taken(intake: HistoryIntake, at_ms: int, taking: Taking) -> None:
    frame = create_frame(np.random.default_rng(1), create_head(0, at_ms))
    assert append(intake, frame) is taking
    assert intake.counts[taking] == 1


async def test_a_disk_that_refuses_costs_what_was_queued(
    intake: HistoryIntake, journal: Journal, frames: list[JournalFrame]
) -> None:
    intake.journal = Journal(Path("/proc/none"), StillClock())
    append(intake, frames[0])
    await intake.flush()
    assert (intake.lost_count, intake.queued_bytes) == (1, 0)
    intake.journal = journal
    append(intake, frames[1])
    await intake.flush()
    assert [each.head.sequence for each in read_all(journal)] == [1]
