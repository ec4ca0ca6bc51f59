"""A child: a session of its own, restarted when it dies, gone when it is stopped, whatever it was doing."""

import asyncio
import os
import signal
from pathlib import Path

import psutil

from keisan.daemon.process_file import read_process
from keisan.kit.retry import Backoff
from tests.daemon.tiny_tree import STUBBORN, run_tree, wait_announced
from tests.deadline import wait_until_async

MUMBLE = """
import time
print("this is no JSON", flush=True)
while True:
    time.sleep(60)
"""


def read_command(process: psutil.Process) -> str:
    """Return a living process's command line, nothing for one that has ended: other tests' children come and go."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


async def test_child_has_a_session_of_its_own_and_a_record(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one")
        await wait_announced(child)
        assert child.announcement is not None
        assert child.announcement["pid"] == child.announcement["session"] == child.process_id
        recorded = read_process(tmp_path / "one.json")
        assert recorded is not None
        assert recorded.pid == child.process_id
    assert not (tmp_path / "one.json").exists()


async def test_dead_child_is_started_again(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one")
        await wait_announced(child)
        first = child.process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await wait_until_async(lambda: child.process_id not in (None, first), "a new process")
        assert (child.deaths, child.exit_code) == (1, -signal.SIGKILL)


async def test_child_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one", STUBBORN, stop_s=0.05)
        await wait_announced(child)
        await tree.supervisor.stop_all(())
        assert child.exit_code == -signal.SIGKILL


async def test_child_that_waits_for_its_restart_can_be_stopped(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one", "raise SystemExit(7)")
        child.backoff = Backoff(first_s=600.0, most_s=600.0)
        await wait_until_async(lambda: child.deaths == 1 and child.process_id is None, "it has died")
        async with asyncio.timeout(30):
            await tree.supervisor.stop_all(())
        assert child.exit_code == 7


async def test_stopping_at_once_leaves_nothing_behind(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one")
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await tree.supervisor.stop_all(())
    assert child.process_id is None
    assert not [process for process in psutil.Process().children() if str(tmp_path) in read_command(process)]


async def test_first_line_that_is_no_announcement_is_passed_over(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one", MUMBLE)
        await wait_until_async(lambda: child.process_id is not None, "it runs")
        await tree.supervisor.stop_all(())
        assert not child.announced.is_set()
