"""The one JSON line, and under which conditions its figures were taken."""

import hashlib
import importlib.util
import os
import platform
import subprocess
from pathlib import Path

from keisan._native import is_built_by_profile
from stage.cache import tell
from stage.rounds import Spread, Table
from stage.window import Window


def read_cpu_us(window: Window) -> float | None:
    """CPU per call."""
    return window.cpu_us_per_call


def read_p50_us(window: Window) -> float | None:
    """Median latency."""
    return window.load.get_us("latency", "p50")


def read_p99_us(window: Window) -> float | None:
    """Latency of the slowest in a hundred."""
    return window.load.get_us("latency", "p99")


def read_per_s(window: Window) -> float | None:
    """Good calls a second."""
    return window.load.per_s


def format_spread(spread: Spread | None, digits: int = 2) -> list[float] | None:
    """Return [median, minimum, maximum], None without a value."""
    return None if spread is None else spread.format(digits)


def format_table(table: Table) -> dict[str, dict[str, object]]:
    """Return a scenario's figures by subject; each is [median, minimum, maximum]."""
    lines: dict[str, dict[str, object]] = {}
    for subject, windows in table.windows.items():
        line: dict[str, object] = {
            "windows": len(windows),
            "spoilt": sum(window.is_spoilt for window in windows.values()),
            "cpu_us": format_spread(table.compute(subject, read_cpu_us), 1),
            "cpu_ratio_nginx": format_spread(table.compute_ratio(subject, "nginx", read_cpu_us)),
            "per_s": format_spread(table.compute(subject, read_per_s), 0),
            "p50_us": format_spread(table.compute(subject, read_p50_us), 0),
            "p99_us": format_spread(table.compute(subject, read_p99_us), 0),
            "resident_mib": round(max(window.resident_bytes for window in windows.values()) / 2**20, 1),
        }
        unsettled = sum(window.unsettled for window in windows.values())
        if unsettled:
            line["unsettled_records"] = unsettled
        lines[subject] = line
    return lines


def describe_conditions(spool_folder: Path) -> dict[str, object]:
    """Return what the figures depend on beside the code, and say so if the relay is not the one that a wheel has."""
    if not is_built_by_profile():
        tell(
            "bench: this relay is a plain build, which costs a fifth more a call; `make profile` builds it as the wheel's"
        )
    command = ["stat", "--file-system", "--format=%T", str(spool_folder)]
    kind = subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
    native = importlib.util.find_spec("keisan._native")
    assert native is not None
    assert native.origin is not None
    return {
        "relay_is_built_by_profile": is_built_by_profile(),
        "relay_sha256": hashlib.sha256(Path(native.origin).read_bytes()).hexdigest()[:12],
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "spool_file_system": kind,
        "load_1m": round(os.getloadavg()[0], 2),
    }
