"""Forked processes are like started ones: a session, a log, an environment and an end of their own, and none is left over."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from keisan.daemon.child_process import COMMAND, ChildOrder, ChildProcess
from keisan.daemon.forking import UNKNOWN_END, ForkServer, open_fork_server
from tests.deadline import wait_until_async
from tests.ports import find_free_port

# Loads nothing ahead, so that each test is quick: what is forked loads it by itself.
NOTHING: Mapping[str, tuple[str, ...]] = {"platform": ()}


@asynccontextmanager
async def open_quick(folder: Path) -> AsyncIterator[ForkServer]:
    async with open_fork_server(folder, os.environ, NOTHING) as server:
        yield server


def order(folder: Path, *options: str, **environment: str) -> ChildOrder:
    command = (*COMMAND, "platform", "--data", str(folder / "data"), *options)
    return ChildOrder("platform", command, dict(os.environ) | environment, folder / "platform.log")


def list_processes(folder: Path) -> list[psutil.Process]:
    """Return the server of a folder and whatever it has forked."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def find_server(folder: Path) -> psutil.Process:
    # Other tests' children may be anything by now, even ended and not waited for: of those nothing can be read.
    [server] = set(list_processes(folder)) & set(psutil.Process().children())
    return server


async def read_url(process: ChildProcess) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return str(json.loads(await process.stdout.readline())["url"])


async def test_forked_platform_is_its_own_and_ends_when_asked(tmp_path: Path) -> None:
    async with open_fork_server(tmp_path, os.environ) as server:
        address = f"127.0.0.1:{find_free_port()}"
        process = await server.launch(order(tmp_path, KEISAN_PLATFORM__LISTEN=address))
        assert await read_url(process) == f"http://{address}"
        assert os.getsid(process.pid) == process.pid
        assert psutil.Process(process.pid).parent() == find_server(tmp_path)
        process.send_signal(signal.SIGTERM)
        assert (await process.wait(), process.returncode) == (0, 0)
        with pytest.raises(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    assert "process.ended" in (tmp_path / "platform.log").read_text()
    assert not list_processes(tmp_path)


async def test_what_ends_a_forked_process_is_told(tmp_path: Path) -> None:
    async with open_quick(tmp_path) as server:
        wrong = await server.launch(order(tmp_path, "--listen", "nonsense"))
        assert await wrong.wait() == 2
        assert "nonsense" in (tmp_path / "platform.log").read_text()
        killed = await server.launch(order(tmp_path, "--listen", "127.0.0.1:0"))
        killed.send_signal(signal.SIGKILL)
        assert await killed.wait() == -signal.SIGKILL


async def test_any_other_process_is_started_and_not_forked(tmp_path: Path) -> None:
    async with open_quick(tmp_path) as server:
        command = (sys.executable, "-c", 'print(\'{"url": "here"}\', flush=True); import time; time.sleep(60)')
        process = await server.launch(ChildOrder("gateway", command, dict(os.environ), tmp_path / "gateway.log"))
        assert await read_url(process) == "here"
        assert psutil.Process(process.pid).parent() == psutil.Process()
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL


async def test_processes_start_and_end_without_a_server_that_was_killed(tmp_path: Path) -> None:
    async with open_quick(tmp_path) as server:
        before = await server.launch(order(tmp_path, "--listen", "127.0.0.1:0"))
        gone = find_server(tmp_path)
        gone.kill()
        await read_url(before)
        after = await server.launch(order(tmp_path, "--listen", "nonsense"))
        assert await after.wait() == 2
        before.send_signal(signal.SIGTERM)
        assert await before.wait() == UNKNOWN_END


async def test_launch_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    async with open_quick(tmp_path) as server:
        launching = asyncio.create_task(server.launch(order(tmp_path, "--listen", "127.0.0.1:0")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        launching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launching
        following = await server.launch(order(tmp_path, "--listen", "nonsense"))
        assert await following.wait() == 2
        only = find_server(tmp_path)
        await wait_until_async(lambda: list_processes(tmp_path) == [only], "nothing but the server is there")


async def test_block_that_fails_holds_nothing_of_what_it_forked(tmp_path: Path) -> None:
    async def fail() -> None:
        async with open_quick(tmp_path) as server:
            forked.append(await server.launch(order(tmp_path, "--listen", "127.0.0.1:0")))
            left.append(psutil.Process(forked[0].pid))
            raise OSError

    forked: list[ChildProcess] = []
    left: list[psutil.Process] = []
    held = psutil.Process().num_fds()
    with pytest.raises(ExceptionGroup):
        await fail()
    left[0].kill()
    assert forked[0].returncode == UNKNOWN_END
    # A transport lets go of its socket at the loop's next turn.
    await asyncio.sleep(0)
    assert psutil.Process().num_fds() <= held
