"""Replicas: stopped ones leave the lists but not the table; each keeps the tail of its log."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import NotFound
from keisan.domain.ids import ReplicaId
from keisan.domain.replica import ReplicaState
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import create_replica, plant_world

EVERYTHING = PlatformScope()


async def test_stopped_replicas_leave_the_lists(storage: Database) -> None:
    world = await plant_world(storage)
    side = world.left
    stopped = replace(create_replica(side.deployment, side.site, side.node), state=ReplicaState.STOPPED)
    async with storage.write() as transaction:
        await transaction.replicas.insert(stopped)
    async with storage.read() as view:
        replicas = view.replicas
        assert await replicas.list_deployment(EVERYTHING, side.deployment.id) == (side.replica,)
        assert await replicas.list_site(EVERYTHING, side.site.id) == (side.replica,)
        assert await replicas.list_by_ids(EVERYTHING, None) == (side.replica, world.right.replica)
        assert await replicas.list_by_ids(EVERYTHING, [stopped.id]) == (stopped,)
        assert await replicas.get(EVERYTHING, stopped.id) == stopped


async def test_lists_within_the_scope(storage: Database) -> None:
    world = await plant_world(storage)
    side = world.left
    for scope in (ProviderScope(world.right.provider.id), OrganizationScope(side.organization.id)):
        async with storage.read() as view:
            assert await view.replicas.list_deployment(scope, side.deployment.id) == ()
            assert await view.replicas.list_site(scope, side.site.id) == ()
            assert await view.replicas.list_by_ids(scope, [side.replica.id]) == ()
            assert side.replica not in await view.replicas.list_by_ids(scope, None)
            with pytest.raises(NotFound):
                await view.replicas.get_log_tail(scope, side.replica.id)


async def test_log_tail_stays_beside_the_replica(storage: Database) -> None:
    replica = (await plant_world(storage)).left.replica
    async with storage.write() as transaction:
        assert await transaction.replicas.get_log_tail(EVERYTHING, replica.id) == ""
        await transaction.replicas.set_log_tail(replica.id, "計算 ready\n")
        await transaction.replicas.update(replace(replica, restart_count=1, version=2))
        assert await transaction.replicas.get_log_tail(EVERYTHING, replica.id) == "計算 ready\n"
        with pytest.raises(NotFound):
            await transaction.replicas.get_log_tail(EVERYTHING, ReplicaId(create_id()))
