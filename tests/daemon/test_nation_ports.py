"""Ports are chosen once and kept, no two alike, given to nobody else meanwhile, and one that is taken is chosen anew."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from keisan.daemon.listener import bind_listener
from keisan.daemon.nation_ports import HOST, NAMES, hold_ports
from keisan.daemon.settings_address import Address
from tests.e2e.federation.network import find_obstacle

# Connects to itself with every port that the system still gives, in a network that has twice as many as are held.
CROWD = """
import json, pathlib, socket, sys
from contextlib import ExitStack
from keisan.daemon.nation_ports import HOST, hold_ports

held, given = ExitStack(), []
ports = hold_ports(pathlib.Path(sys.argv[1]), held)
listening = socket.create_server((HOST, 7))
try:
    while True:
        given.append(socket.create_connection((HOST, 7)))
except OSError:
    print(json.dumps([list(ports.values()), [one.getsockname()[1] for one in given]]))
"""


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as holders:
        yield holders


def hold_anew(path: Path) -> dict[str, int]:
    with ExitStack() as held:
        return hold_ports(path, held)


def test_ports_are_kept(tmp_path: Path) -> None:
    first = hold_anew(tmp_path / "ports.json")
    assert (tuple(first), len(set(first.values()))) == (NAMES, len(NAMES))
    assert hold_anew(tmp_path / "ports.json") == first


def test_port_that_somebody_has_by_now_is_chosen_anew(tmp_path: Path) -> None:
    first = hold_anew(tmp_path / "ports.json")
    with bind_listener(Address(HOST, first["gateway"])) as other:
        other.listen(1)
        second = hold_anew(tmp_path / "ports.json")
    assert [name for name in NAMES if second[name] != first[name]] == ["gateway"]
    assert hold_anew(tmp_path / "ports.json") == second


def test_whoever_is_told_a_held_port_listens_there(tmp_path: Path, held: ExitStack) -> None:
    for port in hold_ports(tmp_path / "ports.json", held).values():
        listener = held.enter_context(bind_listener(Address(HOST, port)))
        listener.listen(1)
        caller = held.enter_context(socket.create_connection((HOST, port)))
        answered, address = listener.accept()
        held.enter_context(answered)
        assert address == caller.getsockname()


@pytest.mark.skipif(find_obstacle() != "", reason="needs a network of its own")
def test_held_port_is_given_to_no_connection(tmp_path: Path) -> None:
    script = tmp_path / "crowd.py"
    script.write_text(CROWD)
    first, last = 40_000, 40_000 + 2 * len(NAMES) - 1
    few = f"ip link set lo up; echo {first} {last} >/proc/sys/net/ipv4/ip_local_port_range"
    command = ["unshare", "--net", "sh", "-c", f'{few}; exec "$0" "$@"', sys.executable, str(script)]
    done = subprocess.run(
        [*command, str(tmp_path / "ports.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    held, given = json.loads(done.stdout)
    assert sorted([*held, *given]) == list(range(first, last + 1))


@pytest.mark.parametrize("content", ["", "[]", '{"platform": "x"}'])
def test_damaged_file_is_written_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(content)
    ports = hold_anew(tmp_path / "ports.json")
    assert len(set(ports.values())) == len(NAMES)
    assert hold_anew(tmp_path / "ports.json") == ports
