"""Load: native/load.c as a call that returns what happened."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage.cache import Programs
from stage.process import LOAD_CORE, prefer_process

END_MARGIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What load is made; `rate_per_s` makes the loop an open one, `calls` ends it early."""

    connections: int
    window_s: float
    warm_s: float = 0.2
    body_bytes: int = 1024
    is_stream: bool = False
    rate_per_s: float | None = None
    calls: int | None = None
    deadline_ms: int = 1000


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What the load saw; `told` is its JSON line, described in native/load.c."""

    told: dict[str, Any]
    is_counted: bool

    @property
    def ended(self) -> int:
        """Calls that ended, well or not."""
        return int(self.told["ended"])

    @property
    def cpu_s(self) -> float:
        """CPU time of the load itself."""
        return float(self.told["cpu_s"])

    @property
    def failed(self) -> int:
        """Calls that did not bring a whole answer with status 200."""
        return self.ended - int(self.told["good"])

    @property
    def per_s(self) -> float:
        """Good calls a second: within the window, or in all if the run was one of so many calls."""
        if self.is_counted:
            return float(self.told["good"]) / float(self.told["elapsed_s"])
        return float(self.told["good_in_window"]) / float(self.told["window_s"])

    @property
    def in_time_per_s(self) -> float:
        """Good calls a second that took no longer than the deadline."""
        return float(self.told["in_time"]) / float(self.told["window_s"])

    def get_us(self, name: str, quantile: str) -> float | None:
        """Return a quantile ("p50", "p99") of "latency", "first_byte" or "gap"; None without a sample."""
        samples = self.told[name]
        return None if samples is None else float(samples[f"{quantile}_us"])


@dataclass(frozen=True, slots=True)
class Loading:
    """A load that runs."""

    process: subprocess.Popen[bytes]
    time_s_max: float
    is_counted: bool

    def finish(self) -> LoadResult:
        """Wait for the end; raises RuntimeError if the load itself failed."""
        line, _ = self.process.communicate(timeout=self.time_s_max)
        if self.process.returncode or not line:
            raise RuntimeError(f"the load ended with {self.process.returncode}")
        return LoadResult(json.loads(line), self.is_counted)


def start_load(programs: Programs, ports: tuple[int, ...], key_path: Path, shape: Shape) -> Loading:
    """Start load on ports of this host."""
    options: dict[str, object] = {
        "--key-file": key_path,
        "--connections": shape.connections,
        "--seconds": shape.window_s,
        "--warm-seconds": shape.warm_s,
        "--body-bytes": shape.body_bytes,
        "--stream": int(shape.is_stream),
        "--rate": shape.rate_per_s or 0,
        "--calls": shape.calls or 0,
        "--deadline-ms": shape.deadline_ms,
    }
    targets = [argument for port in ports for argument in ("--target", str(port))]
    given = [str(word) for pair in options.items() for word in pair]
    command = ["taskset", "-c", str(LOAD_CORE), str(programs.load), *targets, *given]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
    prefer_process(process.pid)
    return Loading(process, shape.window_s + shape.warm_s + END_MARGIN_S, shape.calls is not None)


def run_load(programs: Programs, ports: tuple[int, ...], key_path: Path, shape: Shape) -> LoadResult:
    """Load and wait for the end."""
    return start_load(programs, ports, key_path, shape).finish()
