"""Keys through the client: made, used, revoked."""

import pytest

from keisan.sdk import AsyncKeisan, Connections, KeyCreate, PermissionDenied, Role, Unauthenticated
from tests.api.stage import Stage
from tests.sdk.platform import connect


async def test_create_and_revoke(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.keys.create(KeyCreate(name="new", project_id=stage.project.id))
    stage.secrets["new"] = created.secret
    http = connect(stage, "new")
    async with AsyncKeisan.over(Connections(http)) as mine:
        assert (await mine.platform.get()).name == "small"
        revoked = await admin.keys.revoke(created.key.id)
        assert revoked.snapshot_version > created.snapshot_version
        with pytest.raises(Unauthenticated):
            await mine.platform.get()
    assert await admin.keys.get(created.key.id) == revoked.key
    assert created.key.id in [line.id async for line in admin.keys.list()]


async def test_wider_key_is_refused(stage: Stage) -> None:
    async with AsyncKeisan.over(Connections(connect(stage, "owner"))) as owner:
        body = KeyCreate(name="new", project_id=stage.project.id, role=Role.PLATFORM_ADMIN)
        with pytest.raises(PermissionDenied):
            await owner.keys.create(body)
