"""Providers through the client."""

from keisan.sdk import AsyncKeisan, ProviderCreate


async def test_create_and_list(admin: AsyncKeisan) -> None:
    created = await admin.providers.create(ProviderCreate(name="yama"))
    assert await admin.providers.get(created.id) == created
    assert [line.name async for line in admin.providers.list()] == ["hikari", "umi", "yama"]
