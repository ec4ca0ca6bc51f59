"""Sockets left behind."""

import socket
from pathlib import Path

import pytest

from keisan.domain.errors import LaunchFailed
from keisan.engines import socket_file
from keisan.engines.socket_file import clear_stale_socket


def test_nothing_there_is_fine(tmp_path: Path) -> None:
    clear_stale_socket(tmp_path / "s")


def test_stale_socket_is_removed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
    assert (tmp_path / "s").exists()
    clear_stale_socket(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_answering_socket_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(tmp_path / "s"))
        living.listen()
        with pytest.raises(LaunchFailed, match="another process listens"):
            clear_stale_socket(tmp_path / "s")
        assert (tmp_path / "s").exists()


def test_busy_socket_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_file, "CONNECT_TIMEOUT_S", 0.05)
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(tmp_path / "s"))
        busy.listen(0)
        waiting.connect(str(tmp_path / "s"))
        with pytest.raises(LaunchFailed, match="another process listens"):
            clear_stale_socket(tmp_path / "s")
        assert (tmp_path / "s").exists()


def test_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(LaunchFailed, match="not a socket"):
        clear_stale_socket(tmp_path / "s")
    assert (tmp_path / "s").read_text() == "precious"
