"""Retention on both databases: what is over its time goes and nothing else, in steps, each told, wherever it is stopped."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.retention import RetentionReconciler, start_retention
from keisan.domain.access import PlatformScope
from keisan.domain.delivery import DeliveryState
from keisan.domain.ids import DeliveryId, MachineId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import LEASE_LIFE_S, RETENTION_LOOK_S
from keisan.domain.retention import RetentionKind, RetentionRule
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer, Transaction
from keisan.storage.database import Database
from tests.factories import NOW, FixedClock, World, create_delivery, plant_world
from tests.faults import Crash, Faults, Side, open_faulty

EVERYTHING = PlatformScope()
DAYS = {RetentionKind.ANSWER: 1, RetentionKind.QUARANTINED_RECORD: 90, RetentionKind.DELIVERY: 7}
RULES = tuple(RetentionRule(kind, days) for kind, days in DAYS.items())
ROWS_MAX = 2
PRINCIPAL = create_id()
OLD_ANSWERS, OLD_RECORDS, OLD_DELIVERIES = 3, 1, 1
MICROSECOND = timedelta(microseconds=1)


class Shelf:
    """A database with rows of every kind on both sides of every cutoff, and the loop that works on it."""

    def __init__(self, storage: Database, clock: FixedClock, world: World) -> None:
        self.storage, self.clock, self.world = storage, clock, world
        self.kept_deliveries: list[DeliveryId] = []

    async def fill(self, spare: timedelta) -> None:
        """Put rows on it: old ones, and one of each kind that is `spare` short of more than it may get."""
        edges = {kind: NOW - timedelta(days=days) for kind, days in DAYS.items()}
        async with self.storage.write() as transaction:
            for number in range(OLD_ANSWERS + 1):
                is_edge = number == OLD_ANSWERS
                created_at = edges[RetentionKind.ANSWER] + (spare if is_edge else -MICROSECOND * (number + 1))
                answer = StoredAnswer("d1", 201, "{}", None)
                await transaction.idempotency.insert(PRINCIPAL, f"answer-{number}", answer, created_at)
            for number in range(OLD_RECORDS + 1):
                is_edge = number == OLD_RECORDS
                created_at = edges[RetentionKind.QUARANTINED_RECORD] + (spare if is_edge else -MICROSECOND)
                codes = {f"line {number}".encode(): "invalid"}
                await transaction.usage.quarantine_many(codes, MachineId(create_id()), created_at)
            await self._fill_deliveries(transaction, edges[RetentionKind.DELIVERY], spare)

    async def _fill_deliveries(self, transaction: Transaction, edge: datetime, spare: timedelta) -> None:
        """Old ones that were taken; beside them one given up, one as old as it may get, one that waits and the newest."""
        own = self.world.left
        states = [DeliveryState.DELIVERED] * (OLD_DELIVERIES + 1)
        states += [DeliveryState.DEAD, DeliveryState.PENDING, DeliveryState.DELIVERED]
        for number, state in enumerate(states):
            delivery = create_delivery(own.webhook, own.alert, number + 2)
            since = edge + (spare if number == OLD_DELIVERIES else -MICROSECOND)
            await transaction.deliveries.insert(replace(delivery, state=state, wanted_since=since))
            if number >= OLD_DELIVERIES:
                self.kept_deliveries.append(delivery.id)

    def open_loop(self, faults: Faults) -> LeaseLoop:
        """Return the loop of a process that fails as told."""
        storage = open_faulty(self.storage, self.clock, faults)
        control = Control(storage, self.clock, self.world.platform.id)
        return LeaseLoop(control, {WorkNoun.RETENTION: RetentionReconciler(RULES, ROWS_MAX)})

    async def read_events(self) -> Counter[str]:
        """Return how many rows of each kind the events say are gone; none of them says more than a step may take."""
        told: Counter[str] = Counter()
        async with self.storage.read() as view:
            for event in await view.events.list(EVERYTHING, 0, 1000):
                if event.action == "retention.deleted":
                    assert 0 < int(event.detail["count"]) <= ROWS_MAX
                    kind = RetentionKind(event.detail["kind"])
                    assert int(event.detail["kept_days"]) == DAYS[kind]
                    before = datetime.fromisoformat(event.detail["before"]) + timedelta(days=DAYS[kind])
                    assert NOW <= before <= self.clock.now()
                    assert event.actor == "control"
                    told[kind] += int(event.detail["count"])
        return told

    async def check_kept(self) -> None:
        """Look that all is there that is not over its time."""
        async with self.storage.read() as view:
            assert await view.idempotency.find(PRINCIPAL, f"answer-{OLD_ANSWERS}") is not None
            for delivery_id in self.kept_deliveries:
                await view.deliveries.get(EVERYTHING, delivery_id)
            assert await view.deliveries.get_last_sequence(EVERYTHING, self.world.left.webhook.id) == OLD_DELIVERIES + 5

    async def count_stored(self) -> dict[str, int]:
        """Return how many rows of each kind there are."""
        async with self.storage.read() as view:
            return {kind: (await view.retention.count(EVERYTHING, kind, NOW)).stored_count for kind in RetentionKind}


@pytest.fixture
async def shelf(storage: Database, clock: FixedClock) -> Shelf:
    """A database whose retention is due."""
    world = await plant_world(storage)
    await start_retention(storage, NOW)
    return Shelf(storage, clock, world)


async def run_out(loop: LeaseLoop) -> int:
    """Run the loop until it finds nothing due, and return how many rounds it took."""
    rounds = 0
    while await loop.run_round():
        rounds += 1
        assert rounds < 50
    return rounds


async def test_only_what_is_over_its_time_goes_each_step_told(shelf: Shelf) -> None:
    await shelf.fill(timedelta(0))
    before, told_before = await shelf.count_stored(), await shelf.read_events()
    loop = shelf.open_loop(Faults())
    await run_out(loop)
    gone = {kind: count - (await shelf.count_stored())[kind] for kind, count in before.items()}
    assert gone[RetentionKind.ANSWER] == OLD_ANSWERS
    assert gone[RetentionKind.QUARANTINED_RECORD] == OLD_RECORDS
    assert gone[RetentionKind.DELIVERY] == OLD_DELIVERIES
    assert await shelf.read_events() - told_before == Counter(gone)
    await shelf.check_kept()
    # It looks again later, and then takes what has become too old since.
    await shelf.clock.sleep(RETENTION_LOOK_S)
    assert await loop.run_round() == 1


@pytest.mark.parametrize("side", Side)
async def test_stopped_at_any_step_it_goes_on_and_tells_all(shelf: Shelf, side: Side) -> None:
    # More than all the leases that are waited for here.
    await shelf.fill(timedelta(hours=12))
    before = await shelf.count_stored()
    faults = Faults()
    stops = step = 0
    while True:
        step += 1
        faults.arm(step, side)
        loop = shelf.open_loop(faults)
        try:
            worked = await loop.run_round()
        except Crash:
            stops += 1
            # Another process takes over once the lease has run out.
            await shelf.clock.sleep(LEASE_LIFE_S + 1)
            stored = await shelf.count_stored()
            assert await shelf.read_events() == Counter(
                {kind: before[kind] - stored[kind] for kind in before if before[kind] != stored[kind]}
            )
            await shelf.check_kept()
            continue
        faults.arm(None)
        if not worked:
            break
        # The round had fewer steps than that: the next one is stopped at its first.
        step = 0
    assert stops > 10
    stored = await shelf.count_stored()
    assert [before[kind] - stored[kind] for kind in RetentionKind] == [OLD_ANSWERS, OLD_RECORDS, OLD_DELIVERIES]
