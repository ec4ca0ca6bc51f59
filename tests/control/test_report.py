"""A site's report on a real database: only differences are written, orders are explicit, races are compared again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keisan.control import report as report_module
from keisan.control.context import Control
from keisan.control.report import PROOF_WRITTEN_EVERY, REPORT_PERIOD_S, REPORT_TRIES_MAX, accept_report
from keisan.control.report_change import Known
from keisan.domain.access import PlatformScope
from keisan.domain.device import DeviceTerms, DeviceUse
from keisan.domain.errors import InvalidInput, PermissionDenied, VersionMismatch
from keisan.domain.lease import WorkNoun
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.verdict import Verdict
from keisan.storage.base import Transaction
from keisan.wire.site import OrderAction, SiteOrders, SiteReport
from tests.control.reports import ENGINE_REPORT, build_report, report_device, report_node, report_replica
from tests.factories import NOW, FixedClock, World, create_deployment, create_node, create_replica

SCOPE = PlatformScope()
RUN, STOP = OrderAction.RUN, OrderAction.STOP


def describe(world: World, **changes: Any) -> SiteReport:
    """Return a report of the left site that says what is stored, unless changed."""
    left = world.left
    node = report_node(hardware_id=left.node.hardware_id)
    device = report_device(hardware_id=left.device.hardware_id, node_hardware_id=left.node.hardware_id)
    known = {"nodes": (node,), "devices": (device,), "replicas": (report_replica(replica_id=left.replica.id),)}
    return build_report(**(known | changes))


async def send(control: Control, world: World, report: SiteReport) -> SiteOrders:
    return await accept_report(control, world.left.agent.to_principal(), report)


async def list_events(control: Control) -> list[str]:
    async with control.storage.read() as view:
        return [event.action for event in await view.events.list(SCOPE, 0, 100)]


async def get_snapshot_version(control: Control) -> int:
    async with control.storage.read() as view:
        return (await view.snapshot.get_mark()).version


async def get_replica(control: Control, world: World) -> Replica:
    async with control.storage.read() as view:
        return await view.replicas.get(SCOPE, world.left.replica.id)


async def update_replica(control: Control, replica: Replica) -> Replica:
    """Write a replica as a reconciler would, and return it as it then stands."""
    after = replace(replica, version=replica.version + 1)
    async with control.storage.write() as transaction:
        await transaction.replicas.update(after)
    return after


async def list_due(control: Control) -> set[tuple[WorkNoun, object]]:
    async with control.storage.write() as transaction:
        leases = await transaction.outbox.take(control.clock.now(), timedelta(seconds=30), 100)
    return {(lease.noun, lease.noun_id) for lease in leases}


async def test_only_a_sites_own_agent_may_report(control: Control, world: World) -> None:
    principals = [
        world.gateway.to_principal(),
        world.left.key.to_principal(),
        replace(world.left.agent.to_principal(), site_id=None),
    ]
    for principal in principals:
        with pytest.raises(PermissionDenied):
            await accept_report(control, principal, describe(world))


async def test_report_of_what_is_stored_orders_and_writes_no_event(control: Control, world: World) -> None:
    orders = await send(control, world, describe(world))
    (order,) = orders.orders
    assert orders.next_report_s == REPORT_PERIOD_S
    assert (order.replica_id, order.action) == (world.left.replica.id, RUN)
    assert (order.deployment_id, order.model_name) == (world.left.deployment.id, world.model.facts.name)
    assert (order.engine, order.slots, order.context_tokens) == ("llama_cpp", 4, 2048)
    assert order.node_hardware_id == world.left.node.hardware_id
    assert (order.weights, order.weights_sha256) == (world.model.facts.weights, world.model.facts.weights_sha256)
    assert await list_events(control) == []
    assert await get_replica(control, world) == world.left.replica


async def test_report_that_leaves_all_out_changes_nothing_and_stops_nothing(control: Control, world: World) -> None:
    before = await get_snapshot_version(control)
    orders = await send(control, world, describe(world, nodes=(), devices=(), replicas=()))
    assert [order.action for order in orders.orders] == [RUN]
    assert await get_replica(control, world) == world.left.replica
    assert await get_snapshot_version(control) == before
    async with control.storage.read() as view:
        assert list(await view.nodes.list_site(SCOPE, world.left.site.id)) == [world.left.node]
        assert list(await view.devices.list_site(SCOPE, world.left.site.id)) == [world.left.device]


async def test_silent_site_comes_back_with_its_report(control: Control, world: World) -> None:
    silent = replace(world.left.site, verdict=Verdict.UNKNOWN, version=2)
    async with control.storage.write() as transaction:
        await transaction.sites.update(silent)
    await update_replica(control, replace(world.left.replica, verdict=Verdict.UNKNOWN))
    await send(control, world, describe(world))
    async with control.storage.read() as view:
        site = await view.sites.get(SCOPE, world.left.site.id)
    assert (site.verdict, site.version, site.reported_at) == (Verdict.OK, 3, NOW)
    assert (await get_replica(control, world)).verdict is Verdict.OK
    assert await list_events(control) == ["site.ok", "replica.ready"]
    assert await list_due(control) == {
        (WorkNoun.SITE, world.left.site.id),
        (WorkNoun.DEPLOYMENT, world.left.deployment.id),
    }


async def test_new_hardware_is_stored_and_then_known(control: Control, world: World) -> None:
    report = describe(
        world,
        nodes=(report_node(hardware_id="new"),),
        devices=(report_device(hardware_id="new-cpu", node_hardware_id="new"),),
    )
    for _ in range(2):
        await send(control, world, report)
    async with control.storage.read() as view:
        nodes = await view.nodes.list_site(SCOPE, world.left.site.id)
        devices = await view.devices.list_site(SCOPE, world.left.site.id)
    assert sorted(node.hardware_id for node in nodes) == sorted(["new", world.left.node.hardware_id])
    assert len(devices) == 2


async def test_changed_hardware_is_written(control: Control, world: World) -> None:
    node = report_node(hardware_id=world.left.node.hardware_id, boot_id="boot-2")
    device = report_device(
        hardware_id=world.left.device.hardware_id, node_hardware_id=world.left.node.hardware_id, verdict=Verdict.FAILED
    )
    await send(control, world, describe(world, nodes=(node,), devices=(device,)))
    async with control.storage.read() as view:
        assert (await view.nodes.get(SCOPE, world.left.node.id)).boot_id == "boot-2"
        assert (await view.devices.get(SCOPE, world.left.device.id)).verdict is Verdict.FAILED


async def test_proof_of_life_is_written_no_more_often_than_needed(
    control: Control, world: World, clock: FixedClock
) -> None:
    async def get_reported_at() -> object:
        async with control.storage.read() as view:
            return (await view.sites.get(SCOPE, world.left.site.id)).reported_at

    await send(control, world, describe(world))
    first = await get_reported_at()
    clock.instant += PROOF_WRITTEN_EVERY - timedelta(microseconds=1)
    await send(control, world, describe(world))
    assert await get_reported_at() == first
    clock.instant += timedelta(microseconds=1)
    await send(control, world, describe(world))
    assert await get_reported_at() == clock.instant


async def test_failed_replica_is_noted_everywhere_it_matters(control: Control, world: World) -> None:
    before = await get_snapshot_version(control)
    entry = report_replica(
        replica_id=world.left.replica.id, state=ReplicaState.FAILED, message="it fell", log_tail="last words"
    )
    await send(control, world, describe(world, replicas=(entry,)))
    async with control.storage.read() as view:
        changes = await view.snapshot.list_changes(before)
        assert await view.replicas.get_log_tail(SCOPE, world.left.replica.id) == "last words"
        (event,) = await view.events.list(SCOPE, 0, 10)
    assert changes is not None
    assert [change.row_id for change in changes] == [world.left.replica.id]
    assert (event.action, event.actor) == ("replica.failed", f"machine:{world.left.agent.id}")
    assert event.detail == {"message": "it fell"}
    assert (WorkNoun.DEPLOYMENT, world.left.deployment.id) in await list_due(control)


async def test_changed_profile_of_an_engine_reaches_the_gateways(control: Control, world: World) -> None:
    before = await get_snapshot_version(control)
    changed = ENGINE_REPORT.model_copy(update={"idle_connection_s": 60})
    await send(control, world, describe(world, engines={"llama_cpp": changed}))
    assert await get_snapshot_version(control) == before + 1
    await send(control, world, describe(world, engines={"llama_cpp": changed}))
    assert await get_snapshot_version(control) == before + 1


async def test_stop_order_stands_until_the_replica_has_stopped_and_beyond(control: Control, world: World) -> None:
    await update_replica(control, replace(world.left.replica, state=ReplicaState.STOPPING))
    for state in (ReplicaState.READY, ReplicaState.STOPPED, ReplicaState.READY):
        entry = report_replica(replica_id=world.left.replica.id, state=state)
        orders = await send(control, world, describe(world, replicas=(entry,)))
        assert [(order.replica_id, order.action) for order in orders.orders] == [(world.left.replica.id, STOP)]
    assert (await get_replica(control, world)).state is ReplicaState.STOPPED
    assert (await send(control, world, describe(world, replicas=()))).orders == ()


async def test_replica_of_another_site_is_ordered_to_stop_and_left_alone(control: Control, world: World) -> None:
    entry = report_replica(replica_id=world.right.replica.id, state=ReplicaState.FAILED)
    orders = await send(control, world, describe(world, replicas=(entry,)))
    actions = {order.replica_id: order.action for order in orders.orders}
    assert actions == {world.left.replica.id: RUN, world.right.replica.id: STOP}
    async with control.storage.read() as view:
        assert await view.replicas.get(SCOPE, world.right.replica.id) == world.right.replica


async def test_new_assignment_is_ordered_with_the_next_answer(control: Control, world: World) -> None:
    deployment, node = create_deployment(world.model), create_node(world.left.site)
    replica = replace(create_replica(deployment, world.left.site, node), state=ReplicaState.ASSIGNED, endpoint=None)
    async with control.storage.write() as transaction:
        await transaction.nodes.insert(node)
        await transaction.deployments.insert(deployment)
        await transaction.replicas.insert(replica)
    orders = await send(control, world, describe(world))
    (order,) = (order for order in orders.orders if order.replica_id == replica.id)
    assert (order.action, order.node_hardware_id) == (RUN, node.hardware_id)


async def test_report_that_contradicts_itself_writes_nothing(control: Control, world: World) -> None:
    entry = report_replica(replica_id=world.left.replica.id, state=ReplicaState.FAILED)
    with pytest.raises(InvalidInput):
        await send(control, world, describe(world, replicas=(entry, entry)))
    assert await get_replica(control, world) == world.left.replica


Interfere = Callable[[], Awaitable[object]]


def interfere_after_load(patch: pytest.MonkeyPatch, interfere: Interfere) -> list[Known]:
    """Let something be written between a report's look and its write; returns the looks, filled as they are taken."""
    load, looks = report_module._load_known, list[Known]()

    async def load_known(view: Transaction, site_id: Any) -> Known:
        known = await load(view, site_id)
        looks.append(known)
        await interfere()
        return known

    patch.setattr(report_module, "_load_known", load_known)
    return looks


