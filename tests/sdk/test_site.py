"""Sites through the client."""

from keisan.sdk import AsyncKeisan, SiteCreate
from tests.api.stage import Stage


async def test_create_and_list(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.sites.create(SiteCreate(name="attic", provider_id=stage.ids["umi"], region="JP-14"))
    assert await admin.sites.get(created.id) == created
    assert [line.name async for line in admin.sites.list()] == ["cellar", "harbour", "attic"]
