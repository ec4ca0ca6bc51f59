"""Question: what do a JSON call and a streamed call cost in CPU, and how long do they take longer, through the gateway?

Method: each gateway alone on one core; load and engine on the other; alternating rounds, order turned; CPU of whole trees.
Reference: nginx as a plain proxy, and routers from a registry, in the same run; DESIGN section 7: 1.5, 1.2, 1.1 x nginx.
Wrong if: keisan leaves out governance or metering, a call fails, load or engine is the bound, or windows are spoilt.
"""

import argparse
import json
import time
from pathlib import Path

from stage.cache import tell
from stage.load import Shape, run_load
from stage.opening import EVERYONE, open_folder, open_stage
from stage.report import describe_conditions, format_spread, format_table, read_cpu_us, read_p50_us, read_p99_us
from stage.rounds import Plan, Scenario, Table, measure_scenario
from stage.window import Stage

ROUNDS = 5
PACE_US = 10_000
# A quick run ends within a minute, so its peers are measured less often than keisan and nginx.
QUICK_RETRY_S = 8.0
FULL_RETRY_S = 300.0
KIB, MIB = 1024, 1024 * 1024


def list_quick_scenarios() -> list[Scenario]:
    """Return what fits into a minute."""
    return [
        Scenario("json_32", Shape(32, 0.5, 0.1), rounds_by_subject=_limit_peers(2)),
        Scenario("sse_paced_64", _shape_paced(streams_each=2), PACE_US, rounds_by_subject=_limit_peers(1)),
        Scenario("json_1", Shape(1, 0.3, 0.05), is_direct_measured=True, rounds_by_subject=_limit_peers(1)),
    ]


def list_scenarios() -> list[Scenario]:
    """Return all that is measured."""
    return [
        Scenario("json_32", Shape(32, 2.5, 0.5)),
        Scenario("sse_paced_64", _shape_paced(streams_each=5), PACE_US),
        Scenario("json_1", Shape(1, 2.0), is_direct_measured=True),
        # The same calls a second for all: at full speed a faster gateway keeps the other side's core awake, which is cheaper.
        Scenario("json_at_5k", Shape(32, 2.5, 0.5, rate_per_s=5_000.0)),
        Scenario("json_at_15k", Shape(32, 2.5, 0.5, rate_per_s=15_000.0)),
        Scenario("json_128", Shape(128, 2.5, 0.5)),
        Scenario("json_1024", Shape(1024, 2.5, 1.0)),
        Scenario("json_32_32k", Shape(32, 2.5, 0.5, 32 * KIB)),
        Scenario("json_32_1m", Shape(32, 2.5, 0.5, MIB)),
        Scenario("json_1_1m", Shape(1, 3.0, 0.3, MIB), is_direct_measured=True),
        Scenario("json_2_1m", Shape(2, 3.0, 0.3, MIB), is_direct_measured=True),
        Scenario("sse_flood_32", Shape(32, 2.5, 0.5, is_stream=True)),
    ]


def _shape_paced(streams_each: int) -> Shape:
    """Whole streams only, so that no window holds the beginning of one and not its end."""
    return Shape(64, 60.0, 0.0, is_stream=True, calls=64 * streams_each)


def _limit_peers(rounds: int) -> dict[str, int]:
    return {"vllm_router": rounds, "sglang_router": rounds, "nginx_unix": rounds}


def keep_running(folder: Path, scenario: Scenario, subject_name: str, run_s: float) -> None:
    """Load one gateway for a while, for a profiler: `perf record -g -p PID` with the id that is told."""
    with open_stage(folder, {subject_name}) as (stage, _):
        subject = stage.get_subject(subject_name)
        assert subject.pinned is not None
        stage.engine.set_pace_us(scenario.pace_us)
        tell(
            f"bench: {subject_name} is process {subject.pinned.process.pid} on port {subject.port}, under {scenario.name}"
        )
        shape = Shape(scenario.shape.connections, run_s, 0.0, scenario.shape.body_bytes, scenario.shape.is_stream)
        before_ns = subject.pinned.read_threads_cpu_ns()
        load = run_load(stage.programs, (subject.port,), subject.key_path, shape)
        if load.failed:
            raise RuntimeError(f"{load.failed} of {load.ended} calls failed: {load.told}")
        spent = {name: ns - before_ns.get(name, 0) for name, ns in subject.pinned.read_threads_cpu_ns().items()}
        threads = {name: round(ns / 1e3 / max(load.ended, 1), 2) for name, ns in sorted(spent.items()) if ns}
        line = {"bench": "relay_cpu", "kept_running": scenario.name, "cpu_us_by_thread": threads, "load": load.told}
        print(json.dumps(line))


