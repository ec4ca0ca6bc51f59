"""Question: does goodput hold at three times the capacity, and what fails in a rolling restart or when a replica dies?

Method: two engines of bounded slots and service time, open-loop calls at 1, 2, 3 x their capacity; then faults at 0.35 x.
Reference: the engines' capacity (slots / service time), and nginx in front of the same engines in the same run.
Wrong if: load or host cannot keep the rate (unsent calls), or goodput counts calls that took longer than the deadline.
"""

import argparse
import json
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from keisan.domain.key import Secret
from stage.cache import Programs, compile_programs, tell
from stage.engine import Engine, Platform, start_engine, start_platform
from stage.gateway import GatewayPlace, restart_gateway, start_gateway
from stage.load import LoadResult, Shape, run_load, start_load
from stage.nginx import start_nginx
from stage.opening import open_folder
from stage.ports import find_free_ports
from stage.report import describe_conditions
from stage.snapshot import Governance, create_keys
from stage.subject import Subject
from stage.window import warm_subject

# Each engine serves SLOTS calls at a time, each for SERVICE_US: together 800 calls a second.
SLOTS = 8
SERVICE_US = 20_000
ENGINES = 2
CAPACITY_PER_S = ENGINES * SLOTS * 1_000_000 / SERVICE_US
OFFERED = (1.0, 2.0, 3.0)
# With one engine gone, the other is at 0.7 of its own capacity.
FAULT_SHARE = 0.35
# The fault comes after this share of the load's time.
ACT_SHARE = 0.2
CONNECTIONS_MAX = 4_000
DEADLINE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Set:
    """The engines and the platform, and what gateways are made of."""

    programs: Programs
    folder: Path
    engines: tuple[Engine, ...]
    platform: Platform
    keys: list[Secret]

    @property
    def governance(self) -> Governance:
        """Each engine as one replica with as many slots as it has."""
        return Governance([engine.sockets[0] for engine in self.engines], SLOTS)


def open_set(folder: Path, stack: ExitStack) -> Set:
    """Start engines and platform; `stack` ends them."""
    programs = compile_programs()
    folder.mkdir()
    options = ("--slots", str(SLOTS), "--service-us", str(SERVICE_US))
    engines = tuple(start_engine(programs, folder, f"engine-{number}", options, 1) for number in range(ENGINES))
    platform = start_platform(programs, folder)
    for pinned in (*(engine.pinned for engine in engines), platform.pinned):
        stack.callback(pinned.end)
    return Set(programs, folder, engines, platform, create_keys())


def start_one(opened: Set, name: str, stack: ExitStack, port: int = 0) -> Subject:
    """Start a gateway of keisan in front of the engines."""
    place = GatewayPlace(opened.folder / name, port)
    subject = start_gateway(place, opened.keys, opened.governance, opened.platform)
    assert subject.pinned is not None
    stack.callback(subject.pinned.end)
    warm_subject(opened.programs, subject, ENGINES * SLOTS)
    return subject


def offer(opened: Set, subject: Subject, share: float, window_s: float) -> dict[str, object]:
    """Offer a multiple of the capacity for a while."""
    shape = Shape(CONNECTIONS_MAX, window_s, 0.5, rate_per_s=share * CAPACITY_PER_S, deadline_ms=DEADLINE_MS)
    load = run_load(opened.programs, (subject.port,), subject.key_path, shape)
    goodput = load.in_time_per_s / CAPACITY_PER_S
    tell(f"{subject.name:>8} at {share} x capacity: goodput {goodput:.2f} x capacity, codes {load.told['codes']}")
    return {"goodput_of_capacity": round(goodput, 3), **describe_load(load)}


def describe_load(load: LoadResult) -> dict[str, object]:
    """Return what became of the calls."""
    told = load.told
    faults = {name: told[name] for name in ("lost", "lost_unanswered", "refused", "broken", "not_done", "unsent")}
    return {
        "calls": load.ended,
        "good": told["good"],
        "refusals_by_code": told["codes"],
        "statuses": told["statuses"],
        "faults": {name: count for name, count in faults.items() if count},
        "p50_ms": round((load.get_us("latency", "p50") or 0) / 1000, 1),
        "p99_ms": round((load.get_us("latency", "p99") or 0) / 1000, 1),
    }


