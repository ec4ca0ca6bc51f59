"""The contract of executors, run on each: what is started lives on its own, and only exactly it is ever signalled."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.domain.errors import LaunchFailed
from keisan.executors.base import Executor, ProcessIdentity, ProcessPlan
from keisan.executors.local import LocalExecutor
from tests.deadline import POLL_S, wait_until

STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'w'); signal.pause()"
OBEDIENT = "import signal, sys; open(sys.argv[1], 'w'); signal.pause()"


@pytest.fixture(params=[lambda: LocalExecutor(os.environ)], ids=["local"])
def executor(request: pytest.FixtureRequest) -> Executor:
    build: Callable[[], Executor] = request.param
    return build()


def plan_python(tmp_path: Path, code: str, *arguments: str) -> ProcessPlan:
    return ProcessPlan((sys.executable, "-c", code, *arguments), tmp_path, tmp_path / "process.log")


async def start_and_wait(executor: Executor, tmp_path: Path, code: str) -> ProcessIdentity:
    """Start Python code that makes the file named by its first argument, and wait for that file."""
    mark = tmp_path / "mark"
    identity = await executor.start(plan_python(tmp_path, code, str(mark)))
    wait_until(mark.exists, "the process runs")
    return identity


async def wait_until_ended(executor: Executor, identity: ProcessIdentity) -> None:
    """Return when a process that ends by itself has ended."""
    end_s = time.monotonic() + 30
    while await executor.is_alive(identity):
        assert time.monotonic() < end_s, "it did not end"
        await asyncio.sleep(POLL_S)


async def test_started_process_is_alive_until_stopped(executor: Executor, tmp_path: Path) -> None:
    identity = await start_and_wait(executor, tmp_path, OBEDIENT)
    assert await executor.is_alive(identity)
    await executor.stop(identity, grace_s=10)
    assert not await executor.is_alive(identity)


async def test_process_that_ends_by_itself_is_not_alive(executor: Executor, tmp_path: Path) -> None:
    identity = await executor.start(plan_python(tmp_path, "pass"))
    await wait_until_ended(executor, identity)
    assert not await executor.is_alive(identity)


async def test_stubborn_process_is_killed_after_the_grace(executor: Executor, tmp_path: Path) -> None:
    identity = await start_and_wait(executor, tmp_path, STUBBORN)
    await executor.stop(identity, grace_s=0.1)
    assert not await executor.is_alive(identity)


async def test_stop_of_a_gone_process_does_nothing(executor: Executor, tmp_path: Path) -> None:
    identity = await start_and_wait(executor, tmp_path, OBEDIENT)
    await executor.stop(identity, grace_s=10)
    await executor.stop(identity, grace_s=10)
    assert not await executor.is_alive(identity)


@pytest.mark.parametrize("change", [{"started_ticks": 1}, {"boot_id": "another"}], ids=["recycled pid", "other boot"])
async def test_stranger_with_the_same_pid_is_left_alone(
    executor: Executor, tmp_path: Path, change: dict[str, int | str]
) -> None:
    identity = await start_and_wait(executor, tmp_path, OBEDIENT)
    stranger = replace(identity, **change)  # type: ignore[arg-type]  # the field is drawn by the test's parameters
    assert not await executor.is_alive(stranger)
    await executor.stop(stranger, grace_s=0.1)
    assert await executor.is_alive(identity)
    await executor.stop(identity, grace_s=10)


async def test_process_leads_a_session_of_its_own(executor: Executor, tmp_path: Path) -> None:
    identity = await start_and_wait(executor, tmp_path, OBEDIENT)
    assert os.getsid(identity.pid) == identity.pid
    await executor.stop(identity, grace_s=10)


async def test_output_is_appended_to_the_private_log(executor: Executor, tmp_path: Path) -> None:
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    for _ in range(2):
        await wait_until_ended(executor, await executor.start(plan_python(tmp_path, code)))
    log = tmp_path / "process.log"
    assert log.read_text() == "out\nerr\n" * 2
    assert log.stat().st_mode & 0o777 == 0o600


async def test_environment_is_added(executor: Executor, tmp_path: Path) -> None:
    code = "import os; print(os.environ['ADDED'], 'PATH' in os.environ)"
    plan = replace(plan_python(tmp_path, code), environment={"ADDED": "yes"})
    await wait_until_ended(executor, await executor.start(plan))
    assert plan.log_path.read_text() == "yes True\n"


async def test_owned_processes_are_found_by_their_folder(executor: Executor, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    mark = run / "one.json"
    identity = await executor.start(plan_python(tmp_path, OBEDIENT, str(mark)))
    wait_until(mark.exists, "the process runs")
    assert await executor.find_owned(run) == (identity,)
    assert await executor.find_owned(tmp_path / "other") == ()
    await executor.stop(identity, grace_s=10)
    assert await executor.find_owned(run) == ()


async def test_missing_command_or_folder_is_refused(executor: Executor, tmp_path: Path) -> None:
    missing = ProcessPlan((str(tmp_path / "nothing"),), tmp_path, tmp_path / "process.log")
    with pytest.raises(LaunchFailed, match="cannot be started"):
        await executor.start(missing)
    with pytest.raises(LaunchFailed, match="cannot be started"):
        await executor.start(replace(plan_python(tmp_path, "pass"), working_directory=tmp_path / "nothing"))
