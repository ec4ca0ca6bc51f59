"""The journal of frames: what was appended comes back, whatever tore its end or damaged its middle."""

import errno
from datetime import timedelta
from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from keisan.domain.history import JOURNAL_LATE_S, WINDOW_GRACE_MS, WINDOW_MS, Window
from keisan.domain.limits import FRAME_DEVICES_MAX
from keisan.domain.sample import SampleName
from keisan.storage import history_journal
from keisan.storage.base_history import JournalFrame
from keisan.storage.history_journal import Journal, encode_record, list_records
from tests.factories import FixedClock
from tests.storage.history_world import (
    DAY_START,
    DAY_START_MS,
    REGION,
    create_frame,
    create_frames,
    create_head,
    is_same,
)


@pytest.fixture
def source() -> np.random.Generator:
    return np.random.default_rng(7)


def read_all(path: Path) -> list[JournalFrame]:
    return [each.read() for each in list_records(path)]


def write_closed(root: Path, frames: list[JournalFrame]) -> list[Path]:
    journal = Journal(root, FixedClock(DAY_START))
    journal.write(frames)
    journal.sync()
    journal.close()
    return [each.path for each in journal.list_closed()]


def test_what_is_appended_comes_back(tmp_path: Path, source: np.random.Generator) -> None:
    frames = list(create_frames(source, 30))
    (path,) = write_closed(tmp_path, frames)
    found = read_all(path)
    assert len(found) == 30
    assert all(is_same(one, other) for one, other in zip(frames, found, strict=True))


def test_the_largest_frame_comes_back(tmp_path: Path, source: np.random.Generator) -> None:
    numbers = np.arange(FRAME_DEVICES_MAX, dtype=np.uint32)
    # What does not compress at all.
    values = source.integers(-(2**30), 2**31 - 1, (len(SampleName), FRAME_DEVICES_MAX), np.int32)
    frame = create_frame(source, create_head(0, DAY_START_MS))
    frame = JournalFrame(frame.origin, frame.head, numbers, values)
    (path,) = write_closed(tmp_path, [frame])
    assert is_same(read_all(path)[0], frame)


def test_a_frame_goes_to_the_window_of_its_stamp(tmp_path: Path, source: np.random.Generator) -> None:
    late = create_frame(source, create_head(1, DAY_START_MS - 3 * WINDOW_MS))
    usual = create_frame(source, create_head(2, DAY_START_MS))
    clock = FixedClock(DAY_START)
    journal = Journal(tmp_path, clock)
    journal.write([usual, late])
    journal.close_due()
    assert journal.list_closed() == []
    clock.instant += timedelta(seconds=JOURNAL_LATE_S)
    journal.close_due()
    (closed,) = journal.list_closed()
    assert closed.window == Window(REGION, DAY_START_MS - 3 * WINDOW_MS)
    # What comes later still goes to a file of its own.
    journal.write([usual, late])
    clock.instant = DAY_START + timedelta(milliseconds=WINDOW_MS + WINDOW_GRACE_MS - 1)
    journal.close_due()
    assert [len(read_all(each.path)) for each in journal.list_closed()] == [1, 1]
    clock.instant += timedelta(milliseconds=1)
    journal.close_due()
    assert [len(read_all(each.path)) for each in journal.list_closed()] == [1, 1, 2]
    journal.remove(journal.list_closed())
    assert (journal.list_closed(), journal.count_bytes()) == ([], 0)


def test_files_of_before_a_restart_are_closed(tmp_path: Path, source: np.random.Generator) -> None:
    ended = Journal(tmp_path, FixedClock(DAY_START))
    ended.write(list(create_frames(source, 3)))
    ended.close()
    restarted = Journal(tmp_path, FixedClock(DAY_START))
    (left,) = restarted.list_closed()
    restarted.write(list(create_frames(source, 2)))
    assert [len(read_all(each.path)) for each in restarted.list_closed()] == [3]
    restarted.close()
    assert [len(read_all(each.path)) for each in restarted.list_closed()] == [3, 2]
    assert restarted.list_closed()[0] == left
    assert restarted.count_bytes() == sum(each.path.stat().st_size for each in restarted.list_closed())


def test_a_torn_end_costs_the_torn_record_only(tmp_path: Path, source: np.random.Generator) -> None:
    frames = list(create_frames(source, 4))
    (path,) = write_closed(tmp_path, frames)
    whole = path.read_bytes()
    start = len(whole) - len(encode_record(frames[3]))
    for end in (start, start + 1, start + 15, start + 16, start + 40, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert len(read_all(path)) == 3
    path.write_bytes(b"")
    assert read_all(path) == []


def test_a_damaged_record_costs_itself_only(tmp_path: Path, source: np.random.Generator) -> None:
    frames = list(create_frames(source, 5))
    (path,) = write_closed(tmp_path, frames)
    whole = path.read_bytes()
    first = len(encode_record(frames[0]))
    for place in (first, first + 6, first + 13, first + 20, first + 200):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        found = read_all(path)
        assert [each.head.sequence for each in found] == [0, 2, 3, 4]


def test_a_full_disk_leaves_no_half_record(
    tmp_path: Path, source: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = list(create_frames(source, 4))
    journal = Journal(tmp_path, FixedClock(DAY_START))
    journal.write(frames[:1])

    class FullFile(FileIO):
        """Takes half of what it is given, or nothing."""

        def write(self, content: bytes) -> int:  # type: ignore[override]  # bytes are all that is written
            written = super().write(content[: len(content) // 2])
            if len(content) % 2:
                raise OSError(errno.ENOSPC, "no space")
            return written

    (writer,) = journal._writers.values()
    usual = writer.file
    writer.file = FullFile(usual.fileno(), "ab", closefd=False)
    for frame in frames[1:3]:
        with pytest.raises(OSError, match=r"space|room"):
            journal.write([frame])
        assert writer.path.stat().st_size == len(encode_record(frames[0]))
    writer.file = usual
    journal.write(frames[3:])
    journal.close()
    assert [each.head.sequence for each in read_all(journal.list_closed()[0].path)] == [0, 3]


def test_few_files_are_open_at_once(
    tmp_path: Path, source: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_journal, "JOURNAL_FILES_OPEN_MAX", 2)
    journal = Journal(tmp_path, FixedClock(DAY_START))
    journal.write([create_frame(source, create_head(place, DAY_START_MS + place * WINDOW_MS)) for place in range(5)])
    assert [each.window.start_ms for each in journal.list_closed()] == [DAY_START_MS + n * WINDOW_MS for n in range(3)]
    journal.close()
