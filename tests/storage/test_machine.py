"""Machines acknowledge without a new version; a join token is used by one machine."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.access import MachineKind, PlatformScope, ProviderScope
from keisan.domain.errors import AlreadyExists, NotFound, StateConflict
from keisan.domain.ids import JoinTokenId, MachineId
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, create_join_token, plant_world

EVERYTHING = PlatformScope()


async def test_digest_finds_its_machine_revoked_or_not(storage: Database) -> None:
    agent = (await plant_world(storage)).left.agent
    revoked = replace(agent, revoked_at=NOW, version=2)
    async with storage.write() as transaction:
        assert await transaction.machines.find_by_digest(agent.digest) == agent
        await transaction.machines.update(revoked)
        assert await transaction.machines.find_by_digest(agent.digest) == revoked
        assert await transaction.machines.find_by_digest("0" * 64) is None


async def test_machines_of_a_kind_that_are_in_force(storage: Database) -> None:
    world = await plant_world(storage)
    async with storage.write() as transaction:
        await transaction.machines.update(replace(world.right.agent, revoked_at=NOW, version=2))
    async with storage.read() as view:
        assert await view.machines.list_kind(EVERYTHING, MachineKind.GATEWAY) == (world.gateway,)
        assert await view.machines.list_kind(EVERYTHING, MachineKind.SITE) == (world.left.agent,)
        assert await view.machines.list_kind(ProviderScope(world.right.provider.id), MachineKind.SITE) == ()


async def test_acknowledging_leaves_the_version(storage: Database) -> None:
    gateway = (await plant_world(storage)).gateway
    seen_at = NOW + timedelta(seconds=1)
    async with storage.write() as transaction:
        await transaction.machines.acknowledge(gateway.id, 17, seen_at)
    expected = replace(gateway, acknowledged_version=17, seen_at=seen_at)
    async with storage.write() as transaction:
        assert await transaction.machines.get(EVERYTHING, gateway.id) == expected
        await transaction.machines.update(replace(gateway, name="renamed", version=2))
        assert await transaction.machines.get(EVERYTHING, gateway.id) == replace(expected, name="renamed", version=2)


async def test_only_a_known_machine_acknowledges(storage: Database) -> None:
    with pytest.raises(NotFound):
        async with storage.write() as transaction:
            await transaction.machines.acknowledge(MachineId(create_id()), 1, NOW)


async def test_join_token_comes_back_as_it_went_in(storage: Database) -> None:
    world = await plant_world(storage)
    token = create_join_token(world.left.site)
    async with storage.write() as transaction:
        await transaction.join_tokens.insert(token)
        assert await transaction.join_tokens.find_by_digest(token.digest) == token
        assert await transaction.join_tokens.find_by_digest("0" * 64) is None
        with pytest.raises(AlreadyExists):
            await transaction.join_tokens.insert(replace(token, id=JoinTokenId(create_id())))


async def test_join_token_is_used_by_one_machine(storage: Database) -> None:
    token, machine_id = create_join_token(), MachineId(create_id())
    async with storage.write() as transaction:
        await transaction.join_tokens.insert(token)
        await transaction.join_tokens.use(token.id, machine_id)
        await transaction.join_tokens.use(token.id, machine_id)
        with pytest.raises(StateConflict):
            await transaction.join_tokens.use(token.id, MachineId(create_id()))
        with pytest.raises(NotFound):
            await transaction.join_tokens.use(JoinTokenId(create_id()), machine_id)
    async with storage.read() as view:
        assert await view.join_tokens.find_by_digest(token.digest) == replace(token, used_by=machine_id)


@pytest.mark.parametrize("turn", range(5))
async def test_one_of_many_machines_uses_a_token(storage: Database, turn: int) -> None:
    token = create_join_token()
    async with storage.write() as transaction:
        await transaction.join_tokens.insert(token)

    async def try_use() -> MachineId | None:
        machine_id = MachineId(create_id())
        try:
            async with storage.write() as transaction:
                await transaction.join_tokens.use(token.id, machine_id)
        except StateConflict:
            return None
        return machine_id

    async with contextlib.AsyncExitStack() as stack:
        # Connections stand ready, so that all ask at the same moment.
        for _ in range(4):
            await stack.enter_async_context(storage.read())
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(try_use()) for _ in range(8)]
    users = [attempt.result() for attempt in tries if attempt.result()]
    async with storage.read() as view:
        used = await view.join_tokens.find_by_digest(token.digest)
    assert used is not None
    assert users == [used.used_by]
