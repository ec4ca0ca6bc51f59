"""Retention in the lease loop: it waits where nothing is over its time, and goes behind what else is due."""

from datetime import timedelta

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop, Reconcilers
from keisan.control.reconcilers.retention import RETENTION_ID, RetentionReconciler, start_retention
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import RETENTION_LOOK_S
from keisan.domain.retention import RetentionKind, RetentionRule
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer
from tests.control.people import list_events
from tests.factories import FixedClock, World

RECONCILER = RetentionReconciler((RetentionRule(RetentionKind.ANSWER, 1),), rows_max=1)


async def keep_answers(control: Control, clock: FixedClock, count: int) -> None:
    async with control.storage.write() as transaction:
        for _ in range(count):
            answer = StoredAnswer("d1", 201, "{}", None)
            await transaction.idempotency.insert(create_id(), "key", answer, clock.now() - timedelta(days=2))


async def test_nothing_over_its_time_is_no_event_and_looked_at_later(control: Control, clock: FixedClock) -> None:
    before = await list_events(control)
    await start_retention(control.storage, clock.now())
    loop = LeaseLoop(control, {WorkNoun.RETENTION: RECONCILER})
    assert await loop.run_round() == 1
    await clock.sleep(RETENTION_LOOK_S - 1)
    assert await loop.run_round() == 0
    await clock.sleep(1)
    assert await loop.run_round() == 1
    assert await list_events(control) == before


async def test_other_work_is_done_between_two_steps(control: Control, clock: FixedClock, world: World) -> None:
    await keep_answers(control, clock, 3)
    await start_retention(control.storage, clock.now())
    reconcilers: Reconcilers = {WorkNoun.RETENTION: RECONCILER, WorkNoun.TOP_UP: TopUpReconciler()}
    loop = LeaseLoop(control, reconcilers, leases_max=1)
    assert await loop.run_round() == 1
    await clock.sleep(1)
    async with control.storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.TOP_UP, world.left.top_up.id, clock.now() - timedelta(seconds=2))
    assert await loop.run_round() == 1
    async with control.storage.write() as transaction:
        [lease] = await transaction.outbox.take(clock.now(), timedelta(seconds=1), 2)
    # The top-up was served in between, and what is due next is retention's second step.
    assert (lease.noun, lease.noun_id) == (WorkNoun.RETENTION, RETENTION_ID)
    deleted = [event for event in await list_events(control) if event.action == "retention.deleted"]
    assert [(event.detail["kind"], event.detail["count"]) for event in deleted] == [("answer", "1")]


async def test_step_that_finds_nothing_left_is_not_told(control: Control, clock: FixedClock) -> None:
    await keep_answers(control, clock, 1)
    async with control.storage.read() as view:
        change = RECONCILER.decide(await RECONCILER.load(view, RETENTION_ID), clock.now())
    for _ in range(2):
        async with control.storage.write() as transaction:
            assert await RECONCILER.apply(transaction, change, clock.now()) == clock.now()
    assert [event.action for event in await list_events(control)].count("retention.deleted") == 1
