"""Projects through the client."""

from keisan.sdk import AsyncKeisan, ProjectCreate
from tests.api.stage import Stage


async def test_create_rename_and_list(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.projects.create(ProjectCreate(name="third", organization_id=stage.ids["beta"]))
    assert await admin.projects.get(created.id) == created
    assert (await admin.projects.rename(created, "fourth")).version == 2
    assert [line.name async for line in admin.projects.list()] == ["first", "second", "fourth"]
