"""The mock engine and the stand-in platform: native/engine.c and native/platform.c as processes of the bench."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from stage.cache import Programs
from stage.process import LOAD_CORE, Pinned, read_ready_line, start_pinned

SETTLE_S_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Replicas of one model in one process: as many TCP ports as unix sockets."""

    pinned: Pinned
    ports: tuple[int, ...]
    sockets: tuple[Path, ...]

    def count(self, what: str) -> int:
        """Return how many `json` answers or `streams` were begun, or how many are `open_streams` now."""
        return int(httpx.get(f"http://127.0.0.1:{self.ports[0]}/counts", timeout=10).json()[what])

    def count_calls(self) -> int:
        """Return how many calls were answered or are being answered."""
        counts = httpx.get(f"http://127.0.0.1:{self.ports[0]}/counts", timeout=10).json()
        return int(counts["json"]) + int(counts["streams"])

    def set_pace_us(self, pace_us: int) -> None:
        """Let the events of streams come that far apart; 0: as fast as they are taken."""
        httpx.get(f"http://127.0.0.1:{self.ports[0]}/set?pace_us={pace_us}", timeout=10).raise_for_status()


@dataclass(frozen=True, slots=True)
class Platform:
    """Takes usage records; `url` is what a gateway is told."""

    pinned: Pinned
    url: str

    def count(self, what: str = "records") -> int:
        """Return how many `records` came, how many `repeated` an earlier one's id, how many `batches` or `credits` were answered."""
        return int(httpx.get(f"{self.url}/counts", timeout=10).json()[what])

    def wait_for_records(self, count: int) -> bool:
        """Wait until `count` records came in all; False if they do not in time."""
        end_s = time.monotonic() + SETTLE_S_MAX
        while time.monotonic() < end_s:
            if self.count() >= count:
                return True
            time.sleep(0.02)
        return False


def start_engine(programs: Programs, folder: Path, name: str, options: Sequence[str] = (), replicas: int = 2) -> Engine:
    """Start an engine; `options` are those of native/engine.c."""
    sockets = tuple(folder / f"{name}-{position}.sock" for position in range(replicas))
    listeners = [argument for path in sockets for argument in ("--unix", path)]
    command = [programs.engine, "--tcp", str(replicas), *listeners, *options]
    pinned = start_pinned(name, command, LOAD_CORE, folder / f"{name}.log")
    return Engine(pinned, _read_ports(pinned), sockets)


def start_platform(programs: Programs, folder: Path) -> Platform:
    """Start a stand-in platform."""
    pinned = start_pinned("platform", [programs.platform], LOAD_CORE, folder / "platform.log")
    return Platform(pinned, f"http://127.0.0.1:{_read_ports(pinned)[0]}")


def _read_ports(pinned: Pinned) -> tuple[int, ...]:
    ports = read_ready_line(pinned)["ports"]
    assert isinstance(ports, list)
    return tuple(ports)