def format_line(tables: dict[str, Table], plan: Plan) -> dict[str, object]:
    """Return the bench's line but for its conditions; every ratio is [median, minimum, maximum] over the rounds."""
    # A scenario that was not asked for has no windows, and its ratio is null.
    json_32, paced, json_1 = (tables.get(name) or Table() for name in ("json_32", "sse_paced_64", "json_1"))
    ratios = {}
    for reference in ("nginx", "nginx_unix"):
        ratios[f"json_cpu_ratio_{reference}"] = json_32.compute_ratio("keisan", reference, read_cpu_us)
        ratios[f"sse_cpu_ratio_{reference}"] = paced.compute_ratio("keisan", reference, read_cpu_us)
        ratios[f"added_latency_ratio_{reference}"] = json_1.compute_added_ratio("keisan", reference, read_p50_us)
    line: dict[str, object] = {"bench": "relay_cpu", "n": plan.rounds}
    line |= {name: spread and round(spread.middle, 2) for name, spread in ratios.items()}
    # On a host that others use too, only the least disturbed window of each comes near to what a call costs.
    line["json_cpu_ratio_nginx_least"] = json_32.compute_least_ratio("keisan", "nginx", read_cpu_us)
    line["sse_cpu_ratio_nginx_least"] = paced.compute_least_ratio("keisan", "nginx", read_cpu_us)
    line["spread"] = {name: format_spread(spread) for name, spread in ratios.items()}
    # One connection, as for the added latency of small calls; two already fill the core.
    for scenario in ("json_1_1m", "json_2_1m"):
        large = tables.get(scenario)
        if large:
            added = {name: _format_added_ms(large, name) for name in large.windows if name != "direct"}
            line[f"added_p99_ms_{scenario}"] = added
    line["scenarios"] = {name: format_table(table) for name, table in tables.items()}
    return line


def _format_added_ms(table: Table, subject: str) -> list[float] | None:
    spread = table.compute_added(subject, read_p99_us)
    return None if spread is None else [round(us / 1000, 2) for us in spread.format()]


def read_arguments() -> argparse.Namespace:
    """Return what was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under 60 s")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scenario", action="append", help="only these, by name")
    parser.add_argument("--only", help="measure only this gateway (with --keep-running)")
    parser.add_argument("--keep-running", type=float, metavar="SECONDS", help="load it that long, for a profiler")
    return parser.parse_args()


def main() -> None:
    """Measure and print one JSON line."""
    asked = read_arguments()
    scenarios = [
        one
        for one in (list_quick_scenarios() if asked.quick else list_scenarios())
        if not asked.scenario or one.name in asked.scenario
    ]
    with open_folder() as folder:
        if asked.keep_running:
            keep_running(folder, scenarios[0], asked.only or "keisan", asked.keep_running)
            return
        plan = Plan(asked.rounds, time.monotonic() + (QUICK_RETRY_S if asked.quick else FULL_RETRY_S))
        with open_stage(folder, {asked.only} if asked.only else EVERYONE) as (stage, missing):
            tables = {one.name: measure_scenario(stage, one, plan) for one in scenarios}
            conditions = describe_conditions(folder) | {"trace_exports": count_exports(stage)}
    print(json.dumps({**format_line(tables, plan), "peers_missing": missing, "conditions": conditions}))


def count_exports(stage: Stage) -> int:
    """Return how often the gateway handed its sampled traces in; raises RuntimeError if it never did."""
    exports = stage.platform.count("exports")
    if not exports and any(subject.name == "keisan" for subject in stage.subjects):
        raise RuntimeError("keisan exported no traces, so that it was measured without their cost")
    return exports


if __name__ == "__main__":
    main()
