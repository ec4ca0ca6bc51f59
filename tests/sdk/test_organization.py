"""Organizations through the client: a rename is of what was seen."""

import pytest

from keisan.sdk import AlreadyExists, AsyncKeisan, OrganizationCreate, VersionMismatch


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
