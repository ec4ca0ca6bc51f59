"""The bounded log: two files at most, and what native code writes to standard error goes along."""

import os
from pathlib import Path

from keisan.daemon.child_log import BoundedLog, read_last_lines


def open_log(path: Path, bytes_max: int) -> tuple[BoundedLog, int]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    return BoundedLog(path, descriptor, bytes_max), descriptor


def test_log_is_bounded_by_two_files(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    log, descriptor = open_log(path, 100)
    for number in range(50):
        log.write(f"line {number} of twenty bytes\n")
    os.close(descriptor)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gateway.log", "gateway.log.1"]
    assert all(file.stat().st_size < 200 for file in tmp_path.iterdir())


def test_native_writes_follow_the_rotation(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    log, descriptor = open_log(path, 10)
    log.write("far more than ten bytes\n")
    os.write(descriptor, b"panic\n")
    os.close(descriptor)
    assert path.read_text() == "panic\n"


def test_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    assert read_last_lines(path) == ""
    path.write_text("".join(f"{number}\n" for number in range(10_000)))
    assert read_last_lines(path, 2) == "9998\n9999"
