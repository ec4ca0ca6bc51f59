"""Organizations through the client: a rename is of what was seen."""

import pytest

from keisan.sdk import AlreadyExists, AsyncKeisan, NotFound, OrganizationCreate, TopUpCreate, VersionMismatch


async def test_create_rename_and_list(admin: AsyncKeisan) -> None:
    created = await admin.organizations.create(OrganizationCreate(name="gamma"))
    assert await admin.organizations.get(created.id) == created
    renamed = await admin.organizations.rename(created, "delta")
    assert (renamed.name, renamed.version) == ("delta", 2)
    with pytest.raises(VersionMismatch):
        await admin.organizations.rename(created, "epsilon")
    with pytest.raises(AlreadyExists):
        await admin.organizations.create(OrganizationCreate(name="delta"))
    assert [line.name async for line in admin.organizations.list()] == ["alpha", "beta", "delta"]


async def test_top_up_fills_a_wallet(admin: AsyncKeisan) -> None:
    created = await admin.organizations.create(OrganizationCreate(name="gamma"))
    body = TopUpCreate(amount_nano=2**70, currency="CNY", note="invoice 7")
    made = await admin.organizations.top_up(created.id, body)
    assert (made.organization_id, made.amount_nano, made.balance_nano) == (created.id, 2**70, 2**70)
    assert (await admin.organizations.top_up(created.id, body)).balance_nano == 2**71
    with pytest.raises(NotFound):
        await admin.organizations.top_up(made.id, body)
