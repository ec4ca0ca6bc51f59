"""Prices to come: in the snapshot from their instant on, and no sooner."""

from dataclasses import replace
from datetime import datetime, timedelta

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.price import create_price
from keisan.control.pulse import LOOK_EVERY_S
from keisan.control.reconcilers.price import CLOCKS_APART, PriceChange, PriceReconciler, PriceStart
from keisan.control.snapshot import SnapshotFeed
from keisan.domain.access import Role
from keisan.domain.lease import WorkNoun
from keisan.domain.price import Price
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from keisan.wire.price import PriceCreate
from keisan.wire.snapshot import Snapshot, SnapshotQuery
from tests.control.people import add_key, get_version, list_touched
from tests.factories import NOW, FixedClock, World
from tests.factories import create_price as build_next

RECONCILER = PriceReconciler()
STARTS_AT = NOW + timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


async def plan_price(control: Control, world: World, at: datetime = STARTS_AT) -> Price:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    body = {"model_id": world.model.id, "currency": "CNY", "nano_per_million": {"input": 1, "output": 1}}
    return await create_price(control, admin, PriceCreate.model_validate(body | {"effective_from": at}))


async def fetch_snapshot(world: World, feed: SnapshotFeed, clock: FixedClock) -> Snapshot:
    clock.instant += timedelta(seconds=LOOK_EVERY_S)
    answer = await feed.answer(world.gateway.to_principal(), SnapshotQuery(wait_s=0))
    assert answer is not None
    assert answer.snapshot is not None
    return answer.snapshot


def read_price_id(snapshot: Snapshot, world: World) -> object:
    return snapshot.tables.models[str(world.model.id)].price_id


async def test_missing_price_is_no_work(storage: Database) -> None:
    async with storage.read() as view:
        assert await RECONCILER.load(view, create_id()) is None


async def test_price_to_come_touches_nothing_until_its_instant(control: Control, world: World) -> None:
    before = await get_version(control)
    planned = await plan_price(control, world)
    after_key = await get_version(control)
    assert await list_touched(control, before) == set()
    async with control.storage.read() as view:
        state = await RECONCILER.load(view, planned.id)
    assert state == PriceStart(planned, world.price)
    early = RECONCILER.decide(state, STARTS_AT - MOMENT)
    assert early == PriceChange(state, is_touched=False, due_again_at=STARTS_AT)
    async with control.storage.write() as transaction:
        assert await RECONCILER.apply(transaction, early, STARTS_AT - MOMENT) == STARTS_AT
    assert await get_version(control) == after_key


async def test_price_replaces_the_one_before_it_and_is_looked_at_once_more(control: Control, world: World) -> None:
    planned = await plan_price(control, world)
    state, before = PriceStart(planned, world.price), await get_version(control)
    settled_at = STARTS_AT + CLOCKS_APART
    for now, again in ((STARTS_AT, settled_at), (settled_at - MOMENT, settled_at), (settled_at, None)):
        async with control.storage.write() as transaction:
            assert await RECONCILER.apply(transaction, RECONCILER.decide(state, now), now) == again
    assert await get_version(control) == before + 3
    assert await list_touched(control, before) == {
        ("prices", str(world.price.id)),
        ("prices", str(planned.id)),
        ("models", str(world.model.id)),
    }


async def test_first_price_of_a_model_replaces_none(control: Control, world: World) -> None:
    """There is none before the first, not even one that a clock has passed since."""
    first = replace(build_next(world.model, 2), effective_from=world.price.effective_from)
    async with control.storage.write() as transaction:
        await transaction.prices.insert(first)
    async with control.storage.read() as view:
        assert await RECONCILER.load(view, first.id) == PriceStart(first, None)


async def test_gateways_bill_by_it_once_the_loop_has_passed_its_instant(
    control: Control, world: World, clock: FixedClock
) -> None:
    planned = await plan_price(control, world)
    feed, loop = SnapshotFeed(control), LeaseLoop(control, {WorkNoun.PRICE: RECONCILER})
    clock.instant = STARTS_AT - timedelta(seconds=1)
    assert await loop.run_round() == 0
    first = await fetch_snapshot(world, feed, clock)
    assert read_price_id(first, world) == world.price.id
    clock.instant = STARTS_AT
    assert await loop.run_round() == 1
    second = await fetch_snapshot(world, feed, clock)
    assert read_price_id(second, world) == planned.id
    assert set(second.tables.prices) == {str(planned.id)}
    assert second.version > first.version


async def test_process_whose_clock_is_behind_has_it_at_the_second_look(
    control: Control, world: World, clock: FixedClock
) -> None:
    planned = await plan_price(control, world)
    behind = FixedClock(STARTS_AT - timedelta(seconds=5))
    feed = SnapshotFeed(replace(control, clock=behind))
    loop = LeaseLoop(control, {WorkNoun.PRICE: RECONCILER})
    clock.instant = STARTS_AT
    assert await loop.run_round() == 1
    assert read_price_id(await fetch_snapshot(world, feed, behind), world) == world.price.id
    clock.instant, behind.instant = STARTS_AT + CLOCKS_APART, STARTS_AT + CLOCKS_APART - timedelta(seconds=5)
    assert await loop.run_round() == 1
    assert read_price_id(await fetch_snapshot(world, feed, behind), world) == planned.id
    clock.instant += CLOCKS_APART
    assert await loop.run_round() == 0
