"""The local executor: processes on this host. Linux only: /proc tells who they are, pidfd signals exactly them."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from keisan.domain.errors import LaunchFailed
from keisan.executors.base import ProcessIdentity, ProcessPlan
from keisan.executors.process_table import find_process, list_own_pids, read_arguments
from keisan.kit.clock import read_boot_id

LOG_BYTES_MAX = 4 * 1024 * 1024
KILL_WAIT_S = 10.0
# Secrets of this platform's own processes must not reach what runs beside them.
PRIVATE_PREFIX = "KEISAN_"


class LocalExecutor:
    """Starts processes on this host with `environment` (the daemon's own), settings of keisan left out."""

    name = "local"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name: text for name, text in environment.items() if not name.startswith(PRIVATE_PREFIX)}
        self._boot_id = read_boot_id()

    async def start(self, plan: ProcessPlan) -> ProcessIdentity:
        """Start it in a session of its own; raises LaunchFailed when the command or a directory is missing."""
        process = _spawn_process(plan, self._environment | dict(plan.environment))
        # It is to outlive this object, and is_alive waits for it by pid: without this, Popen warns that its child lives.
        process.returncode = 0
        facts = find_process(process.pid, self._boot_id)
        # A child stays in the table until it is waited for, and nobody has done that yet.
        assert facts is not None
        return facts.identity

    async def is_alive(self, identity: ProcessIdentity) -> bool:
        """Tell whether exactly this process still runs."""
        return self._is_running(identity)

    async def stop(self, identity: ProcessIdentity, grace_s: float) -> None:
        """Send SIGTERM, after `grace_s` SIGKILL, and return when it is gone; with a grace of 0, SIGKILL alone.

        Raises LaunchFailed if the kernel has not taken it away 10 s after SIGKILL (a hung disk or driver).
        """
        try:
            handle = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return
        try:
            # The handle is fixed to whoever has the pid now; only then is it compared, so nobody can slip in between.
            for number, wait_s in _list_signals(grace_s):
                if not self._is_running(identity):
                    return
                signal.pidfd_send_signal(handle, number)
                if await _is_gone_within(handle, wait_s):
                    self._is_running(identity)
                    return
        finally:
            os.close(handle)
        raise LaunchFailed(f"process {identity.pid} is still there {KILL_WAIT_S:g} s after SIGKILL")

    async def find_owned(self, directory: Path) -> tuple[ProcessIdentity, ...]:
        """Return this user's session leaders that name a file under `directory` as an argument of their own."""
        found = []
        for pid in list_own_pids():
            facts = find_process(pid, self._boot_id)
            if facts is None or not facts.is_running or facts.session != pid:
                continue
            if any(Path(argument).parent == directory for argument in read_arguments(pid)):
                found.append(facts.identity)
        return tuple(found)

    def _is_running(self, identity: ProcessIdentity) -> bool:
        if identity.boot_id != self._boot_id:
            return False
        facts = find_process(identity.pid, self._boot_id)
        if facts is None or facts.identity != identity:
            return False
        if not facts.is_running:
            _reap_child(identity.pid)
        return facts.is_running


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending, readable by this user only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


def rotate_log(path: Path) -> None:
    """Move a log past LOG_BYTES_MAX aside to `<name>.1`, over the one before, so that two files bound it."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_name(path.name + ".1"))


async def wait_for_end(handle: int) -> None:
    """Return once the process of a pidfd has ended."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A pidfd becomes readable when its process ends (pidfd_open(2)).
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)


def _spawn_process(plan: ProcessPlan, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        rotate_log(plan.log_path)
        with open_log(plan.log_path) as log:
            # The command is an engine's own plan; nothing in it comes from a call or a name.
            return subprocess.Popen(  # noqa: S603
                plan.argv,
                cwd=plan.working_directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as failure:
        raise LaunchFailed(f"{plan.argv[0]} cannot be started: {failure}") from failure


def _reap_child(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        # Another agent's child that this one adopted; whoever inherited it waits for it.
        return


def _list_signals(grace_s: float) -> tuple[tuple[signal.Signals, float], ...]:
    """Return what is sent one after the other, each with how long its effect is awaited."""
    killing = (signal.SIGKILL, KILL_WAIT_S)
    # Who has no time to end must not begin to: an agent that is asked would end its engines.
    return ((signal.SIGTERM, grace_s), killing) if grace_s > 0 else (killing,)


async def _is_gone_within(handle: int, wait_s: float) -> bool:
    try:
        async with asyncio.timeout(wait_s):
            await wait_for_end(handle)
    except TimeoutError:
        return False
    return True
