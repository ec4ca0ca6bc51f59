"""Question: what does a call cost in CPU and time when another platform serves it, directly, or through the parent?

Method: one engine, the same load on its own gateway, on a home's that calls it directly, and on one behind a parent's; CPU of all.
Reference: the call served locally, and nginx as a plain proxy hop, in the same run, in alternating rounds on one core.
Wrong if: a call fails, or does not reach the engine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from stage.cache import Programs, compile_programs, tell
from stage.certificates import Authority
from stage.engine import Engine, Platform, start_engine, start_platform
from stage.federation import HOME, PARENT, SERVING, Joined, Member, wait_until
from stage.load import Shape, run_load
from stage.nginx import start_nginx
from stage.opening import open_folder
from stage.ports import find_free_ports
from stage.process import Pinned, note_trees
from stage.report import describe_conditions
from stage.snapshot import KEYS, create_keys
from stage.subject import write_keys

ROUNDS, QUICK_ROUNDS = 9, 3
WARM_S_MAX = 60.0
LINK_TRIES, LINK_PAUSE_S = 300, 0.1


@dataclass(slots=True)
class Way:
    """One way to the engine: where it begins, and whose CPU counts; `hops` are connections between platforms."""

    name: str
    port: int
    key_path: Path
    pinned: list[Pinned]
    hops: int
    cpu_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    p99_us: list[float] = field(default_factory=list)

    def read_cpu_ns(self) -> int:
        """Return the CPU time of all its processes."""
        return sum(one.read_cpu_ns() for one in self.pinned)


@dataclass(frozen=True, slots=True)
class Base:
    """What all ways share."""

    programs: Programs
    engine: Engine
    platform: Platform
    folder: Path


@contextmanager
def open_ways(folder: Path) -> Iterator[tuple[Base, list[Way]]]:
    """Start everything and yield the ways; ends all of it afterwards."""
    with ExitStack() as stack:
        programs, keys = compile_programs(), create_keys()
        engine = start_engine(programs, folder, "engine")
        stack.callback(engine.pinned.end)
        platform = start_platform(programs, folder)
        stack.callback(platform.pinned.end)
        base = Base(programs, engine, platform, folder)
        ways = [Way("engine", engine.ports[0], write_keys(folder / "keys", keys), [], 0)]
        authority = Authority(folder / "certificates", "bench")
        tree = start_tree(stack, Joined(make_folder(folder / "tree"), keys, engine, platform, authority, {}), None)
        ways.append(Way("local", tree["serving"].port, tree["serving"].key_path, [tree["serving"].pinned], 0))
        ways.append(
            Way("through_parent", tree["home"].port, tree["home"].key_path, [one.pinned for one in tree.values()], 2)
        )
        address = f"127.0.0.1:{find_free_ports(1)[0]}"
        joined = Joined(make_folder(folder / "direct"), keys, engine, platform, authority, {})
        pair = start_tree(stack, joined, address)
        ways.append(Way("direct", pair["home"].port, pair["home"].key_path, [one.pinned for one in pair.values()], 1))
        try:
            (nginx, *_) = start_nginx(folder / "nginx", engine, keys)
        except (OSError, RuntimeError) as fault:
            tell(f"bench: nginx is missing: {fault}")
        else:
            assert nginx.pinned is not None
            stack.callback(nginx.pinned.end)
            ways.append(Way("nginx", nginx.port, nginx.key_path, [nginx.pinned], 0))
        note_trees([one for way in ways for one in way.pinned])
        yield base, ways


def make_folder(path: Path) -> Path:
    """Make a folder and return it."""
    path.mkdir()
    return path


def start_tree(stack: ExitStack, joined: Joined, address: str | None) -> dict[str, Member]:
    """Start home and serving platform with their parent, or with an `address` of the serving one and no parent."""
    joined.write_snapshots(address)
    members = {}
    upward = {}
    if address is None:
        place = f"127.0.0.1:{find_free_ports(1)[0]}"
        members["parent"] = joined.start("parent", PARENT, {"listen": place})
        upward = {"parents": [place]}
    members["serving"] = joined.start("serving", SERVING, {"listen": address} if address else upward)
    members["home"] = joined.start("home", HOME, upward)
    for member in members.values():
        stack.callback(member.pinned.end)

    def is_linked() -> bool:
        wanted = {"parent": 2, "home": 1}
        return all(count_links(members[name]) >= links for name, links in wanted.items() if name in members)

    wait_until(is_linked, lambda: time.sleep(LINK_PAUSE_S), LINK_TRIES, "connections between platforms")
    return members


def count_links(member: Member) -> int:
    """Return to how many platforms a gateway has connections."""
    text = httpx.get(f"http://127.0.0.1:{member.port}/metrics", timeout=10).text
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("keisan_links_up "))


def measure(base: Base, way: Way, shape: Shape, *, is_cpu_wanted: bool) -> None:
    """Load one way once; raises RuntimeError if a call failed or did not reach the engine."""
    served, before_ns = base.engine.count_calls(), way.read_cpu_ns()
    load = run_load(base.programs, (way.port,), way.key_path, shape)
    if load.failed or base.engine.count_calls() - served < load.ended:
        raise RuntimeError(f"{way.name}: {load.failed} of {load.ended} calls failed: {load.told}")
    if is_cpu_wanted:
        # What is spooled is handed in after the answers, and is a call's cost as well.
        time.sleep(0.5)
        way.cpu_us.append((way.read_cpu_ns() - before_ns) / 1e3 / load.ended)
        return
    for name, kept in (("p50", way.p50_us), ("p99", way.p99_us)):
        found = load.get_us("latency", name)
        if found is not None:
            kept.append(found)


def format_way(way: Way, ways: dict[str, Way]) -> dict[str, object]:
    """Return what one way showed, medians over the rounds, and its ratios to the call served locally."""
    engine, local = ways["engine"], ways["local"]
    p50 = statistics.median(way.p50_us)
    line: dict[str, object] = {
        "hops": way.hops,
        "p50_us": round(p50),
        "p99_us": round(statistics.median(way.p99_us)),
        "added_p50_us": round(p50 - statistics.median(engine.p50_us)),
    }
    if way.cpu_us:
        cpu = statistics.median(way.cpu_us)
        line["cpu_us"] = [round(each, 1) for each in (cpu, min(way.cpu_us), max(way.cpu_us))]
        line["cpu_ratio_local"] = round(cpu / statistics.median(local.cpu_us), 2)
    if way.hops:
        line["added_p50_us_per_hop"] = round((p50 - statistics.median(local.p50_us)) / way.hops)
        line["added_cpu_us_per_hop"] = round(
            (statistics.median(way.cpu_us) - statistics.median(local.cpu_us)) / way.hops, 1
        )
    return line


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    asked = parser.parse_args()
    rounds = QUICK_ROUNDS if asked.quick else ROUNDS
    window_s = 0.5 if asked.quick else 2.0
    with open_folder() as folder, open_ways(folder) as (base, ways):
        for way in ways:
            warm = Shape(16, WARM_S_MAX, 0.0, calls=2 * KEYS)
            run_load(base.programs, (way.port,), way.key_path, warm)
        for number in range(rounds):
            for way in ways if number % 2 == 0 else reversed(ways):
                measure(base, way, Shape(1, window_s, 0.1), is_cpu_wanted=False)
                if way.pinned:
                    measure(base, way, Shape(16, window_s, 0.1), is_cpu_wanted=True)
        named = {way.name: way for way in ways}
        line = {"bench": "federation_hop", "n": rounds} | {way.name: format_way(way, named) for way in ways}
        print(json.dumps(line | {"conditions": describe_conditions(folder)}))


if __name__ == "__main__":
    main()
