"""The supervisor over tiny real processes: restarts, the order of Ctrl-C, the second Ctrl-C, leftovers by identity."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from keisan.daemon.child import Child, ChildPlan
from keisan.daemon.process_file import end_leftover, read_process, record_process
from keisan.daemon.supervisor import Supervisor
from keisan.executors.local import LocalExecutor
from keisan.kit.clock import SystemClock
from keisan.kit.retry import Backoff
from tests.deadline import wait_until, wait_until_async

# Announces itself, then waits; on SIGTERM it notes its name in the journal and ends.
OBEDIENT = """
import json, os, signal, sys, time
name, journal = sys.argv[1:3]
def end(*_):
    with open(journal, "a") as file:
        file.write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print(json.dumps({"name": name, "pid": os.getpid(), "session": os.getsid(0)}), flush=True)
while True:
    time.sleep(60)
"""
STUBBORN = OBEDIENT.replace("signal.SIGTERM, end", "signal.SIGTERM, signal.SIG_IGN")
QUICK = Backoff(first_s=0.01, factor=1.0, most_s=0.01)


@dataclass
class Tree:
    folder: Path
    supervisor: Supervisor
    pids: list[int] = field(default_factory=list)

    def start(self, name: str, script: str = OBEDIENT, stop_s: float = 10.0) -> Child:
        command = (sys.executable, "-c", script, name, str(self.folder / "journal"))
        plan = ChildPlan(
            name=name,
            command=lambda: command,
            environment=dict(os.environ),
            log_path=self.folder / f"{name}.log",
            process_path=self.folder / f"{name}.json",
            stop_s=stop_s,
        )
        child = Child(plan, SystemClock(), QUICK)
        self.supervisor.start(child)
        return child

    def read_journal(self) -> list[str]:
        return (self.folder / "journal").read_text().split() if (self.folder / "journal").exists() else []


@asynccontextmanager
async def run_tree(folder: Path) -> AsyncIterator[Tree]:
    async with asyncio.TaskGroup() as group:
        tree = Tree(folder, Supervisor(group))
        try:
            yield tree
        finally:
            tree.supervisor.killing.set()
            await tree.supervisor.stop_all(())


async def wait_announced(*children: Child) -> None:
    for child in children:
        async with asyncio.timeout(10):
            await child.announced.wait()


def start_sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


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


async def test_children_end_one_after_the_other(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        await wait_announced(*(tree.start(name) for name in ("platform", "site", "gateway")))
        await tree.supervisor.stop_all(("gateway", "site", "platform"))
        assert tree.read_journal() == ["gateway", "site", "platform"]


async def test_first_ctrl_c_asks_and_the_second_kills(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one", STUBBORN, stop_s=60.0)
        await wait_announced(child)
        with tree.supervisor.handle_signals():
            os.kill(os.getpid(), signal.SIGINT)
            async with asyncio.timeout(10):
                await tree.supervisor.stopping.wait()
                assert not tree.supervisor.killing.is_set()
                async with asyncio.TaskGroup() as group:
                    group.create_task(tree.supervisor.stop_all(()))
                    os.kill(os.getpid(), signal.SIGINT)
        assert child.exit_code == -signal.SIGKILL


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
        async with asyncio.timeout(5):
            await tree.supervisor.stop_all(())
        assert child.exit_code == 7


async def test_stopping_at_once_leaves_nothing_behind(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one")
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await tree.supervisor.stop_all(())
    assert child.process_id is None
    assert not [process for process in psutil.Process().children() if str(tmp_path) in " ".join(process.cmdline())]


async def test_leftover_is_ended_by_identity(tmp_path: Path) -> None:
    sleeper = start_sleeper()
    record_process(tmp_path / "site.json", sleeper.pid)
    await end_leftover(tmp_path / "site.json", LocalExecutor({}), 5.0)
    # Its parent is this test, not a dead supervisor, so this test reaps it; the executor may have been first.
    wait_until(lambda: not psutil.pid_exists(sleeper.pid) or sleeper.poll() is not None, "it is gone")
    sleeper.poll()
    assert not (tmp_path / "site.json").exists()


@pytest.mark.parametrize("field_name", ["started_ticks", "boot_id"])
async def test_recycled_pid_is_never_signalled(tmp_path: Path, field_name: str) -> None:
    sleeper = start_sleeper()
    path = tmp_path / "site.json"
    try:
        record_process(path, sleeper.pid)
        content = json.loads(path.read_bytes())
        content[field_name] = content[field_name] + 1 if field_name == "started_ticks" else "another boot"
        path.write_text(json.dumps(content))
        await end_leftover(path, LocalExecutor({}), 5.0)
        assert sleeper.poll() is None
        assert not path.exists()
    finally:
        sleeper.kill()
        sleeper.wait(10)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x", "started_ticks": 1, "boot_id": "b"}'])
async def test_damaged_record_ends_nobody(tmp_path: Path, content: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(content)
    await end_leftover(path, LocalExecutor({}), 5.0)
    assert not path.exists()
