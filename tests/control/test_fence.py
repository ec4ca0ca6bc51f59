"""Fences on a real database: orders carry them, placing anew raises them, and a restored platform goes above what agents have seen."""

from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.control.fence import begin_life, draw_fence_leap, load_epoch
from keisan.control.link_join import move_parent
from keisan.control.report import accept_report
from keisan.domain.access import PlatformScope
from keisan.domain.grant import GrantTerms
from keisan.domain.limits import FENCE_LEAP_MAX, GRANT_EPOCH_JUMP_MAX, LINK_LOOK_S
from keisan.domain.platform import PlatformKind
from keisan.wire.site import FenceReport, ReplicaOrder, SiteReport
from tests.control.link_world import Member, open_nation
from tests.control.reports import build_report, report_device, report_node, report_replica
from tests.factories import World

SCOPE = PlatformScope()


async def report(control: Control, world: World, *fences: FenceReport) -> ReplicaOrder:
    left = world.left
    node = report_node(hardware_id=left.node.hardware_id)
    device = report_device(hardware_id=left.device.hardware_id, node_hardware_id=left.node.hardware_id)
    replica = report_replica(replica_id=left.replica.id)
    told = build_report(nodes=(node,), devices=(device,), replicas=(replica,)).model_copy(update={"fences": fences})
    orders = await accept_report(control, left.agent.to_principal(), told)
    [order] = orders.orders
    return order


def see(world: World, epoch: int, number: int) -> FenceReport:
    return FenceReport(deployment_id=world.left.deployment.id, epoch=epoch, number=number)


async def plant_terms(control: Control, world: World) -> None:
    """Give the platform epoch 2, and the left deployment fence 4."""
    async with control.storage.write() as transaction:
        await transaction.grant_terms.insert(GrantTerms(control.platform_id, 2, 5, 7, 1))
        for _ in range(4):
            await transaction.deployments.raise_fence(world.left.deployment.id, 1)


async def list_actions(control: Control) -> list[str]:
    async with control.storage.read() as view:
        return [event.action for event in await view.events.list(SCOPE, 0, 100)]


def test_fences_of_two_lives_are_not_the_same() -> None:
    leaps = {draw_fence_leap() for _ in range(100)}
    assert len(leaps) > 95
    assert 1 <= min(leaps) <= max(leaps) <= FENCE_LEAP_MAX


def test_report_without_fences_is_one_that_a_platform_of_before_fences_takes() -> None:
    assert "fences" not in build_report().model_dump_json()
    told = build_report(fences=[{"deployment_id": str(build_report().agent_id), "epoch": 1, "number": 2}])
    assert SiteReport.model_validate_json(told.model_dump_json()) == told


async def test_order_carries_the_platforms_epoch_and_the_deployments_fence(control: Control, world: World) -> None:
    order = await report(control, world)
    assert (order.deployment_id, order.epoch, order.fence) == (world.left.deployment.id, 0, 0)
    await plant_terms(control, world)
    order = await report(control, world)
    assert (order.epoch, order.fence) == (2, 4)


@pytest.mark.parametrize(
    ("epoch", "number", "expected"),
    [
        (2, 4, 2),
        (2, 3, 2),
        (1, 9, 2),
        (2, 5, 3),
        (3, 0, 4),
        (2 + GRANT_EPOCH_JUMP_MAX, 1, 3 + GRANT_EPOCH_JUMP_MAX),
        (3 + GRANT_EPOCH_JUMP_MAX, 1, 2),
    ],
)
async def test_platform_begins_another_life_only_where_an_agent_has_seen_later_orders(
    control: Control, world: World, epoch: int, number: int, expected: int
) -> None:
    await plant_terms(control, world)
    order = await report(control, world, see(world, epoch, number))
    assert (order.epoch, order.fence) == (expected, 4)
    again = await report(control, world, see(world, epoch, number))
    assert again.epoch == expected
    async with control.storage.read() as view:
        terms = await view.grant_terms.find(SCOPE, control.platform_id)
    assert terms is not None
    # Numbers begin anew with an epoch, and never within one.
    assert (terms.last_number, terms.automatic_count) == (5 if expected == 2 else 0, 7)
    assert (await list_actions(control)).count("platform.epoch_raised") == (expected != 2)


async def test_platform_that_never_joined_begins_its_first_epoch(control: Control, world: World) -> None:
    order = await report(control, world, see(world, 0, 1))
    assert (order.epoch, order.fence) == (1, 0)


async def test_agent_tells_only_of_deployments_at_its_own_site(control: Control, world: World) -> None:
    told = FenceReport(deployment_id=world.right.deployment.id, epoch=0, number=9)
    assert (await report(control, world, told)).epoch == 0


async def test_every_beginning_is_above_all_before(control: Control) -> None:
    async with control.storage.write() as transaction:
        epochs = [(await begin_life(transaction, control, above, "it joined")).epoch for above in (0, 0, 7, 3)]
    assert epochs == [1, 2, 8, 9]
    async with control.storage.read() as view:
        assert await load_epoch(view, control.platform_id) == 9


async def test_link_grants_and_fences_are_of_one_epoch(tmp_path: Path, migrated_file: Path) -> None:
    async with open_nation(tmp_path, migrated_file) as nation:
        parent, other = await nation.add(PlatformKind.NATIONAL), await nation.add(PlatformKind.NATIONAL)
        child = await nation.add()

        async def list_epochs(at: Member) -> set[int]:
            async with child.control.storage.read() as view:
                own = await load_epoch(view, child.control.platform_id)
            return {own, (await child.get_parent()).epoch, (await at.get_child()).epoch}

        await parent.take_in(child, "CN-SX", "sx")
        assert await list_epochs(parent) == {1}
        # An agent has seen orders of a later life, so the platform's disk is older.
        async with child.control.storage.write() as transaction:
            await begin_life(transaction, child.control, 4, "an agent has seen later orders")
        assert (await child.get_parent()).epoch == 5
        for member in nation.members.values():
            member.clock.instant += timedelta(seconds=LINK_LOOK_S)
        await child.work(2)
        assert await list_epochs(parent) == {6}
        await move_parent(child.control, child.admin, (await child.get_parent()).id, await other.invite())
        await child.work(2)
        await other.approve("CN-SX", "sx")
        await child.work(3)
        assert await list_epochs(other) == {7}
