"""Started processes: pinned to a core, stopped and continued as a tree, their CPU time and resident memory."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KEISAN = Path(sys.executable).with_name("keisan")
# Engine, platform and load share one core; what is measured has the other for itself.
LOAD_CORE = 0
SUBJECT_CORE = 1
END_S_MAX = 15.0
PRIORITY = -19
LAST_WORDS_CHARACTERS = 500


@dataclass(slots=True)
class Pinned:
    """A started process with its children, which stay on its core; `ids` are as of the last note_trees."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path
    ids: list[int]

    def read_cpu_ns(self) -> int:
        """Return the CPU time (user and system) of the whole tree."""
        return sum(map(read_cpu_ns, self.ids))

    def read_threads_cpu_ns(self) -> dict[str, int]:
        """Return the CPU time of the tree's living threads by name."""
        times: dict[str, int] = {}
        for one in self.ids:
            for thread in Path(f"/proc/{one}/task").iterdir():
                name = (thread / "comm").read_text().strip()
                times[name] = times.get(name, 0) + int((thread / "schedstat").read_text().split()[0])
        return times

    def read_resident_bytes(self) -> int:
        """Return the resident memory of the whole tree."""
        pages = (int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in self.ids)
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def signal_tree(self, number: signal.Signals) -> None:
        """Send a signal to each process of the tree."""
        for one in self.ids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)

    def describe_end(self) -> str:
        """Return with what the process ended, and its last words."""
        words = self.log_path.read_text(errors="replace")[-LAST_WORDS_CHARACTERS:].strip()
        return f"{self.name} ended with {self.process.wait()}: {words}"

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the tree and wait for it; what has not ended in time is killed."""
        note_trees([self])
        if self.process.poll() is None:
            self.signal_tree(signal.SIGCONT)
            self.process.send_signal(how)
            try:
                self.process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                self.signal_tree(signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def note_trees(started: Iterable[Pinned]) -> None:
    """Find the children of each anew; one look at all processes of the host serves for all."""
    children: dict[int, list[int]] = {}
    for fields in read_process_lines():
        children.setdefault(int(fields[PARENT]), []).append(int(fields[0]))
    for pinned in started:
        pinned.ids = [pinned.process.pid]
        for one in pinned.ids:
            pinned.ids += children.get(one, [])


# Fields of /proc/PID/stat as read_process_lines yields them (proc(5) counts from 1 and has the name as the second).
PARENT, FLAGS, USER_TICKS, SYSTEM_TICKS = 2, 7, 12, 13


def read_process_lines() -> Iterator[list[str]]:
    """Yield the fields of /proc/PID/stat of every process, without the name, which may hold anything."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield [entry.name, *Path(entry.path, "stat").read_text().rpartition(")")[2].split()]


def read_cpu_ns(process_id: int) -> int:
    """Return the CPU time of one process: all its threads, ended ones too, user and system, as the kernel's clock has it.

    The id of that clock is the process's id turned around, as clock_getcpuclockid(3) makes it (2: run time of the scheduler).
    """
    try:
        return time.clock_gettime_ns((~process_id << 3) | 2)
    except OSError:
        return 0


def start_pinned(
    name: str, command: Sequence[str | Path], core: int, log_path: Path, environment: Mapping[str, str] | None = None
) -> Pinned:
    """Start a command on one core; its standard error goes to `log_path`."""
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    prefer_process(process.pid)
    return Pinned(name, process, log_path, [process.pid])


def prefer_process(process_id: int) -> None:
    """Let the rest of the host wait for a process of a session of its own, as far as this user may ask for that.

    Where the kernel groups sessions (autogroup), a process's own nice value ranks it within its session only.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process_id, PRIORITY)
        Path(f"/proc/{process_id}/autogroup").write_text(str(PRIORITY))


def read_ready_line(pinned: Pinned) -> dict[str, object]:
    """Return the JSON line that a process prints when it answers; raises RuntimeError if it ends first."""
    assert pinned.process.stdout is not None
    line = pinned.process.stdout.readline()
    if not line:
        raise RuntimeError(pinned.describe_end())
    ready = json.loads(line)
    assert isinstance(ready, dict)
    return ready


def wait_until_listening(pinned: Pinned, port: int, within_s: float = 30.0) -> None:
    """Wait until something listens on `port`; raises RuntimeError if the process ends first, or time is up."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if pinned.process.poll() is not None:
            raise RuntimeError(pinned.describe_end())
        if is_listening(port):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{pinned.name} does not listen on {port}")


def is_listening(port: int) -> bool:
    """Tell whether a TCP port of this host is listened on, without a connection that would disturb."""
    wanted = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in lines)


@contextlib.contextmanager
def run_alone(others: Sequence[Pinned]) -> Iterator[None]:
    """Freeze all others while one is measured."""
    for other in others:
        other.signal_tree(signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            other.signal_tree(signal.SIGCONT)
