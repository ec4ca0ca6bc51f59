"""Sequences of frames never go back: over restarts, other periods, clocks that are set back, and disks that take nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.agent.frame_number import RESERVED_AT_ONCE, SPARE_NUMBERS, FrameNumbers
from keisan.kit.clock import to_milliseconds
from tests.factories import FixedClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frames.json"


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(-10_000_000, 10_000_000)), min_size=1, max_size=8))
def test_each_number_is_above_all_before_whatever_the_clock_does(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int]]
) -> None:
    path, clock = tmp_path_factory.mktemp("numbers") / "frames.json", FixedClock()
    newest = 0
    for frames, step_s in runs:
        numbers = FrameNumbers(path, clock)
        for _ in range(frames):
            spare = numbers.take_spare()
            assert spare is not None
            number = numbers.take()
            # What is left out for parts of late frames is as new: nobody has it yet.
            assert newest < number
            assert spare < number
            newest = number
        clock.instant = clock.instant.fromtimestamp(max(0, clock.instant.timestamp() + step_s), clock.instant.tzinfo)


@pytest.mark.parametrize("damage", [None, b"", b"{}", b'{"schema_version": 1, "reserved_end": "x"}'])
def test_without_its_file_a_process_begins_after_the_seconds_since_1970(path: Path, damage: bytes | None) -> None:
    clock = FixedClock()
    first = FrameNumbers(path, clock)
    last = [first.take() for _ in range(3)][-1]
    path.unlink() if damage is None else path.write_bytes(damage)
    # Three frames take at least three seconds.
    clock.instant = clock.instant.fromtimestamp(clock.instant.timestamp() + 3, clock.instant.tzinfo)
    assert FrameNumbers(path, clock).take() > last
    # And so after all of a release that counted periods of at least a second.
    assert last > to_milliseconds(clock.instant) // 1000


def test_a_disk_that_takes_nothing_stops_no_number(tmp_path: Path) -> None:
    numbers = FrameNumbers(tmp_path / "none" / "frames.json", FixedClock())
    taken = [numbers.take() for _ in range(3 * RESERVED_AT_ONCE)]
    assert taken == list(range(taken[0], taken[0] + len(taken)))


def test_it_is_written_down_once_in_many_frames(path: Path) -> None:
    numbers = FrameNumbers(path, FixedClock())
    written = set()
    for _ in range(10 * RESERVED_AT_ONCE):
        numbers.take()
        written.add(path.read_bytes())
    assert len(written) == 10


def test_numbers_that_were_left_out_come_to_an_end(path: Path) -> None:
    numbers = FrameNumbers(path, FixedClock())
    first = numbers.take()
    spare = [numbers.take_spare() for _ in range(SPARE_NUMBERS)]
    assert spare == list(range(first - SPARE_NUMBERS, first))
    assert numbers.take_spare() is None
