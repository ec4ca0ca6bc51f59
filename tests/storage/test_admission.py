"""Admissions on both databases: found where they hold, within their scope."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.errors import VersionMismatch
from keisan.storage.database import Database
from tests.domain.credit_samples import OTHER_ID, create_admission
from tests.factories import NOW, plant_world

EVERYTHING = PlatformScope()


async def test_admission_is_found_where_it_holds(storage: Database) -> None:
    world = await plant_world(storage)
    left, own = world.left.organization.id, OrganizationScope(world.left.organization.id)
    ended = create_admission(left, ended_at=NOW, credit_nano_max=10**37)
    admission = create_admission(left)
    async with storage.write() as transaction:
        await transaction.admissions.insert(ended)
        assert await transaction.admissions.find(own, left, OTHER_ID) == ended
        await transaction.admissions.insert(admission)
        await transaction.admissions.insert(create_admission(world.right.organization.id))
    async with storage.write() as transaction:
        assert await transaction.admissions.find(own, left, OTHER_ID) == admission
        assert await transaction.admissions.find(OrganizationScope(world.right.organization.id), left, OTHER_ID) is None
        assert await transaction.admissions.find(EVERYTHING, left, world.platform.id) is None
        assert await transaction.admissions.list_in_force(own, left) == (admission,)
        await transaction.admissions.update(replace(admission, policy="x", version=2))
        with pytest.raises(VersionMismatch):
            await transaction.admissions.update(replace(admission, policy="y", version=2))
