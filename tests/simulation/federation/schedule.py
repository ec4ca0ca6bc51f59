"""One schedule: a tree, a load and faults that one seed decides; then quiet, in which all must converge within a bound."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.federation.application import apply_letters
from tests.simulation.federation.check import list_differences
from tests.simulation.federation.counter import FaultKind, Tally
from tests.simulation.federation.fault import plan_faults
from tests.simulation.federation.granting import narrow_skew
from tests.simulation.federation.kernel import Kernel, TooManyEvents, own_ids
from tests.simulation.federation.limit import narrow_links
from tests.simulation.federation.load import flood, send_burst
from tests.simulation.federation.site import keep_states
from tests.simulation.federation.tree import Tree, build_nation, grow_tree
from tests.simulation.federation.world import World

ACTIVE_MS = 10_000
# The longest fault that is under way when the quiet begins, the silence that ends a dead connection, and some round trips.
QUIET_MS_MAX = 60_000
LOOK_MS = 2_000
# Beside calls and their credit, not all is played in each schedule: faults are found sooner where less happens around them.
PART_CHANCE = 0.4
# Whether a nation begins with all that is said of who is who, or has to hear it first.
ACQUAINTED_CHANCE = 0.8
NEWER_CHANCE = 0.3
FAULTS = (2, 5)
FLOOD_CHANCE = 0.1
FLOOD_BURSTS = 7
FLOOD_GAP_MS = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a schedule. `problems` is empty if all held."""

    seed: int
    is_nation: bool
    problems: tuple[str, ...]
    tally: Tally
    trace: int
    events: int
    quiet_ms: int


def run_schedule(seed: int, *, is_nation: bool = False) -> Outcome:
    """Play one schedule; the same seed gives the same outcome and trace."""
    kernel = Kernel(seed, events_max=400_000 if is_nation else 60_000)
    tree: Tree = build_nation() if is_nation else grow_tree(kernel.random)
    with own_ids(kernel), apply_letters() as books, narrow_links(kernel) as slack_bytes, narrow_skew():
        world = World(kernel, tree, books)
        world.watch.slack_bytes = slack_bytes
        problems: list[str] = []
        try:
            if is_nation and kernel.random.random() < ACQUAINTED_CHANCE:
                world.acquaint()
            with keep_states(world):
                _play(world)
                problems = _wait_until_quiet(world)
        except TooManyEvents as fault:
            problems = [f"no end: {fault}"]
        except Exception as fault:  # whatever breaks, its seed is told
            problems = [f"broke: {describe_fault(fault)}"]
    world.tally.states.update(world.watch.states)
    problems = [*world.watch.problems, *problems]
    return Outcome(seed, is_nation, tuple(problems), world.tally, kernel.trace, kernel.events, kernel.now_ms)


def _upgrade(world: World) -> None:
    """Have one platform run a later release than its neighbours, from the beginning or from some moment on."""
    platform = world.platforms[world.kernel.random.randrange(world.tree.size)]

    def upgrade() -> None:
        world.fire(FaultKind.NEWER_NEIGHBOUR, is_busy=world.is_busy_at(platform.number))
        platform.upgrade()

    at_ms = world.kernel.random.randint(0, ACTIVE_MS // 2)
    world.kernel.call_in(at_ms - 20, lambda: send_burst(world, platform.number))
    world.kernel.call_in(at_ms, upgrade)


def describe_fault(fault: Exception) -> str:
    """Return what broke, and where."""
    place = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{fault!r} at {Path(place.filename).name}:{place.lineno}"


def _play(world: World) -> None:
    kernel = world.kernel
    chance = kernel.random
    active_ms = ACTIVE_MS // 2 if world.tree.size > 7 else ACTIVE_MS
    for platform in world.platforms:
        platform.start()
    world.market.open(active_ms)
    for part in (world.sites, world.granting, world.forwarding):
        if chance.random() < PART_CHANCE:
            part.open(active_ms)
    for _ in range(world.tree.size):
        author, audience = chance.sample(world.platforms, 2)
        kernel.call_in(chance.randint(2_000, active_ms), lambda pair=(author, audience): world.settle(*pair))  # type: ignore[misc]  # bound now
    if chance.random() < NEWER_CHANCE:
        _upgrade(world)
    for _ in range(world.tree.size):
        number = chance.randrange(world.tree.size)
        kernel.call_in(chance.randint(0, active_ms), lambda number=number: send_burst(world, number))  # type: ignore[misc]  # bound now
    if chance.random() < FLOOD_CHANCE:
        number, at_ms = chance.randrange(world.tree.size), chance.randint(2_000, active_ms // 2)
        for burst in range(FLOOD_BURSTS):
            kernel.call_in(at_ms + burst * FLOOD_GAP_MS, lambda: flood(world, number))
    plan_faults(world, active_ms, count=chance.randint(*FAULTS) + world.tree.size // 4)
    kernel.run_until(active_ms + 1)


def _wait_until_quiet(world: World) -> list[str]:
    """Let all that is planned end, and return what has not converged within the bound after that."""
    kernel = world.kernel
    kernel.run_until(max(kernel.now_ms, world.quiet_ms))
    for platform in world.platforms:
        platform.stop_before = platform.stop_after = None
    for connection in world.network.connections:
        for way in connection.ways.values():
            way.extra_ms = 0
    world.is_calm = True
    end_ms = kernel.now_ms + QUIET_MS_MAX
    while True:
        world.granting.ask_all()
        world.sites.exchange_all()
        kernel.run_until(min(end_ms, kernel.now_ms + LOOK_MS))
        problems = list_differences(world)
        if not problems or kernel.now_ms >= end_ms:
            return problems
