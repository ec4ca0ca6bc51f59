"""The lease loop on a real database: one piece's fault stops no other, a lost lease writes nothing, nothing is forgotten."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from keisan.control.context import Control
from keisan.control.lease import LEASE_LIFE, LeaseLoop
from keisan.control.pulse import Pulse
from keisan.control.reconcilers.deployment import DeploymentReconciler
from keisan.control.reconcilers.site import SiteReconciler
from keisan.domain.access import PlatformScope
from keisan.domain.errors import StateConflict, StorageUnavailable, VersionMismatch
from keisan.domain.event import EventDraft
from keisan.domain.lease import Lease, WorkNoun
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.kit.retry import Backoff
from keisan.storage.base import Transaction
from keisan.storage.lease import OutboxRepository
from tests.domain.samples import name_id
from tests.factories import NOW, FixedClock, World

SCOPE = PlatformScope()
FIRST, SECOND, GONE = name_id(11, 1), name_id(11, 2), name_id(11, 3)


@dataclass
class Scripted:
    """A reconciler whose steps a test can break; each apply writes one event."""

    faults: dict[UUID, Exception] = field(default_factory=dict)
    due_again_at: datetime | None = None
    applied: list[UUID] = field(default_factory=list)
    before_decide: Callable[[UUID], None] = lambda _: None

    async def load(self, transaction: Transaction, noun_id: UUID) -> UUID | None:
        return None if noun_id == GONE else noun_id

    def decide(self, state: UUID, now: datetime) -> UUID:
        self.before_decide(state)
        return state

    async def apply(self, transaction: Transaction, change: UUID, now: datetime) -> datetime | None:
        await transaction.events.append(EventDraft("control", "noun.applied", change, {}))
        if change in self.faults:
            raise self.faults[change]
        self.applied.append(change)
        return self.due_again_at


@dataclass
class Reaching(Scripted):
    """One that also reaches out, which takes what it was told and hands it on."""

    performed: list[UUID] = field(default_factory=list)

    async def perform(self, change: object) -> object:
        assert isinstance(change, UUID)
        self.performed.append(change)
        return SECOND


def build_loop(control: Control, reconciler: Scripted, *, first_s: float = 1.0) -> LeaseLoop:
    backoff = Backoff(first_s=first_s, factor=2.0, most_s=60.0)
    return LeaseLoop(control, {WorkNoun.DEPLOYMENT: reconciler}, backoff=backoff, random=Random(1))


async def put(control: Control, *noun_ids: UUID, noun: WorkNoun = WorkNoun.DEPLOYMENT) -> None:
    async with control.storage.write() as transaction:
        for noun_id in noun_ids:
            await transaction.outbox.put(noun, noun_id, control.clock.now())


async def count_events(control: Control) -> int:
    async with control.storage.read() as view:
        return await view.events.get_last_sequence(SCOPE)


async def test_due_work_is_done_once(control: Control) -> None:
    scripted = Scripted()
    loop = build_loop(control, scripted)
    await put(control, FIRST, SECOND)
    assert await loop.run_round() == 2
    assert await loop.run_round() == 0
    assert sorted(scripted.applied) == [FIRST, SECOND]
    assert await count_events(control) == 2


async def test_work_on_what_is_gone_is_over(control: Control, clock: FixedClock) -> None:
    scripted = Scripted()
    loop = build_loop(control, scripted)
    await put(control, GONE)
    assert await loop.run_round() == 1
    clock.instant += timedelta(days=1)
    assert (await loop.run_round(), scripted.applied) == (0, [])


async def test_work_comes_again_when_its_reconciler_wants_it(control: Control, clock: FixedClock) -> None:
    scripted = Scripted(due_again_at=NOW + timedelta(seconds=5))
    loop = build_loop(control, scripted)
    await put(control, FIRST)
    assert await loop.run_round() == 1
    clock.instant = NOW + timedelta(seconds=5) - timedelta(microseconds=1)
    assert await loop.run_round() == 0
    clock.instant = NOW + timedelta(seconds=5)
    assert await loop.run_round() == 1


@pytest.mark.parametrize("fault", [StateConflict("no"), VersionMismatch("old"), RuntimeError("a defect")])
async def test_failing_work_writes_nothing_and_stops_no_other(control: Control, fault: Exception) -> None:
    scripted = Scripted(faults={FIRST: fault})
    await put(control, FIRST, SECOND)
    assert await build_loop(control, scripted).run_round() == 2
    assert scripted.applied == [SECOND]
    assert await count_events(control) == 1


async def test_failing_work_is_tried_again_after_growing_waits(control: Control, clock: FixedClock) -> None:
    scripted = Scripted(faults={FIRST: StateConflict("no")})
    loop = build_loop(control, scripted)
    await put(control, FIRST)
    for span_s in (1, 2, 4, 8):
        assert await loop.run_round() == 1
        clock.instant += timedelta(seconds=span_s / 2) - timedelta(microseconds=1)
        assert await loop.run_round() == 0
        clock.instant += timedelta(seconds=span_s / 2) + timedelta(microseconds=1)
    scripted.faults.clear()
    assert await loop.run_round() == 1
    assert scripted.applied == [FIRST]


async def test_lost_lease_writes_nothing(control: Control, clock: FixedClock) -> None:
    slow, quick = Scripted(), Scripted()

    def outlive_lease(_: UUID) -> None:
        clock.instant += LEASE_LIFE

    slow.before_decide = outlive_lease
    await put(control, FIRST)
    await build_loop(control, slow).run_round()
    assert (slow.applied, await count_events(control)) == ([], 0)
    await build_loop(control, quick).run_round()
    assert quick.applied == [FIRST]


async def test_leased_work_is_nobody_elses(control: Control, clock: FixedClock) -> None:
    async with control.storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.DEPLOYMENT, FIRST, NOW)
    async with control.storage.write() as transaction:
        await transaction.outbox.take(NOW, LEASE_LIFE, 10)
    scripted = Scripted()
    loop = build_loop(control, scripted)
    assert await loop.run_round() == 0
    clock.instant += LEASE_LIFE
    assert await loop.run_round() == 1


async def test_work_put_while_it_is_done_is_done_again(control: Control) -> None:
    scripted = Scripted()
    loop = build_loop(control, scripted)
    await put(control, FIRST)
    async with control.storage.write() as transaction:
        leases = await transaction.outbox.take(NOW, LEASE_LIFE, 10)
    await put(control, FIRST)
    await loop._work(leases[0])
    assert await loop.run_round() == 1
    assert scripted.applied == [FIRST, FIRST]


@pytest.fixture
async def untold(control: Control, monkeypatch: pytest.MonkeyPatch) -> LeaseLoop:
    """A loop whose work failed for want of a database, which was not told of it either, and is back."""

    async def fail(*_: object) -> None:
        raise StorageUnavailable("locked")

    loop = build_loop(control, Scripted())
    await put(control, FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(OutboxRepository, "finish", fail)
        assert await loop.run_round() == 1
    # The try wrote its event and could not finish, so all of it was undone.
    assert await count_events(control) == 0
    return loop


async def test_work_that_could_not_be_postponed_is_by_the_next_round(
    control: Control, clock: FixedClock, untold: LeaseLoop
) -> None:
    assert await untold.run_round() == 0
    clock.instant += timedelta(seconds=1)
    assert await untold.run_round() == 1
    assert await count_events(control) == 1


async def test_work_that_could_not_be_postponed_comes_back_with_the_end_of_its_lease(
    control: Control, clock: FixedClock, untold: LeaseLoop
) -> None:
    """Its process has ended meanwhile, or another did the work since."""
    other = build_loop(control, Scripted())
    clock.instant += timedelta(seconds=1)
    assert await other.run_round() == 0
    clock.instant += LEASE_LIFE
    assert await other.run_round() == 1
    assert await untold.run_round() == 0
    assert await count_events(control) == 1


@dataclass
class CountingClock(FixedClock):
    """A clock that sets `stop` with its third wait."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    waits_s: list[float] = field(default_factory=list)

    async def sleep(self, duration_s: float) -> None:
        await super().sleep(duration_s)
        self.waits_s.append(duration_s)
        if len(self.waits_s) == 3:
            self.stop.set()


