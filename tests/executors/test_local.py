"""The local executor's own: logs are bounded, secrets stay here, dead children are taken away."""

import os
import signal
import sys
from pathlib import Path

import pytest

from keisan.domain.errors import LaunchFailed
from keisan.executors import local
from keisan.executors.base import ProcessPlan
from keisan.executors.local import LocalExecutor, rotate_log
from keisan.executors.process_table import find_process
from keisan.kit.clock import read_boot_id
from tests.deadline import wait_until, wait_until_async

PAUSE = "import signal, sys; open(sys.argv[1], 'w'); signal.pause()"


def plan_pause(tmp_path: Path) -> ProcessPlan:
    return ProcessPlan((sys.executable, "-c", PAUSE, str(tmp_path / "mark")), tmp_path, tmp_path / "process.log")


async def test_settings_of_keisan_are_not_handed_on(tmp_path: Path) -> None:
    executor = LocalExecutor({**os.environ, "KEISAN_SITE__JOIN_TOKEN": "secret"})
    code = "import os; print(sorted(name for name in os.environ if name.startswith('KEISAN')), 'end')"
    plan = ProcessPlan((sys.executable, "-c", code), tmp_path, tmp_path / "process.log")
    await executor.start(plan)
    await wait_until_async(lambda: "end" in plan.log_path.read_text(), "it has written")
    assert plan.log_path.read_text() == "[] end\n"


def test_long_log_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "LOG_BYTES_MAX", 10)
    log, aside = tmp_path / "a.log", tmp_path / "a.log.1"
    aside.write_text("older")
    log.write_text("x" * 10)
    rotate_log(log)
    assert (log.exists(), aside.read_text()) == (True, "older")
    log.write_text("x" * 11)
    rotate_log(log)
    assert (log.exists(), aside.read_text()) == (False, "x" * 11)


async def test_dead_child_is_taken_away(tmp_path: Path) -> None:
    executor = LocalExecutor(os.environ)
    identity = await executor.start(plan_pause(tmp_path))
    os.kill(identity.pid, signal.SIGKILL)

    def is_zombie() -> bool:
        facts = find_process(identity.pid, read_boot_id())
        return facts is not None and not facts.is_running

    wait_until(is_zombie, "it is dead and not waited for")
    assert not await executor.is_alive(identity)
    assert find_process(identity.pid, read_boot_id()) is None


@pytest.mark.parametrize(("grace_s", "asked"), [(10.0, [signal.SIGTERM]), (0.0, [signal.SIGKILL])])
async def test_who_has_no_time_to_end_is_not_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace_s: float, asked: list[signal.Signals]
) -> None:
    sent: list[int] = []
    send = signal.pidfd_send_signal

    def note_and_send(handle: int, number: int) -> None:
        sent.append(number)
        send(handle, number)

    monkeypatch.setattr(signal, "pidfd_send_signal", note_and_send)
    executor, plan = LocalExecutor(os.environ), plan_pause(tmp_path)
    identity = await executor.start(plan)
    wait_until((tmp_path / "mark").exists, "the process runs")
    await executor.stop(identity, grace_s)
    assert (sent, await executor.is_alive(identity)) == (asked, False)


async def test_process_outlives_its_executor(tmp_path: Path) -> None:
    identity = await LocalExecutor(os.environ).start(plan_pause(tmp_path))
    wait_until((tmp_path / "mark").exists, "it runs")
    later = LocalExecutor(os.environ)
    assert await later.is_alive(identity)
    await later.stop(identity, grace_s=10)


async def test_process_that_even_a_kill_does_not_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = LocalExecutor(os.environ)
    identity = await executor.start(plan_pause(tmp_path))

    def send_nothing(_handle: int, _number: int) -> None:
        """Stand in for a process that hangs in the kernel."""

    with monkeypatch.context() as patch:
        patch.setattr(signal, "pidfd_send_signal", send_nothing)
        patch.setattr(local, "KILL_WAIT_S", 0.05)
        with pytest.raises(LaunchFailed, match="still there"):
            await executor.stop(identity, grace_s=0.05)
    await executor.stop(identity, grace_s=10)
