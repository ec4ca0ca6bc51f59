"""Deployments through the client: changed only as they were seen."""

import pytest

from keisan.sdk import AsyncKeisan, DeploymentCreate, InvalidInput, VersionMismatch
from tests.api.stage import Stage


async def test_create_scale_delete(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.deployments.create(DeploymentCreate(model_id=stage.ids["model"], replica_count=0))
    scaled = await admin.deployments.scale(created, 2)
    assert scaled.replica_count == 2
    with pytest.raises(InvalidInput, match="greater than or equal to 0"):
        await admin.deployments.scale(scaled, -1)
    with pytest.raises(VersionMismatch):
        await admin.deployments.delete(created)
    assert (await admin.deployments.delete(scaled)).state == "deleting"
    assert [line.id async for line in admin.deployments.list()] == [stage.ids["deployment"], created.id]
    assert (await admin.deployments.get(created.id)).state == "deleting"