async def test_loop_works_until_it_is_stopped(control: Control) -> None:
    clock, scripted = CountingClock(), Scripted()
    await put(control, FIRST)
    loop = build_loop(replace(control, clock=clock), scripted)
    async with asyncio.timeout(30):
        await loop.run(clock.stop)
    assert scripted.applied == [FIRST]
    assert clock.waits_s == [loop.idle_s] * 3


async def test_loop_outlives_rounds_that_fail_whatever_the_fault(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([StorageUnavailable("locked"), RuntimeError("a defect")])
    take = OutboxRepository.take

    async def fail_twice(self: OutboxRepository, now: datetime, life: timedelta, most: int, nouns: object) -> object:
        for fault in faults:
            raise fault
        return await take(self, now, life, most)

    monkeypatch.setattr(OutboxRepository, "take", fail_twice)
    clock, scripted = CountingClock(), Scripted()
    await put(control, FIRST)
    async with asyncio.timeout(30):
        await build_loop(replace(control, clock=clock), scripted).run(clock.stop)
    assert scripted.applied == [FIRST]


async def test_loop_tells_what_is_untold_though_nothing_is_due(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([StorageUnavailable("locked")] * 3)
    finish = OutboxRepository.finish

    async def fail_thrice(self: OutboxRepository, lease: Lease, due_again_at: datetime | None) -> None:
        for fault in faults:
            raise fault
        await finish(self, lease, due_again_at)

    monkeypatch.setattr(OutboxRepository, "finish", fail_thrice)
    clock, scripted = CountingClock(), Scripted()
    moved = replace(control, clock=clock)
    await put(moved, FIRST)
    loop = replace(build_loop(moved, scripted, first_s=0.0), pulse=Pulse(moved))
    async with asyncio.timeout(30):
        await loop.run(clock.stop)
    assert scripted.applied == [FIRST] * 2


async def test_platform_comes_to_rest_with_the_real_reconcilers(
    control: Control, world: World, clock: FixedClock
) -> None:
    loop = LeaseLoop(
        control,
        {WorkNoun.DEPLOYMENT: DeploymentReconciler(), WorkNoun.SITE: SiteReconciler(15.0, NOW)},
        random=Random(1),
    )
    async with control.storage.write() as transaction:
        await transaction.deployments.update(replace(world.left.deployment, replica_count=3, version=2))
        await transaction.outbox.put(WorkNoun.DEPLOYMENT, world.left.deployment.id, NOW)
        await transaction.outbox.put(WorkNoun.SITE, world.right.site.id, NOW)
    assert await loop.run_round() == 2
    assert await loop.run_round() == 0
    async with control.storage.read() as view:
        replicas = await view.replicas.list_deployment(SCOPE, world.left.deployment.id)
    states = sorted(replica.state for replica in replicas)
    assert states == [ReplicaState.ASSIGNED, ReplicaState.ASSIGNED, ReplicaState.READY]
    clock.instant += timedelta(hours=1)
    assert await loop.run_round() == 1
    async with control.storage.read() as view:
        site = await view.sites.get(SCOPE, world.right.site.id)
        right = await view.replicas.list_deployment(SCOPE, world.right.deployment.id)
    assert site.verdict is Verdict.UNKNOWN
    assert [(replica.state, replica.verdict) for replica in right] == [(ReplicaState.READY, Verdict.UNKNOWN)]


async def test_what_is_performed_is_what_is_applied(control: Control) -> None:
    reaching = Reaching()
    await put(control, FIRST, GONE)
    assert await build_loop(control, reaching).run_round() == 2
    assert (reaching.performed, reaching.applied) == ([FIRST], [SECOND])


async def test_loop_takes_its_own_nouns_and_no_more_than_it_may(control: Control) -> None:
    scripted = Scripted()
    await put(control, FIRST, SECOND)
    await put(control, FIRST, noun=WorkNoun.WEBHOOK)
    loop = replace(build_loop(control, scripted), leases_max=1)
    assert [await loop.run_round() for _ in range(3)] == [1, 1, 0]
    assert sorted(scripted.applied) == [FIRST, SECOND]
    others = LeaseLoop(control, {WorkNoun.WEBHOOK: scripted})
    assert await others.run_round() == 1
