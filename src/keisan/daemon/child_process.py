"""What a child is started by, and what is known of one that runs: a process of asyncio's own, or a forked one."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keisan.executors.local import open_log

# What comes before a process's own name and options.
COMMAND = (sys.executable, "-m", "keisan.daemon.main")


class ChildProcess(Protocol):
    """A process that was started here; `returncode` is None until it was waited for, the negative signal if one ended it."""

    @property
    def pid(self) -> int:
        """Return its pid."""

    @property
    def returncode(self) -> int | None:
        """Return how it ended."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """Return what it prints."""

    async def wait(self) -> int:
        """Return how it ended, once it has."""

    def send_signal(self, number: signal.Signals, /) -> None:
        """Signal it, and nobody who has its pid later; raises ProcessLookupError if it is gone."""


@dataclass(frozen=True, slots=True)
class ChildOrder:
    """What to start: standard error goes to the log."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log_path: Path


Launch = Callable[[ChildOrder], Awaitable[ChildProcess]]


async def spawn(order: ChildOrder) -> ChildProcess:
    """Start a process in a session of its own; raises OSError."""
    with open_log(order.log_path) as log:
        return await asyncio.create_subprocess_exec(
            *order.command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=log,
            env=dict(order.environment),
            start_new_session=True,
        )
