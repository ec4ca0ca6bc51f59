"""Reading /proc: who a process is, when it started, what it was called with (proc_pid_stat(5))."""

import os
from dataclasses import dataclass
from pathlib import Path

from keisan.executors.base import ProcessIdentity

PROC = Path("/proc")
# Z: ended and not waited for. X, x: being taken away.
DEAD_STATES = frozenset("ZXx")


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """`session` is the pid of the session's leader."""

    identity: ProcessIdentity
    is_running: bool
    session: int


def find_process(pid: int, boot_id: str) -> ProcessFacts | None:
    """Return what /proc tells of a pid now, None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in brackets and may hold spaces and brackets itself.
    fields = text.rpartition(")")[2].split()
    # A killed process is a zombie as soon as its first thread is; the others may still hold its sockets.
    return ProcessFacts(
        identity=ProcessIdentity(pid, int(fields[19]), boot_id),
        is_running=fields[0] not in DEAD_STATES or int(fields[17]) > 1,
        session=int(fields[3]),
    )


def list_own_pids() -> tuple[int, ...]:
    """Return the pids of this user's processes, this one left out."""
    own = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if entry.stat().st_uid == os.geteuid():
                    own.append(int(entry.name))
            except FileNotFoundError:
                continue
    return tuple(own)


def read_arguments(pid: int) -> tuple[str, ...]:
    """Return the arguments a process was started with, none when it is gone or not ours to read."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ()
    return tuple(part.decode("utf-8", "surrogateescape") for part in raw.split(b"\0") if part)
