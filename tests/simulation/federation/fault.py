"""What goes wrong in a schedule: each fault has its time, and something is said just before so that it hits something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.federation.counter import FaultKind, State
from tests.simulation.federation.load import send_burst

if TYPE_CHECKING:
    from tests.simulation.federation.office import Move
    from tests.simulation.federation.world import World

LEAD_MS = (0, 60)
CUT_MS = (500, 10_000)
EPOCH_CHANCE = 0.4
FLAP_MS = 10_000
SKEW_MS_MAX = 600_000


def plan_faults(world: World, end_ms: int, count: int) -> None:
    """Put faults into a schedule; each ends before it does."""
    chance = world.kernel.random
    kinds = [chance.choice(list(FAULTS)) for _ in range(count)]
    for kind in kinds:
        at_ms = chance.randint(1_500, end_ms)
        child, parent = chance.choice(world.tree.list_pairs())
        _plan_fault(world, kind, (child, parent), at_ms)


def _plan_fault(world: World, kind: FaultKind, pair: tuple[int, int], at_ms: int) -> None:
    chance, kernel = world.kernel.random, world.kernel
    lead_ms = chance.randint(*LEAD_MS)
    for number in pair:
        kernel.call_in(at_ms - lead_ms - chance.randint(0, 20), lambda number=number: send_burst(world, number))  # type: ignore[misc]  # bound now
    kernel.call_in(at_ms, lambda: FAULTS[kind](world, kind, *pair))


def _cut(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    _cut_ways(world, [(child, parent), (parent, child)], world.kernel.random.randint(*CUT_MS))


def _cut_one_way(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    way = world.kernel.random.choice([(child, parent), (parent, child)])
    _cut_ways(world, [way], world.kernel.random.randint(*CUT_MS))


def _cut_ways(world: World, ways: list[tuple[int, int]], duration_ms: int) -> None:
    for way in ways:
        world.network.cut(*way)
    world.quiet_ms = max(world.quiet_ms, world.kernel.now_ms + duration_ms)

    def heal() -> None:
        for way in ways:
            world.network.heal(*way)

    world.kernel.call_in(duration_ms, heal)


def _flap(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    chance = world.kernel.random
    world.quiet_ms = max(world.quiet_ms, world.kernel.now_ms + FLAP_MS)
    at_ms = 0
    for _ in range(chance.randint(3, 5)):
        ways = [(child, parent), (parent, child)][: chance.randint(1, 2)]
        duration_ms = chance.randint(20, 1_200)
        world.kernel.call_in(at_ms, lambda ways=ways, duration_ms=duration_ms: _cut_ways(world, ways, duration_ms))  # type: ignore[misc]  # bound now
        at_ms += duration_ms + chance.randint(20, 800)


def _delay(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    for connection in world.network.list_between(child, parent):
        for way in connection.ways.values():
            way.extra_ms = world.kernel.random.randint(0, 3_000)


def _keep_old_connection(world: World, kind: FaultKind, child: int, parent: int) -> None:
    """One side loses the connection and dials anew; what it had sent still arrives, late, beside what the new one carries."""
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    for connection in world.network.list_between(child, parent):
        way = connection.ways[child]
        way.extra_ms = world.kernel.random.randint(0, 4_000)
        for _ in way.waiting:
            world.network.schedule(way)
        for session in list(world.platforms[child].sessions):
            if session.connection is connection:
                connection.ways[parent].is_closed = True
                connection.ways[parent].waiting.clear()
                session.lose_wire()


def _drop(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    chance = world.kernel.random
    for connection in world.network.list_between(child, parent):
        connection.drop(tuple(each for each in (child, parent) if chance.random() < 0.6))


def _cut_short(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    for connection in world.network.list_between(child, parent):
        connection.ways[world.kernel.random.choice((child, parent))].is_cut_short = True


def _restart(world: World, kind: FaultKind, child: int, parent: int) -> None:
    number = world.kernel.random.choice((child, parent))
    if world.platforms[number].is_up:
        world.fire(kind, is_busy=world.is_busy_at(number))
        world.platforms[number].crash()


def _stop_before_commit(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.platforms[world.kernel.random.choice((child, parent))].stop_before = kind


def _stop_after_commit(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.platforms[world.kernel.random.choice((child, parent))].stop_after = kind


def _roll_back(world: World, kind: FaultKind, child: int, parent: int) -> None:
    """Restore a disk from a backup that is some seconds old."""
    number = child if kind is FaultKind.ROLLBACK_CHILD else parent
    platform = world.platforms[number]
    backup = world.back_up(number)

    def restore() -> None:
        if platform.is_up and world.may_restore(number, backup):
            world.fire(kind, is_busy=world.is_busy_at(number))
            world.rolled_back.add(number)
            world.forget_with(number, backup)
            platform.roll_back(backup)

    age_ms = world.kernel.random.randint(100, 6_000)
    world.quiet_ms = max(world.quiet_ms, world.kernel.now_ms + age_ms)
    if world.kernel.random.random() < EPOCH_CHANCE:
        world.kernel.call_in(age_ms // 2, lambda: world.platforms[child].raise_epoch(parent))
    world.kernel.call_in(age_ms - 30, lambda: send_burst(world, number))
    for delay_ms in (-400, 400):
        # What it orders then, and will have forgotten, stands beside what it orders next.
        moved_ms = max(0, age_ms + delay_ms + world.kernel.random.randint(-300, 300))
        world.kernel.call_in(moved_ms, lambda: world.sites.place_at(number))
    world.kernel.call_in(age_ms, restore)


def _step_clock(world: World, kind: FaultKind, child: int, parent: int) -> None:
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    number = world.kernel.random.choice((child, parent))
    if number in world.office.asking:
        # What it asks would be older, by its clock, than what it asked and has forgotten: it would wait until its clock is there (Q162).
        return
    world.stepped.add(number)
    world.platforms[number].clock.skew_ms = world.kernel.random.randint(-SKEW_MS_MAX, SKEW_MS_MAX)


def _end_certificate(world: World, kind: FaultKind, child: int, parent: int) -> None:
    """Let a child's certificate end while it is cut off: it may then do nothing but renew it."""
    below, above = world.platforms[child], world.platforms[parent]
    if not (below.is_up and above.is_up and parent in below.links and child in above.links):
        return
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    left_ms = world.kernel.random.randint(100, 1_500)
    world.office.age(below, above, left_ms)
    _cut_ways(world, [(child, parent), (parent, child)], left_ms + world.kernel.random.randint(200, 5_000))

    def lose() -> None:
        for connection in world.network.list_between(child, parent):
            connection.drop((child, parent))

    world.kernel.call_in(left_ms, lose)


