"""A whole run: platform and simulation as processes of their own, and an independent reader that counts again what it is shown."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from stage.cache import tell

READY_S_MAX = 60.0
LOOK_S = 0.2
QUIET_S_MIN = 10.0
# What stands at the beginning is joining, and the first period has devices that were never heard.
SETTLE_PERIODS = 2
REGIONS = 31
MILLION = 1_000_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class FleetRun:
    """How many devices, in how many sites of each region, read how often, for how many seconds, and where."""

    devices: int
    sites: int
    period_s: int
    duration_s: int
    folder: Path = Path()


@dataclass
class Reader:
    """Looks at the live API, and compares each site's sum with the one that its frame held."""

    client: httpx.Client
    truth_path: Path
    staleness_s: list[float] = field(default_factory=list)
    compared: int = 0
    differing: int = 0
    regions_differing: int = 0
    _stamps: dict[str, int] = field(default_factory=dict)
    _truth: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    _read_bytes: int = 0

    def look(self, *, is_settled: bool) -> dict[str, int]:
        """Read all sites once, note how fresh they are, and return how many devices are of each verdict."""
        answer = self.client.get("/api/v1/telemetry/rollups", params={"level": "site"}).raise_for_status().json()
        seen_ms = time.time() * 1000
        self._read_truth()
        for site in answer["items"]:
            self._look_at(site, seen_ms, is_settled=is_settled)
        return {
            name: sum(site["counts"][name] for site in answer["items"])
            for name in ("devices", "ok", "unknown", "failed", "reporting")
        }

    def _look_at(self, site: dict[str, object], seen_ms: float, *, is_settled: bool) -> None:
        if site["sampled_at"] is None:
            return
        site_id, stamp_ms = str(site["site_id"]), read_instant_ms(str(site["sampled_at"]))
        before_ms, self._stamps[site_id] = self._stamps.get(site_id), stamp_ms
        if before_ms == stamp_ms:
            return
        if before_ms is not None and is_settled:
            self.staleness_s.append((seen_ms - stamp_ms) / 1000)
        held = self._truth.get((site_id, stamp_ms))
        shown = site["sums"]["tokens_per_s"]  # type: ignore[index]  # JSON
        # A device that fell off its bus in between still counts with what it last said, so numbers must agree first.
        if held is not None and held[0] == shown["devices"]:
            self.compared += 1
            self.differing += held[1] != shown["total"]

    def look_at_regions(self) -> int:
        """Compare the regions' sums with their sites' as of the same second; return how many regions are shown."""
        while True:
            regions, sites = (
                self.client.get("/api/v1/telemetry/rollups", params={"level": level}).raise_for_status().json()
                for level in ("region", "site")
            )
            if regions["taken_at"] == sites["taken_at"]:
                break
        for region in regions["items"]:
            own = [site for site in sites["items"] if site["region"] == region["name"]]
            for kind, names in (("counts", region["counts"]), ("sums", region["sums"])):
                for name, shown in names.items():
                    total = sum(site[kind][name]["total"] if kind == "sums" else site[kind][name] for site in own)
                    self.regions_differing += total != (shown["total"] if kind == "sums" else shown)
        return len(regions["items"])

    def count_samples(self) -> int:
        """Return how many samples have been sent by now."""
        self._read_truth()
        return sum(devices for devices, _ in self._truth.values())

    def _read_truth(self) -> None:
        with self.truth_path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, _, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + 1 if whole else 0
        for text in whole.splitlines():
            line = json.loads(text)
            self._truth[line["site_id"], line["sampled_at_ms"]] = (line["devices"], line["tokens_per_s"])


