"""Started processes: pinned to a core, stopped and continued as a tree, their CPU time and resident memory."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# Engine, platform and load share one core; what is measured has the other for itself.
LOAD_CORE = 0
SUBJECT_CORE = 1
END_S_MAX = 15.0


@dataclass
class Pinned:
    """A started process with its children, which stay on its core."""

    name: str
    process: subprocess.Popen[bytes]
    _tree: list[psutil.Process] = field(default_factory=list)

    def list_tree(self) -> list[psutil.Process]:
        """Return the process and its children, asked anew."""
        own = psutil.Process(self.process.pid)
        self._tree = [own, *own.children(recursive=True)]
        return self._tree

    def read_cpu_ns(self) -> int:
        """Return the CPU time (user and system) of the whole tree."""
        return sum(read_cpu_ns(one.pid) for one in self.list_tree())

    def read_resident_bytes(self) -> int:
        """Return the resident memory of the whole tree."""
        return sum(int(one.memory_info().rss) for one in self.list_tree())

    def freeze(self) -> None:
        """Stop the tree where it is, so that it takes no CPU from the others."""
        for one in self.list_tree():
            one.suspend()

    def thaw(self) -> None:
        """Let a frozen tree go on."""
        for one in self._tree:
            one.resume()

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the tree and wait for it."""
        if self.process.poll() is None:
            tree = self.list_tree()
            self.thaw()
            self.process.send_signal(how)
            _, alive = psutil.wait_procs(tree, timeout=END_S_MAX)
            for one in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.wait()


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
        )
    return Pinned(name, process)


def read_ready_line(pinned: Pinned) -> dict[str, object]:
    """Return the JSON line that a process prints when it answers; raises RuntimeError if it ends first."""
    assert pinned.process.stdout is not None
    line = pinned.process.stdout.readline()
    if not line:
        raise RuntimeError(f"{pinned.name} ended before it was ready, with {pinned.process.wait()}")
    ready = json.loads(line)
    assert isinstance(ready, dict)
    return ready


def wait_until_listening(pinned: Pinned, port: int, within_s: float = 30.0) -> None:
    """Wait until something listens on `port`; raises RuntimeError if the process ends first, or time is up."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if pinned.process.poll() is not None:
            raise RuntimeError(f"{pinned.name} ended with {pinned.process.returncode}")
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
        other.freeze()
    try:
        yield
    finally:
        for other in others:
            other.thaw()
