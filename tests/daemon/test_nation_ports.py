"""Ports are chosen once and kept, no two alike, and one that is taken is chosen anew."""

import socket
from pathlib import Path

import pytest

from keisan.daemon.nation_ports import HOST, NAMES, ensure_ports


def test_ports_are_kept(tmp_path: Path) -> None:
    first = ensure_ports(tmp_path / "ports.json")
    assert (tuple(first), len(set(first.values()))) == (NAMES, len(NAMES))
    assert ensure_ports(tmp_path / "ports.json") == first


def test_port_that_somebody_has_by_now_is_chosen_anew(tmp_path: Path) -> None:
    first = ensure_ports(tmp_path / "ports.json")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOST, first["gateway"]))
        other.listen(1)
        second = ensure_ports(tmp_path / "ports.json")
    assert [name for name in NAMES if second[name] != first[name]] == ["gateway"]
    assert ensure_ports(tmp_path / "ports.json") == second


@pytest.mark.parametrize("content", ["", "[]", '{"platform": "x"}'])
def test_damaged_file_is_written_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(content)
    ports = ensure_ports(tmp_path / "ports.json")
    assert len(set(ports.values())) == len(NAMES)
    assert ensure_ports(tmp_path / "ports.json") == ports
