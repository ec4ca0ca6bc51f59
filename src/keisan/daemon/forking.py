"""Starting processes by forking one that has loaded their code already; where it is gone they start as all others do."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keisan.daemon.child_process import COMMAND, ChildOrder, ChildProcess, spawn
from keisan.executors.local import open_log, wait_for_end
from keisan.kit.observe import write_warning

# Of the processes that are forked, what each runs. A gateway must hold nothing of what a platform's process does.
MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "platform": ("uvloop", "keisan.daemon.platform"),
    "site": ("keisan.daemon.site",),
}
# How one ended that nobody was left to wait for: no code of a process, and no signal.
UNKNOWN_END: Final = 256
CONNECT_S_MAX = 10.0
_ANSWER_BYTES_MAX = 1024
Output = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ForkServerGone(Exception):
    """It answers no more."""


@dataclass(slots=True)
class ForkServer:
    """The other end of a fork server, which forks the processes of `names`. One order is answered before the next is sent."""

    orders: socket.socket
    names: frozenset[str]
    group: asyncio.TaskGroup
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def launch(self, order: ChildOrder) -> ChildProcess:
        """Fork a process that is one of `names`, and start any other, as `spawn` does; raises OSError."""
        if order.name not in self.names:
            return await spawn(order)
        forking = self.group.create_task(self._fork(order), name=f"fork of {order.name}")
        try:
            forked = await asyncio.shield(forking)
        except asyncio.CancelledError:
            # It may be there by now, and nobody would know of it.
            with suppress(ProcessLookupError):
                if forked := await forking:
                    forked.send_signal(signal.SIGKILL)
            raise
        if forked is None:
            write_warning("fork_server.gone", name=order.name)
            return await spawn(order)
        return forked

    async def read_end(self, pid: int) -> int:
        """Return how a forked process ended, which it has; UNKNOWN_END if the server did before it."""
        try:
            return (await self._ask({"ended": pid}))["returncode"]
        except ForkServerGone:
            return UNKNOWN_END

    async def _fork(self, order: ChildOrder) -> "ForkedProcess | None":
        """Return None if there is no server any more."""
        message = {"arguments": order.command[len(COMMAND) :], "environment": dict(order.environment)}
        ours, theirs = socket.socketpair()
        with ExitStack() as undoing:
            undoing.callback(ours.close)
            try:
                with theirs, open_log(order.log_path) as log:
                    pid = (await self._ask(message, (theirs.fileno(), log.fileno())))["pid"]
            except ForkServerGone:
                return None
            # Before anybody waits for it, so that nobody else can have its pid.
            handle = os.pidfd_open(pid)
            async with asyncio.timeout(CONNECT_S_MAX):
                output = await asyncio.open_connection(sock=ours)
            undoing.pop_all()
        forked = ForkedProcess(pid, handle, output)
        self.group.create_task(forked.follow(self.read_end), name=f"end of {pid}")
        return forked

    async def _ask(self, message: Mapping[str, object], files: tuple[int, ...] = ()) -> dict[str, int]:
        async with self.turn:
            try:
                socket.send_fds(self.orders, [json.dumps(message).encode()], files)
                answer = await asyncio.get_running_loop().sock_recv(self.orders, _ANSWER_BYTES_MAX)
            except OSError as fault:
                raise ForkServerGone from fault
        if not answer:
            raise ForkServerGone
        found: dict[str, int] = json.loads(answer)
        return found


class ForkedProcess:
    """A process that was forked, known by a handle that is nobody else's whoever has its pid later."""

    def __init__(self, pid: int, handle: int, output: Output) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self._output = output
        self._handle = handle
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        """Return how it ended, once it has."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals, /) -> None:
        """Signal it; raises ProcessLookupError if it is gone."""
        if self.returncode is not None:
            raise ProcessLookupError(f"process {self.pid} has ended")
        signal.pidfd_send_signal(self._handle, number)

    async def follow(self, read_end: Callable[[int], Awaitable[int]]) -> None:
        """Wait until it has ended, ask how, and let go of it; of one that is not waited for, nobody knows how."""
        end = UNKNOWN_END
        try:
            await wait_for_end(self._handle)
            end = await read_end(self.pid)
        finally:
            self.returncode = end
            os.close(self._handle)
            self._output.close()
            self._ended.set()


@asynccontextmanager
async def open_fork_server(
    folder: Path, environment: Mapping[str, str], modules: Mapping[str, tuple[str, ...]] = MODULES
) -> AsyncIterator[ForkServer]:
    """Run a fork server for what works in `folder`, with its log there; it loads `modules` while others go on. Raises OSError.

    The block lasts until all that it has forked has ended.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        ours.setblocking(False)
        with theirs, open_log(folder / "fork_server.log") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "keisan.daemon.fork_server", str(folder)),
                *(module for needed in modules.values() for module in needed),
                stdin=theirs.fileno(),
                stdout=DEVNULL,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
            )
        try:
            async with asyncio.TaskGroup() as group:
                yield ForkServer(ours, frozenset(modules), group)
        finally:
            # Perhaps it still loads; it has nothing to lose.
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
