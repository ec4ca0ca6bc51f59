"""Claims are found by site and chip, and deleted as they were seen."""

from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import NotFound, VersionMismatch
from keisan.storage.database import Database
from tests.factories import create_claim, plant_world

EVERYTHING = PlatformScope()


async def test_claims_are_found_by_site_and_chip_within_a_scope(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = world.left, world.right
    more = create_claim(left.site, "metax-c600")
    async with storage.write() as transaction:
        await transaction.claims.insert(more)
    pairs = [(side.site.id, chip) for side in (left, right) for chip in ("nvidia-h20", "metax-c600")]
    async with storage.read() as view:
        own = {pairs[0]: left.claim, pairs[1]: more}
        assert await view.claims.list_chips(ProviderScope(left.provider.id), pairs) == own
        assert await view.claims.list_chips(EVERYTHING, pairs) == own | {pairs[2]: right.claim}
        assert await view.claims.list_chips(OrganizationScope(left.organization.id), pairs) == {}
        assert set(map(repr, await view.claims.list_all(EVERYTHING))) == set(map(repr, (left.claim, right.claim, more)))
        assert len(await view.claims.list_all(ProviderScope(right.provider.id))) == 1


async def test_claim_is_deleted_as_it_was_seen(storage: Database) -> None:
    world = await plant_world(storage)
    claim = world.left.claim
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await transaction.claims.delete(replace(claim, version=2))
    async with storage.write() as transaction:
        await transaction.claims.delete(claim)
    async with storage.read() as view:
        with pytest.raises(NotFound):
            await view.claims.get(EVERYTHING, claim.id)
        assert await view.claims.list_all(EVERYTHING) == (world.right.claim,)
