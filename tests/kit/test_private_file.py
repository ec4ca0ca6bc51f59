"""Private files: their mode, their wholeness, and what a crash leaves."""

import os
from pathlib import Path

import pytest

from keisan.kit.private_file import create_private_folder, write_private_file


def read_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_file_is_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private_file(path, b"one")
    assert (path.read_bytes(), read_mode(path)) == (b"one", 0o600)


def test_replacing_a_wider_file_narrows_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private_file(path, b"new")
    assert (path.read_bytes(), read_mode(path)) == (b"new", 0o600)


def test_left_over_temporary_file_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".secret.new").write_bytes(b"half of a wri")
    write_private_file(tmp_path / "secret", b"whole")
    assert (tmp_path / "secret").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    write_private_file(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_private_file(path, b"new")
    assert path.read_bytes() == b"old"


def test_folder_is_only_for_its_owner(tmp_path: Path) -> None:
    create_private_folder(tmp_path / "data" / "run")
    assert read_mode(tmp_path / "data" / "run") == 0o700
    create_private_folder(tmp_path / "data" / "run")