async def test_row_written_meanwhile_is_compared_again(
    control: Control, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = iter([replace(world.left.replica, state=ReplicaState.STOPPING)])

    async def stop_once() -> None:
        for replica in orders:
            await update_replica(control, replica)

    looks = interfere_after_load(monkeypatch, stop_once)
    entry = report_replica(replica_id=world.left.replica.id, restart_count=1)
    answer = await send(control, world, describe(world, replicas=(entry,)))
    assert len(looks) == 2
    assert [order.action for order in answer.orders] == [STOP]
    assert (await get_replica(control, world)).state is ReplicaState.STOPPING


async def test_race_that_never_ends_is_given_up(
    control: Control, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def write_always() -> None:
        await update_replica(control, await get_replica(control, world))

    looks = interfere_after_load(monkeypatch, write_always)
    entry = report_replica(replica_id=world.left.replica.id, restart_count=1)
    with pytest.raises(VersionMismatch):
        await send(control, world, describe(world, replicas=(entry,)))
    assert len(looks) == REPORT_TRIES_MAX


async def test_first_report_sent_twice_at_once_is_taken_in_once(control: Control, world: World) -> None:
    report = describe(
        world,
        nodes=(report_node(hardware_id="new"),),
        devices=(report_device(hardware_id="new-cpu", node_hardware_id="new"),),
    )
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(send(control, world, report))
    async with control.storage.read() as view:
        assert len(await view.nodes.list_site(SCOPE, world.left.site.id)) == 2


@pytest.mark.parametrize("is_cordoning", [False, True])
async def test_card_that_fails_is_told_of_once_and_closed_where_the_terms_say_so(
    control: Control, world: World, is_cordoning: bool
) -> None:
    closing = replace(control, device_terms=DeviceTerms(is_cordoning=is_cordoning))
    own = world.left.device
    failed = describe(
        world,
        devices=(
            report_device(
                hardware_id=own.hardware_id, node_hardware_id=world.left.node.hardware_id, verdict=Verdict.FAILED
            ),
        ),
    )
    for _ in range(2):
        await send(closing, world, failed)
    assert await list_events(control) == ["device.suspect", "device.cordoned"][: 1 + is_cordoning]
    async with control.storage.read() as view:
        found = await view.devices.get(SCOPE, own.id)
    assert (found.verdict, found.version) == (Verdict.FAILED, 2)
    assert found.use is (DeviceUse.CORDONED if is_cordoning else DeviceUse.OPEN)
    await send(closing, world, describe(world))
    async with control.storage.read() as view:
        again = await view.devices.get(SCOPE, own.id)
    assert (again.verdict, again.use) == (Verdict.OK, found.use), "only people open what was closed"


async def test_retired_device_that_is_well_again_is_a_contradiction_and_stays_retired(
    control: Control, world: World
) -> None:
    own = world.left.device
    async with control.storage.write() as transaction:
        await transaction.devices.update(
            replace(own, use=DeviceUse.RETIRED, use_actor="key:1", verdict=Verdict.FAILED, version=2)
        )
    for _ in range(2):
        await send(control, world, describe(world))
    assert await list_events(control) == ["device.contradicted"]
    async with control.storage.read() as view:
        found = await view.devices.get(SCOPE, own.id)
    assert (found.use, found.use_actor, found.verdict) == (DeviceUse.RETIRED, "key:1", Verdict.OK)