def _move(world: World, kind: FaultKind, child: int, parent: int) -> None:
    """Have a platform without children move to another parent, and have something go wrong in the middle; once in a schedule."""
    others = [each for each in range(world.tree.size) if each not in (child, parent)]
    if world.office.move is not None or world.revoked or world.tree.list_below(child) or not others:
        return
    world.fire(kind, is_busy=world.is_busy_between(child, parent))
    chance = world.kernel.random
    move = world.office.begin_move(child, parent, chance.choice(others))
    for _ in range(4):
        world.kernel.call_in(chance.randint(100, 4_000), lambda: _disturb(world, move))


def _disturb(world: World, move: Move) -> None:
    """Cut a platform that is half moved off one of the two parents, or stop one of the three."""
    if not move.is_half_done:
        return
    chance, child = world.kernel.random, move.child.number
    other = chance.choice([move.old.number, move.new.number])
    send_burst(world, child)
    if chance.random() < 0.5:
        _cut_ways(world, [(child, other), (other, child)], chance.randint(500, 6_000))
    else:
        stopped = world.platforms[chance.choice([child, other])]
        if not stopped.is_up:
            return
        stopped.crash()
    world.tally.states[State.MOVE_HALF_DONE] += 1


def _revoke(world: World, kind: FaultKind, child: int, parent: int) -> None:
    """Have a parent revoke the child that serves its calls; one in a schedule is enough."""
    pair = world.market.pairs[0]
    if world.revoked or world.office.move is not None or not pair.home.is_up:
        return
    world.fire(kind, is_busy=world.is_busy_between(pair.home.number, pair.serving.number))
    world.revoke(pair.serving.number, pair.home.number)
    for delay_ms in (0, 10, 30):
        # What it serves while it has not heard of that yet.
        world.kernel.call_in(delay_ms, lambda: world.market.serve(pair))


FAULTS: dict[FaultKind, Callable[[World, FaultKind, int, int], None]] = {
    FaultKind.CUT: _cut,
    FaultKind.CUT_ONE_WAY: _cut_one_way,
    FaultKind.FLAP: _flap,
    FaultKind.DELAY: _delay,
    FaultKind.OLD_CONNECTION: _keep_old_connection,
    FaultKind.DROP: _drop,
    FaultKind.TRUNCATE: _cut_short,
    FaultKind.RESTART: _restart,
    FaultKind.RESTART_BEFORE_COMMIT: _stop_before_commit,
    FaultKind.RESTART_AFTER_COMMIT: _stop_after_commit,
    FaultKind.ROLLBACK_PARENT: _roll_back,
    FaultKind.ROLLBACK_CHILD: _roll_back,
    FaultKind.CLOCK_STEP: _step_clock,
    FaultKind.REVOCATION: _revoke,
    FaultKind.CERTIFICATE: _end_certificate,
    FaultKind.MOVE: _move,
}
