"""The platform: one per database."""

from dataclasses import replace

import pytest

from keisan.domain.errors import AlreadyExists, NotFound, VersionMismatch
from keisan.domain.ids import hash_public_key
from keisan.storage.database import Database
from tests.factories import create_platform


async def test_database_belongs_to_no_platform_at_first(storage: Database) -> None:
    async with storage.read() as view:
        assert await view.platform.find() is None
        with pytest.raises(NotFound):
            await view.platform.get()


@pytest.mark.parametrize("region", ["JP-13", None])
async def test_platform_comes_back_as_it_went_in(storage: Database, region: str | None) -> None:
    platform = replace(create_platform(), region=region)
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
    async with storage.read() as view:
        assert await view.platform.get() == platform == await view.platform.find()


async def test_database_belongs_to_one_platform(storage: Database) -> None:
    platform = create_platform()
    other_key = b"\x08" * 32
    other = replace(platform, id=hash_public_key(other_key), public_key=other_key)
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
    for second in (platform, other):
        with pytest.raises(AlreadyExists):
            async with storage.write() as transaction:
                await transaction.platform.insert(second)
    async with storage.read() as view:
        assert await view.platform.get() == platform


async def test_limits_are_written_exactly_under_the_version(storage: Database) -> None:
    platform = create_platform()
    limited = replace(platform, name="renamed", four_eyes_nano={"CNY": 2**80, "USD": 0}, version=2)
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
        await transaction.platform.update(limited)
        assert await transaction.platform.get() == limited
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await transaction.platform.update(limited)