def read_instant_ms(text: str) -> int:
    """Return an instant of the API in ms since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def watch_fleet(run: FleetRun) -> dict[str, object]:
    """Run a platform and a simulated fleet, and return what was read of them."""
    with start_platform(run.folder) as (process, url):
        key = json.loads((run.folder / "operator.json").read_text())["api_key"]
        truth = run.folder / "truth.jsonl"
        truth.touch()
        client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30, trust_env=False)
        with client, start_simulation(run, truth) as simulation:
            return read_run(run, Reader(client, truth), process.pid, simulation)


def read_run(run: FleetRun, reader: Reader, pid: int, simulation: "subprocess.Popen[bytes]") -> dict[str, object]:
    """Look until the simulation ends, and return the figures."""
    while not reader.truth_path.stat().st_size:
        assert simulation.poll() is None, "the simulation ended before its first frame"
        time.sleep(LOOK_S)
    began_s = time.monotonic()
    settled: tuple[float, float] | None = None
    counts: dict[str, int] = {}
    regions = 0
    while simulation.poll() is None and time.monotonic() - began_s < run.duration_s:
        elapsed_s = time.monotonic() - began_s
        counts = reader.look(is_settled=settled is not None)
        if settled is None and elapsed_s > min(SETTLE_PERIODS * run.period_s, run.duration_s / 2):
            settled = (time.monotonic(), read_cpu_s(pid))
            tell(f"{counts['ok']} of {run.devices} devices are ok")
        time.sleep(LOOK_S)
    assert settled is not None, "too short a run"
    read_share = (read_cpu_s(pid) - settled[1]) / (time.monotonic() - settled[0])
    regions = reader.look_at_regions()
    before = reader.count_samples()
    began_s = time.monotonic()
    share = measure_share(pid, max(QUIET_S_MIN, run.duration_s / 10))
    samples_per_s = (reader.count_samples() - before) / (time.monotonic() - began_s)
    assert simulation.poll() is None, "the simulation ended before it was measured"
    stale = sorted(reader.staleness_s)
    return {
        "devices": run.devices,
        "regions": regions,
        "counts": counts,
        "samples_per_s": round(samples_per_s),
        "device_samples_per_s_core": round(samples_per_s / share),
        "platform_cpu_share": round(share, 3),
        # With all sites looked at five times a second.
        "platform_cpu_share_while_read": round(read_share, 3),
        f"memory_bytes_{run.devices // MILLION}m" if run.devices >= MILLION else "memory_bytes": read_memory_bytes(pid),
        "staleness_p50_s": round(stale[len(stale) // 2], 3),
        "staleness_p99_s": round(stale[len(stale) * 99 // 100], 3),
        "staleness_most_s": round(stale[-1], 3),
        "staleness_count": len(stale),
        "frames_compared": reader.compared,
        "frames_differing": reader.differing,
        "regions_differing": reader.regions_differing,
        "history_bytes": count_bytes(run.folder),
    }


def measure_share(pid: int, duration_s: float) -> float:
    """Return which share of a core a process takes while nobody reads, history and roll-ups going on."""
    began_s, cpu_s = time.monotonic(), read_cpu_s(pid)
    time.sleep(duration_s)
    return (read_cpu_s(pid) - cpu_s) / (time.monotonic() - began_s)


def read_cpu_s(pid: int) -> float:
    """Return the CPU time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def read_memory_bytes(pid: int) -> int:
    """Return the most memory that a process has had."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def count_bytes(folder: Path) -> int:
    """Return what lies in a platform's folder, without its database and logs."""
    return sum(path.stat().st_size for path in (folder / "history").rglob("*") if path.is_file())


@contextmanager
def start_platform(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run a platform in a folder; yield its process and its URL."""
    command = [sys.executable, "-m", "keisan.daemon.main", "platform", "--data", str(folder), "--listen", "127.0.0.1:0"]
    log = folder / "platform.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        end_s = time.monotonic() + READY_S_MAX
        while not (urls := [line for line in log.read_text().splitlines() if line.startswith('{"url"')]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end_s, log.read_text()
            time.sleep(LOOK_S)
        yield process, json.loads(urls[-1])["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def start_simulation(run: FleetRun, truth: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `keisan simulate fleet` for longer than it is watched."""
    command = [sys.executable, "-m", "keisan.daemon.main", "simulate", "fleet", "--data", str(run.folder), "--json"]
    command += ["--regions", str(REGIONS), "--devices", str(run.devices), "--rate", f"{run.period_s}s"]
    command += [
        "--sites",
        str(run.sites),
        "--truth",
        str(truth),
        "--duration",
        f"{run.duration_s * 1.2 + 2 * QUIET_S_MIN}s",
    ]
    with (run.folder / "simulation.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
