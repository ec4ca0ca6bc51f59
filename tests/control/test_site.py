"""Commands on sites: a provider's own."""

import pytest

from keisan.control.context import Control
from keisan.control.site import create_site
from keisan.domain.access import Role
from keisan.domain.errors import NotFound, PermissionDenied
from keisan.domain.verdict import Verdict
from keisan.wire.site import SiteCreate
from tests.control.people import EVERYTHING, add_key, count_actions
from tests.factories import World


async def test_provider_creates_its_own_sites_only(control: Control, world: World) -> None:
    asker = await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)
    created = await create_site(
        control, asker, SiteCreate(name="attic", provider_id=world.left.provider.id, region="JP-27")
    )
    async with control.storage.read() as view:
        assert await view.sites.get(EVERYTHING, created.id) == created
    assert (created.verdict, created.reported_at) == (Verdict.UNKNOWN, None)
    with pytest.raises(NotFound):
        await create_site(control, asker, SiteCreate(name="attic", provider_id=world.right.provider.id, region="JP-27"))
    assert (await count_actions(control))["site.created"] == 1


async def test_organizations_make_no_sites(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(PermissionDenied):
        await create_site(control, owner, SiteCreate(name="a", provider_id=world.left.provider.id, region="JP-27"))
