"""Frames that are held back: oldest first, over restarts, within a bound, and on whatever the disk does."""

from pathlib import Path

import pytest

from keisan.agent.backlog import FrameBacklog


def read_all(backlog: FrameBacklog) -> list[bytes]:
    found = []
    while (oldest := backlog.take_oldest()) is not None:
        # It stays until it is dropped.
        assert backlog.take_oldest() == oldest
        found.append(oldest)
        backlog.drop_taken()
    return found


@pytest.mark.parametrize("is_on_disk", [True, False])
def test_the_oldest_comes_first_and_without_room_goes_first(tmp_path: Path, is_on_disk: bool) -> None:
    backlog = FrameBacklog(tmp_path / "backlog" if is_on_disk else None, bytes_max=100)
    for number in range(12):
        backlog.add(b"%010d" % number)
    assert (len(backlog), backlog.dropped_frames) == (10, 2)
    assert read_all(backlog) == [b"%010d" % number for number in range(2, 12)]
    assert len(backlog) == 0
    assert not list(tmp_path.rglob("*.frame"))
    # What has gone makes room.
    backlog.add(b"x" * 100)
    assert (len(backlog), backlog.dropped_frames) == (1, 2)


def test_a_restart_forgets_nothing_and_goes_on_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "backlog"
    first = FrameBacklog(folder)
    for number in range(20):
        first.add(b"%d" % number)
    for _ in range(5):
        first.take_oldest()
        first.drop_taken()
    again = FrameBacklog(folder)
    again.add(b"20")
    third = FrameBacklog(folder)
    assert read_all(third) == [b"%d" % number for number in range(5, 21)]
    assert len(FrameBacklog(folder)) == 0


def test_a_smaller_bound_holds_from_the_next_start_on(tmp_path: Path) -> None:
    first = FrameBacklog(tmp_path)
    for number in range(20):
        first.add(b"%010d" % number)
    again = FrameBacklog(tmp_path, bytes_max=55)
    assert (len(again), again.dropped_frames, again.take_oldest()) == (5, 15, b"%010d" % 15)
    assert len(list(tmp_path.glob("*.frame"))) == 5


def test_a_disk_that_takes_nothing_leaves_them_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "backlog"
    backlog = FrameBacklog(folder, bytes_max=20)
    backlog.add(b"on disk")
    folder.rename(tmp_path / "away")
    for number in range(3):
        backlog.add(b"memory%d" % number)
    # What was in the file is gone with the folder; what came after is here.
    assert backlog.dropped_frames == 2
    assert read_all(backlog) == [b"memory1", b"memory2"]


def test_a_file_that_vanishes_is_counted_and_passed_over(tmp_path: Path) -> None:
    backlog = FrameBacklog(tmp_path)
    for number in range(3):
        backlog.add(b"%d" % number)
    for path in sorted(tmp_path.glob("*.frame"))[:2]:
        path.unlink()
    assert read_all(backlog) == [b"2"]
    assert backlog.dropped_frames == 2


def test_a_folder_that_cannot_be_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    backlog = FrameBacklog(tmp_path / "file")
    backlog.add(b"one")
    assert read_all(backlog) == [b"one"]


def test_a_frame_that_had_to_go_while_it_was_sent_takes_no_other_with_it() -> None:
    backlog = FrameBacklog(bytes_max=20)
    backlog.add(b"a" * 10)
    backlog.add(b"b" * 10)
    assert backlog.take_oldest() == b"a" * 10
    backlog.add(b"c" * 10)
    backlog.drop_taken()
    assert read_all(backlog) == [b"b" * 10, b"c" * 10]
