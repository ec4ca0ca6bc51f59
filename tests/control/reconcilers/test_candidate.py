"""What placement may choose from: every device, less what is placed on it; and who must leave a drained one."""

from dataclasses import replace

from keisan.control.reconcilers.candidate import hold_replicas, load_places
from keisan.domain.device import REMOTE_FACT, DeviceUse
from keisan.domain.ids import DeviceId
from keisan.storage.database import Database
from tests.domain.samples import MEMORY_BYTES, build_device, build_replica, name_id
from tests.factories import World, create_device, create_node


async def test_every_device_is_a_candidate_less_what_is_placed_on_it(storage: Database, world: World) -> None:
    bare = create_node(world.left.site)
    second = replace(create_device(world.left.node), memory_bytes=10**12, chip="nvidia-h20")
    async with storage.write() as transaction:
        await transaction.nodes.insert(bare)
        await transaction.devices.insert(second)
    async with storage.read() as view:
        candidates = {candidate.device_id: candidate for candidate in (await load_places(view)).candidates}
    assert set(candidates) == {world.left.device.id, world.right.device.id, second.id}
    left = candidates[world.left.device.id]
    assert left.memory_free_bytes == world.left.device.memory_bytes - MEMORY_BYTES
    assert (left.node_id, left.replica_count, left.provider_id) == (world.left.node.id, 1, world.left.provider.id)
    assert (candidates[second.id].memory_free_bytes, candidates[second.id].replica_count) == (10**12, 0)


async def test_replicas_on_a_drained_device_must_leave(storage: Database, world: World) -> None:
    drained = replace(world.left.device, use=DeviceUse.DRAINING, version=2)
    cordoned = replace(world.right.device, use=DeviceUse.CORDONED, version=2)
    async with storage.write() as transaction:
        await transaction.devices.update(drained)
        await transaction.devices.update(cordoned)
    async with storage.read() as view:
        places = await load_places(view)
    assert places.leaving == {world.left.replica.id}
    uses = {candidate.device_id: candidate.device_use for candidate in places.candidates}
    assert uses == {drained.id: DeviceUse.DRAINING, cordoned.id: DeviceUse.CORDONED}


async def test_a_device_of_another_node_of_the_site_is_told_apart(storage: Database, world: World) -> None:
    facts = {REMOTE_FACT: "whatever it says"}
    async with storage.write() as transaction:
        await transaction.devices.update(replace(world.left.device, facts=facts, version=2))
    async with storage.read() as view:
        places = await load_places(view)
    remote = {candidate.device_id: candidate.is_remote for candidate in places.candidates}
    assert remote == {world.left.device.id: True, world.right.device.id: False}


ONE, OTHER = DeviceId(name_id(8, 1)), DeviceId(name_id(8, 2))


def test_a_replica_is_where_it_was_placed() -> None:
    devices = [build_device(id=ONE), build_device(id=OTHER)]
    replica = build_replica(device_id=OTHER)
    assert hold_replicas(devices, [replica]) == {ONE: [], OTHER: [replica]}
    assert hold_replicas([devices[0]], [replica]) == {ONE: []}


def test_one_placed_before_devices_were_told_apart_is_on_the_only_one_it_can_be_on() -> None:
    replica = build_replica(device_id=None)
    devices = [build_device(id=ONE), build_device(id=OTHER, chip="nvidia-h20")]
    assert hold_replicas(devices, [replica])[ONE] == [replica]
    twins = [build_device(id=ONE), build_device(id=OTHER)]
    assert hold_replicas(twins, [replica]) == {ONE: [], OTHER: []}


async def test_a_retired_device_is_no_candidate_and_what_it_ran_must_leave(storage: Database, world: World) -> None:
    async with storage.write() as transaction:
        await transaction.devices.update(replace(world.left.device, use=DeviceUse.RETIRED, version=2))
    async with storage.read() as view:
        places = await load_places(view)
    assert {candidate.device_id for candidate in places.candidates} == {world.right.device.id}
    assert places.leaving == {world.left.replica.id}
