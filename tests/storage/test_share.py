"""Shares by limit and by gateway: written in place, seen by the platform only, changed by one transaction at a time."""

import asyncio
from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import InvariantBroken
from keisan.domain.ids import MachineId
from keisan.domain.share import Share
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import PLATFORM_ID, plant_world

EVERYTHING = PlatformScope()
LIMIT, OTHER_LIMIT = "key:a:requests", "key:b:requests"


def create_share(limit_id: str = LIMIT, share_ppm: int = 5) -> Share:
    return Share(limit_id, MachineId(create_id()), PLATFORM_ID, share_ppm, 2**62)


async def put(storage: Database, *shares: Share) -> None:
    async with storage.write() as transaction:
        await transaction.shares.lock()
        await transaction.shares.put_many(shares)


async def test_shares_are_found_by_limit_and_by_gateway(storage: Database) -> None:
    first, second = create_share(), create_share()
    third = replace(first, limit_id=OTHER_LIMIT)
    await put(storage, first, second, third)
    await put(storage)
    async with storage.read() as view:
        assert set(await view.shares.list_limits(EVERYTHING, [LIMIT, LIMIT])) == {first, second}
        assert set(await view.shares.list_gateway(EVERYTHING, first.gateway_id)) == {first, third}
        assert await view.shares.list_limits(EVERYTHING, []) == []
        for scope in (OrganizationScope(create_id()), ProviderScope(create_id())):  # type: ignore[arg-type]  # any id
            assert await view.shares.list_limits(scope, [LIMIT]) == []
            assert await view.shares.list_gateway(scope, first.gateway_id) == []


async def test_share_is_written_in_place_and_deleted_alone(storage: Database) -> None:
    first, second = create_share(), create_share()
    changed = replace(first, share_ppm=7, demand_per_minute=8)
    await put(storage, first, second)
    await put(storage, changed)
    async with storage.write() as transaction:
        assert set(await transaction.shares.list_limits(EVERYTHING, [LIMIT])) == {changed, second}
        await transaction.shares.delete_many([second, create_share()])
        await transaction.shares.delete_many([])
    async with storage.read() as view:
        assert await view.shares.list_limits(EVERYTHING, [LIMIT]) == [changed]


async def test_one_transaction_at_a_time_holds_the_lock(storage: Database) -> None:
    await plant_world(storage)
    share = create_share(share_ppm=0)
    await put(storage, share)

    async def raise_by_one() -> None:
        async with storage.write() as transaction:
            await transaction.shares.lock()
            (found,) = await transaction.shares.list_limits(EVERYTHING, [LIMIT])
            await transaction.shares.put_many([replace(found, share_ppm=found.share_ppm + 1)])

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(raise_by_one())
    async with storage.read() as view:
        assert await view.shares.list_limits(EVERYTHING, [LIMIT]) == [replace(share, share_ppm=8)]


async def test_view_takes_no_lock(storage: Database) -> None:
    async with storage.read() as view:
        with pytest.raises(InvariantBroken):
            await view.shares.lock()
