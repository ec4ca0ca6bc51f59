"""A fork server answers each order by one, runs no thread that a fork would lose, and ends when nobody orders any more."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keisan.daemon.forking import MODULES

ANSWER_S_MAX = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    modules = [module for needed in MODULES.values() for module in needed]
    command = [sys.executable, "-m", "keisan.daemon.fork_server", str(tmp_path), *modules]
    # numpy's threads, which end before a fork and begin again after it, go by Python's name.
    environment = dict(os.environ) | {"OPENBLAS_NUM_THREADS": "1"}
    with ours, subprocess.Popen(command, stdin=theirs.fileno(), env=environment) as process:
        theirs.close()
        ours.settimeout(ANSWER_S_MAX)
        try:
            yield process, ours
            ours.close()
            process.wait(ANSWER_S_MAX)
        finally:
            process.kill()


def ask(orders: socket.socket, order: object, *files: int) -> dict[str, int]:
    socket.send_fds(orders, [json.dumps(order).encode()], files)
    found: dict[str, int] = json.loads(orders.recv(1024))
    return found


def test_forked_process_runs_a_command_line_and_its_end_is_told(
    server: tuple[subprocess.Popen[bytes], socket.socket], tmp_path: Path
) -> None:
    process, orders = server
    with (tmp_path / "output").open("wb") as output, (tmp_path / "errors").open("wb") as errors:
        order = {"arguments": ["platform", "--help"], "environment": dict(os.environ) | {"COLUMNS": "200"}}
        first = ask(orders, order, output.fileno(), errors.fileno())["pid"]
        second = ask(orders, order | {"arguments": ["platform", "--nonsense"]}, output.fileno(), errors.fileno())["pid"]
    assert len({first, second, process.pid}) == 3
    assert [ask(orders, {"ended": pid})["returncode"] for pid in (second, first)] == [2, 0]
    assert "Run the control plane" in (tmp_path / "output").read_text()
    assert "--nonsense" in (tmp_path / "errors").read_text()


def test_server_runs_no_thread_that_a_fork_would_lose(
    server: tuple[subprocess.Popen[bytes], socket.socket], tmp_path: Path
) -> None:
    process, orders = server
    with (tmp_path / "nothing").open("wb") as nothing:
        order = {"arguments": ["platform", "--help"], "environment": dict(os.environ)}
        # Once it answers it has loaded all.
        forked = ask(orders, order, nothing.fileno(), nothing.fileno())["pid"]
    ask(orders, {"ended": forked})
    names = [path.read_text().strip() for path in Path(f"/proc/{process.pid}/task").glob("*/comm")]
    # Of an allocator, which ends before a fork and begins again after it.
    others = [name for name in names if name != "jemalloc_bg_thd"]
    assert len(others) == 1, names


def test_server_ends_when_nobody_orders_any_more(
    server: tuple[subprocess.Popen[bytes], socket.socket],
) -> None:
    process, orders = server
    orders.close()
    assert process.wait(ANSWER_S_MAX) == 0