def measure_overload(folder: Path, window_s: float) -> dict[str, dict[str, object]]:
    """Measure goodput of keisan and of nginx; each offer starts with fresh engines, as nginx leaves theirs a long queue."""
    found: dict[str, dict[str, object]] = {"keisan": {}, "nginx": {}}
    for share in OFFERED:
        with ExitStack() as stack:
            opened = open_set(folder / f"overload-{share:g}", stack)
            own = start_one(opened, "keisan", stack)
            found["keisan"][f"{share:g}x"] = offer(opened, own, share, window_s)
        with ExitStack() as stack:
            opened = open_set(folder / f"overload-nginx-{share:g}", stack)
            merged = Engine(
                opened.engines[0].pinned,
                tuple(engine.ports[0] for engine in opened.engines),
                tuple(engine.sockets[0] for engine in opened.engines),
            )
            _, reference = start_nginx(opened.folder / "nginx", merged, opened.keys)
            assert reference.pinned is not None
            stack.callback(reference.pinned.end)
            found["nginx"][f"{share:g}x"] = offer(opened, reference, share, window_s)
    return found


def load_during(opened: Set, subjects: list[Subject], window_s: float, act: Callable[[], None]) -> dict[str, object]:
    """Load the gateways in turn, do something to them meanwhile, and tell what failed."""
    shape = Shape(CONNECTIONS_MAX, window_s, 0.0, rate_per_s=FAULT_SHARE * CAPACITY_PER_S, deadline_ms=DEADLINE_MS)
    ports = tuple(subject.port for subject in subjects)
    records_before = opened.platform.count()
    loading = start_load(opened.programs, ports, subjects[0].key_path, shape)
    time.sleep(window_s * ACT_SHARE)
    started_s = time.monotonic()
    act()
    act_s = time.monotonic() - started_s
    load = loading.finish()
    if act_s > window_s * (1 - ACT_SHARE):
        raise RuntimeError(f"it took {act_s:.1f} s, longer than the load lasted")
    # A kept connection that closes just as it is used again is what every client repeats a call for: it is told apart.
    failed = load.failed - load.told["lost_unanswered"]
    # The last of them are handed in a second after the load has ended.
    opened.platform.wait_for_records(records_before + int(load.told["good"]))
    records = opened.platform.count() - opened.platform.count("repeated") - records_before
    return {
        "failed": failed,
        "repeated_by_clients": load.told["lost_unanswered"],
        "records": records,
        "fault_s": round(act_s, 1),
        **describe_load(load),
    }


def measure_rolling_restart(folder: Path, window_s: float) -> dict[str, object]:
    """Restart two gateways one after the other under load that goes to whichever listens."""
    with ExitStack() as stack:
        opened = open_set(folder / "rolling", stack)
        ports = find_free_ports(2)
        subjects = [start_one(opened, f"keisan-{port}", stack, port) for port in ports]

        def restart_all() -> None:
            for port, subject in zip(ports, subjects, strict=True):
                assert subject.pinned is not None
                subject.pinned.end()
                place = GatewayPlace(opened.folder / f"keisan-{port}", port)
                again = restart_gateway(place, opened.platform)
                assert again.pinned is not None
                stack.callback(again.pinned.end)

        return load_during(opened, subjects, window_s, restart_all)


def measure_replica_loss(folder: Path, window_s: float) -> dict[str, object]:
    """Kill one of the two engines under load that the other can carry."""
    with ExitStack() as stack:
        opened = open_set(folder / "loss", stack)
        subject = start_one(opened, "keisan", stack)
        return load_during(opened, [subject], window_s, lambda: opened.engines[1].pinned.end(signal.SIGKILL))


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under 60 s: shorter windows")
    asked = parser.parse_args()
    # Two gateways in turn start anew within the second, and each imports Python's libraries first.
    window_s, rolling_s, loss_s = (2.0, 10.0, 4.0) if asked.quick else (15.0, 30.0, 30.0)
    with open_folder() as folder:
        overload = measure_overload(folder, window_s)
        rolling = measure_rolling_restart(folder, rolling_s)
        loss = measure_replica_loss(folder, loss_s)
        conditions = describe_conditions(folder)
    own, reference = (overload[name]["3x"] for name in ("keisan", "nginx"))
    assert isinstance(own, dict)
    assert isinstance(reference, dict)
    line = {
        "bench": "relay_overload",
        "n": own["calls"],
        "goodput_3x": own["goodput_of_capacity"],
        "goodput_3x_nginx": reference["goodput_of_capacity"],
        "p50_ms": own["p50_ms"],
        "p99_ms": own["p99_ms"],
        "capacity_per_s": CAPACITY_PER_S,
        "deadline_ms": DEADLINE_MS,
        "overload": overload,
        "rolling_restart": rolling,
        "replica_loss": loss,
        "conditions": conditions,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
