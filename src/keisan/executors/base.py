"""The contract of an executor: it starts, finds and ends processes on a site, always by identity, never by pid alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """What to start. `environment` is added to the executor's own; output is appended to `log_path`."""

    argv: tuple[str, ...]
    working_directory: Path
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process among all that ever had its pid: start time in clock ticks since boot, and which boot."""

    pid: int
    started_ticks: int
    boot_id: str


class Executor(Protocol):
    """Starts processes that outlive the one that started them."""

    @property
    def name(self) -> str:
        """The name by which a site names it."""
        ...

    async def start(self, plan: ProcessPlan) -> ProcessIdentity:
        """Start a process in a session of its own and return who it is; raises LaunchFailed when it cannot."""
        ...

    async def is_alive(self, identity: ProcessIdentity) -> bool:
        """Tell whether exactly this process still runs; a dead one that nobody waited for does not."""
        ...

    async def stop(self, identity: ProcessIdentity, grace_s: float) -> None:
        """Ask it to end, kill it after `grace_s` seconds, and return when it is gone; does nothing when it is already.

        With a grace of 0 it is killed without being asked, so that it does nothing more. A process that got the same pid since is never signalled.
        """
        ...

    async def find_owned(self, directory: Path) -> tuple[ProcessIdentity, ...]:
        """Return this user's session leaders that name a file under `directory` as an argument of their own."""
        ...
