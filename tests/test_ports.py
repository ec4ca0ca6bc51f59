"""Whoever asks for a port has it alone, in whatever process."""

import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests import ports
from tests.ports import FIRST, LAST, find_free_port


def test_nobody_else_is_given_it() -> None:
    with ProcessPoolExecutor(3, get_context("spawn")) as pool:
        asked = [pool.submit(find_free_port) for _ in range(60)]
        found = [each.result() for each in asked]
    assert len(set(found)) == len(found)
    assert all(FIRST <= port <= LAST for port in found)


def test_the_system_gives_none_of_them() -> None:
    lowest, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert int(lowest) > LAST


def test_one_that_somebody_has_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = find_free_port()
    # It is the next in turn.
    monkeypatch.setattr(ports, "NEXT", tmp_path / "next")
    ports.NEXT.write_text(str(taken))
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen(1)
        assert find_free_port() != taken
