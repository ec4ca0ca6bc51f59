"""Credit for the nation's organizations: money once, an admission at each place, and none twice."""

from collections.abc import AsyncIterator

import pytest

from keisan.daemon.nation_credit import CURRENCY, WALLET_NANO, admit_everywhere
from keisan.sdk import AsyncKeisan, Connections, OrganizationCreate
from tests.api.conftest import stage, stage_template
from tests.api.stage import Stage
from tests.sdk.platform import connect

__all__ = ["stage", "stage_template"]
PLACES = ["cd" * 32, "ef" * 32]


@pytest.fixture
async def admin(stage: Stage) -> AsyncIterator[AsyncKeisan]:
    async with AsyncKeisan.over(Connections(connect(stage, "admin"), clock=stage.clock)) as client:
        yield client


async def test_organization_is_admitted_once_at_each_place_with_money(admin: AsyncKeisan) -> None:
    owner = await admin.organizations.create(OrganizationCreate(name="Meteorology office"))
    await admit_everywhere(admin, owner, PLACES[:1])
    await admit_everywhere(admin, owner, PLACES)
    await admit_everywhere(admin, owner, PLACES)
    admitted = [each.counterparty_id async for each in admin.admissions.list() if each.organization_id == owner.id]
    assert admitted == PLACES
    wallets = [each async for each in admin.accounts.list() if each.organization_id == owner.id]
    assert [(each.currency, each.balance_nano) for each in wallets] == [(CURRENCY, WALLET_NANO)]
