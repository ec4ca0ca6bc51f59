"""The feed of snapshots: deltas that lead exactly to the full state, whatever changed and however late they are made."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keisan.control.context import Control
from keisan.control.pulse import LOOK_EVERY_S
from keisan.control.snapshot import ACKNOWLEDGE_EVERY_S, SnapshotFeed, build_delta
from keisan.domain.access import PlatformScope
from keisan.domain.call_limits import CallLimits
from keisan.domain.catalog import Catalog
from keisan.domain.errors import PermissionDenied
from keisan.domain.limits import SNAPSHOT_WAIT_S_MAX
from keisan.domain.snapshot import SnapshotMark, SnapshotTable
from keisan.storage.base import Storage, Transaction
from keisan.storage.database import Database
from keisan.storage.snapshot import SnapshotRepository
from keisan.wire.snapshot import (
    Snapshot,
    SnapshotAnswer,
    SnapshotDelta,
    SnapshotQuery,
    apply_delta,
    check_snapshot,
    digest_tables,
)
from tests.control.rows import STATES, State, compile_state, list_touched, number_changes
from tests.domain.samples import ENGINE, build_chip, name_id
from tests.factories import FixedClock, World, create_key, create_model, create_price

SCOPE = PlatformScope()
# R10: a key that is revoked is refused within this time.
REVOKED_S_MAX = 2.0
GROUPS = {
    SnapshotTable.ORGANIZATIONS: 1,
    SnapshotTable.PROJECTS: 2,
    SnapshotTable.KEYS: 3,
    SnapshotTable.MODELS: 9,
    SnapshotTable.PRICES: 10,
    SnapshotTable.REPLICAS: 12,
    SnapshotTable.DOORS: 6,
    SnapshotTable.PLATFORMS: 70,
}
# Rows that did not change between base and current, or that will only change, or be made, later.
EXTRA = st.lists(
    st.tuples(st.sampled_from(SnapshotTable), st.sampled_from([1, 2, 3, 4, 101, 102, 201, 302])).map(
        lambda drawn: (drawn[0], name_id(GROUPS[drawn[0]], drawn[1]))
    )
)


@given(before=STATES, after=STATES, extra=EXTRA, is_engines_put=st.booleans())
def test_delta_leads_exactly_to_the_full_state(
    before: State, after: State, extra: list[tuple[SnapshotTable, UUID]], is_engines_put: bool
) -> None:
    # A delta drops no engine, so a state keeps those it had; that one that drops any is sent whole is tried below.
    after = replace(after, sites=before.sites)
    base, current = compile_state(before, 4), compile_state(after, 7)
    changes = number_changes(list_touched(before, after), 6) + number_changes(extra, 9)
    delta = build_delta(current, base.version, changes, is_engines_put=is_engines_put)
    crossed = SnapshotAnswer.model_validate_json(SnapshotAnswer(delta=delta).model_dump_json()).delta
    assert crossed is not None
    result = apply_delta(base, crossed)
    assert result == current
    assert digest_tables(result.tables) == current.digest


async def ask(feed: SnapshotFeed, world: World, base: Snapshot | None, wait_s: float = 0.0) -> SnapshotAnswer | None:
    query = SnapshotQuery(wait_s=wait_s)
    if base is not None:
        query = SnapshotQuery(incarnation=base.incarnation, version=base.version, digest=base.digest, wait_s=wait_s)
    return await feed.answer(world.gateway.to_principal(), query)


async def fetch(feed: SnapshotFeed, world: World) -> Snapshot:
    """Return the full state, as a gateway without a base gets it."""
    answer = await ask(feed, world, None)
    assert answer is not None
    assert answer.snapshot is not None
    check_snapshot(answer.snapshot)
    return answer.snapshot


async def follow(feed: SnapshotFeed, world: World, base: Snapshot) -> SnapshotDelta:
    """Return the delta from a base, which leads to the full state."""
    answer = await ask(feed, world, base)
    assert answer is not None
    assert answer.delta is not None
    assert apply_delta(base, answer.delta) == await fetch(feed, world)
    return answer.delta


def look_later(clock: FixedClock) -> None:
    """Move the clock past the time for which one look at the database serves all."""
    clock.instant += timedelta(seconds=LOOK_EVERY_S)


async def add_key(storage: Storage, world: World) -> UUID:
    key = create_key(world.left.project)
    async with storage.write() as transaction:
        await transaction.keys.insert(key)
        await transaction.snapshot.touch(SnapshotTable.KEYS, [key.id])
    return key.id


async def test_only_a_gateway_is_answered(control: Control, world: World) -> None:
    feed = SnapshotFeed(control)
    for principal in (world.left.agent.to_principal(), world.left.key.to_principal()):
        with pytest.raises(PermissionDenied):
            await feed.answer(principal, SnapshotQuery())


async def test_asker_without_base_gets_everything(control: Control, world: World) -> None:
    snapshot = await fetch(SnapshotFeed(control), world)
    assert snapshot.platform_id == world.platform.id
    assert set(snapshot.tables.keys) == {str(world.left.key.id), str(world.right.key.id)}
    assert set(snapshot.tables.replicas) == {str(world.left.replica.id), str(world.right.replica.id)}
    assert [model.name for model in snapshot.tables.models.values()] == [world.model.facts.name]


async def test_nothing_new_is_said_after_the_wait(control: Control, world: World, clock: FixedClock) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    start_s = clock.monotonic_s()
    assert await ask(feed, world, base, wait_s=3.0) is None
    assert 3.0 <= clock.monotonic_s() - start_s < 3.0 + LOOK_EVERY_S * 2


async def test_wait_is_bounded(control: Control, world: World, clock: FixedClock) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    start_s = clock.monotonic_s()
    assert await ask(feed, world, base, wait_s=SNAPSHOT_WAIT_S_MAX) is None
    assert clock.monotonic_s() - start_s < SNAPSHOT_WAIT_S_MAX + LOOK_EVERY_S * 2
    with pytest.raises(ValidationError):
        SnapshotQuery(wait_s=SNAPSHOT_WAIT_S_MAX + 1)


async def test_who_waits_is_let_go_when_the_platform_ends(control: Control, world: World, clock: FixedClock) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    start_s = clock.monotonic_s()
    feed.close()
    assert await ask(feed, world, base, wait_s=20.0) is None
    assert clock.monotonic_s() == start_s


async def test_waiting_gateway_hears_of_a_change_within_one_look(
    control: Control, world: World, storage: Database
) -> None:
    class ChangingClock(FixedClock):
        """A clock in whose second wait a key is made."""

        waits = 0
        made_at_s = 0.0

        async def sleep(self, duration_s: float) -> None:
            self.waits += 1
            if self.waits == 2:
                await add_key(storage, world)
                self.made_at_s = self.monotonic_s()
            await super().sleep(duration_s)

    clock = ChangingClock()
    feed = SnapshotFeed(replace(control, clock=clock))
    answer = await ask(feed, world, await fetch(feed, world), wait_s=20.0)
    assert answer is not None
    assert answer.delta is not None
    assert len(answer.delta.put.keys) == 1
    assert clock.waits == 2
    assert 0.0 < clock.monotonic_s() - clock.made_at_s < REVOKED_S_MAX


async def test_new_key_comes_as_one_row_and_a_revoked_one_goes(
    control: Control, world: World, clock: FixedClock
) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    key_id = await add_key(control.storage, world)
    look_later(clock)
    added = await follow(feed, world, base)
    assert (list(added.put.keys), added.put.models, added.drop) == ([str(key_id)], {}, {})
    async with control.storage.write() as transaction:
        key = await transaction.keys.get(SCOPE, world.left.key.id)
        await transaction.keys.update(replace(key, revoked_at=clock.now(), version=key.version + 1))
        await transaction.snapshot.touch(SnapshotTable.KEYS, [key.id])
    look_later(clock)
    gone = await follow(feed, world, apply_delta(base, added))
    assert (gone.put.keys, gone.drop) == ({}, {"keys": (str(world.left.key.id),)})


async def test_new_price_replaces_the_one_before(control: Control, world: World, clock: FixedClock) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    price = create_price(world.model, version=2)
    async with control.storage.write() as transaction:
        await transaction.prices.insert(price)
        await transaction.snapshot.touch(SnapshotTable.PRICES, [price.id, world.price.id])
        await transaction.snapshot.touch(SnapshotTable.MODELS, [world.model.id])
    look_later(clock)
    delta = await follow(feed, world, base)
    assert list(delta.put.prices) == [str(price.id)]
    assert delta.put.models[str(world.model.id)].price_id == price.id
    assert delta.drop == {"prices": (str(world.price.id),)}


async def test_model_is_told_once_it_has_a_price(control: Control, world: World, clock: FixedClock) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    model = create_model()
    async with control.storage.write() as transaction:
        await transaction.models.insert(model)
        await transaction.snapshot.touch(SnapshotTable.MODELS, [model.id])
    look_later(clock)
    unpriced = await follow(feed, world, base)
    assert unpriced.put.models == {}
    price = create_price(model)
    async with control.storage.write() as transaction:
        await transaction.prices.insert(price)
        await transaction.snapshot.touch(SnapshotTable.PRICES, [price.id])
        await transaction.snapshot.touch(SnapshotTable.MODELS, [model.id])
    look_later(clock)
    priced = await follow(feed, world, apply_delta(base, unpriced))
    assert list(priced.put.models) == [str(model.id)]


async def change_engines(transaction: Transaction, world: World, *names: str) -> None:
    site = await transaction.sites.get(SCOPE, world.left.site.id)
    await transaction.sites.update(replace(site, engines=dict.fromkeys(names, ENGINE), version=site.version + 1))
    await transaction.snapshot.touch(SnapshotTable.REPLICAS, [world.left.replica.id])


async def test_new_engine_comes_with_a_delta_and_a_lost_one_with_everything(
    control: Control, world: World, clock: FixedClock
) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    async with control.storage.write() as transaction:
        await change_engines(transaction, world, "llama_cpp", "vllm")
    look_later(clock)
    grown = await follow(feed, world, base)
    assert f"{world.left.site.id}/vllm" in grown.put.engines
    async with control.storage.write() as transaction:
        await change_engines(transaction, world, "llama_cpp")
    look_later(clock)
    answer = await ask(feed, world, apply_delta(base, grown))
    assert answer is not None
    assert answer.snapshot is not None
    assert f"{world.left.site.id}/vllm" not in answer.snapshot.tables.engines


async def test_delta_without_engines_leaves_them(control: Control, world: World, clock: FixedClock) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    await add_key(control.storage, world)
    look_later(clock)
    assert (await follow(feed, world, base)).put.engines == {}


@pytest.mark.parametrize("changes", [{"incarnation": name_id(98)}, {"version": 10**6}])
async def test_base_that_is_not_known_gets_everything(
    control: Control, world: World, changes: dict[str, object]
) -> None:
    feed = SnapshotFeed(control)
    base = (await fetch(feed, world)).model_copy(update=changes)
    answer = await ask(feed, world, base, wait_s=20.0)
    assert answer is not None
    assert answer.snapshot == await fetch(feed, world)


async def test_base_whose_changes_are_not_kept_gets_everything(
    control: Control, world: World, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(*_: object) -> None:
        """Answer as storage does once it has dropped the oldest changes."""

    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    await add_key(control.storage, world)
    look_later(clock)
    monkeypatch.setattr(SnapshotRepository, "list_changes", forget)
    answer = await ask(feed, world, base)
    assert answer is not None
    assert answer.snapshot is not None


async def test_one_look_serves_all_who_wait(
    control: Control, world: World, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    get_mark = SnapshotRepository.get_mark

    async def count_looks(self: SnapshotRepository) -> SnapshotMark:
        nonlocal looks
        looks += 1
        return await get_mark(self)

    monkeypatch.setattr(SnapshotRepository, "get_mark", count_looks)
    feed = SnapshotFeed(control)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(fetch(feed, world))
    # One by the pulse, and one as it is compiled.
    assert looks == 2
    look_later(clock)
    await fetch(feed, world)
    assert looks == 3


async def test_asking_acknowledges_what_the_gateway_serves(control: Control, world: World, clock: FixedClock) -> None:
    async def read_acknowledged() -> tuple[int, object]:
        async with control.storage.read() as view:
            machine = await view.machines.get(SCOPE, world.gateway.id)
        return machine.acknowledged_version, machine.seen_at

    feed = SnapshotFeed(control)
    await add_key(control.storage, world)
    base = await fetch(feed, world)
    assert await read_acknowledged() == (0, clock.now())
    await ask(feed, world, base)
    first = await read_acknowledged()
    assert first == (base.version, clock.now())
    clock.instant += timedelta(seconds=ACKNOWLEDGE_EVERY_S - 0.1)
    await ask(feed, world, base)
    assert await read_acknowledged() == first
    clock.instant += timedelta(seconds=0.2)
    await ask(feed, world, base)
    assert await read_acknowledged() == (base.version, clock.now())


async def test_version_of_another_incarnation_is_no_acknowledgement(control: Control, world: World) -> None:
    feed = SnapshotFeed(control)
    await ask(feed, world, (await fetch(feed, world)).model_copy(update={"incarnation": name_id(98), "version": 77}))
    async with control.storage.read() as view:
        assert (await view.machines.get(SCOPE, world.gateway.id)).acknowledged_version == 0


async def test_other_rows_of_the_same_version_are_replaced_at_once(control: Control, world: World) -> None:
    """Another release compiles the same state into other rows: of the chips it knows, for one."""
    base = await fetch(SnapshotFeed(control), world)
    chip = build_chip("ascend-910c", vendor=("Huawei",))
    feed = SnapshotFeed(replace(control, catalog=Catalog(chips={chip.id: chip})))
    answer = await ask(feed, world, base, wait_s=20.0)
    assert answer is not None
    assert answer.snapshot is not None
    check_snapshot(answer.snapshot)
    assert (answer.snapshot.version, set(answer.snapshot.tables.chips)) == (base.version, {"ascend-910c"})
    assert await ask(feed, world, answer.snapshot) is None


async def test_other_rows_are_no_acknowledgement(control: Control, world: World) -> None:
    await add_key(control.storage, world)
    feed = SnapshotFeed(control)
    await ask(feed, world, (await fetch(feed, world)).model_copy(update={"digest": "0" * 64}))
    async with control.storage.read() as view:
        assert (await view.machines.get(SCOPE, world.gateway.id)).acknowledged_version == 0


async def test_gateway_that_tells_no_digest_is_believed(control: Control, world: World) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    query = SnapshotQuery(incarnation=base.incarnation, version=base.version)
    assert await feed.answer(world.gateway.to_principal(), query) is None


@pytest.mark.parametrize("table", [SnapshotTable.ORGANIZATIONS, SnapshotTable.PROJECTS])
async def test_change_of_a_layer_comes_as_one_row(
    control: Control, world: World, clock: FixedClock, table: SnapshotTable
) -> None:
    feed = SnapshotFeed(control)
    base = await fetch(feed, world)
    async with control.storage.write() as transaction:
        if table is SnapshotTable.ORGANIZATIONS:
            organization = replace(world.left.organization, limits=CallLimits(5), policy="region in CN", version=2)
            await transaction.organizations.update(organization)
            row_id: UUID = organization.id
        else:
            project = replace(world.left.project, limits=CallLimits(5), policy="region in CN", version=2)
            await transaction.projects.update(project)
            row_id = project.id
        await transaction.snapshot.touch(table, [row_id])
    look_later(clock)
    put = getattr((await follow(feed, world, base)).put, table)
    assert list(put) == [str(row_id)]
    assert (put[str(row_id)].policy, put[str(row_id)].limits.requests_per_minute) == ("region in CN", 5)
