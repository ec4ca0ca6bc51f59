"""Commands on deployments: each writes desired state, its event, and the work that follows, or nothing at all."""

import pytest

from keisan.control.context import Control
from keisan.control.deployment import create_deployment, delete_deployment, scale_deployment
from keisan.domain.access import Role
from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict, VersionMismatch
from keisan.domain.lease import WorkNoun
from keisan.kit.ids import create_id
from keisan.wire.deployment import DeploymentCreate, DeploymentUpdate
from tests.control.people import EVERYTHING, add_key, count_actions, take_work
from tests.factories import World


async def test_every_command_leaves_work_that_is_due(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    await take_work(control)
    created = await create_deployment(control, admin, DeploymentCreate(model_id=world.model.id, replica_count=2))
    [lease] = await take_work(control)
    assert (lease.noun, lease.noun_id) == (WorkNoun.DEPLOYMENT, created.id)
    scaled = await scale_deployment(control, admin, created.id, 1, DeploymentUpdate(replica_count=5))
    deleting = await delete_deployment(control, admin, created.id, 2)
    assert (scaled.replica_count, scaled.version) == (5, 2)
    assert (deleting.state, deleting.version) == (DeploymentState.DELETING, 3)
    async with control.storage.write() as transaction:
        assert await transaction.deployments.get(EVERYTHING, created.id) == deleting
        await transaction.outbox.finish(lease, None)
    [again] = await take_work(control)
    assert again.generation > lease.generation
    actions = await count_actions(control)
    assert [actions[f"deployment.{verb}"] for verb in ("created", "scaled", "deleting")] == [1, 1, 1]


async def test_deleting_deployment_is_left_alone(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    created = await create_deployment(control, admin, DeploymentCreate(model_id=world.model.id))
    await delete_deployment(control, admin, created.id, 1)
    with pytest.raises(StateConflict):
        await scale_deployment(control, admin, created.id, 2, DeploymentUpdate(replica_count=5))
    with pytest.raises(StateConflict):
        await delete_deployment(control, admin, created.id, 2)


async def test_other_version_changes_nothing(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    stored = world.left.deployment
    with pytest.raises(VersionMismatch):
        await scale_deployment(control, admin, stored.id, stored.version + 1, DeploymentUpdate(replica_count=5))
    with pytest.raises(VersionMismatch):
        await delete_deployment(control, admin, stored.id, stored.version + 1)
    async with control.storage.read() as view:
        assert await view.deployments.get(EVERYTHING, stored.id) == stored


async def test_what_it_names_must_exist(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    with pytest.raises(NotFound):
        await create_deployment(control, admin, DeploymentCreate(model_id=create_id()))
    with pytest.raises(NotFound):
        await create_deployment(control, admin, DeploymentCreate(model_id=world.model.id, site_id=create_id()))
    with pytest.raises(InvalidInput) as refused:
        await create_deployment(control, admin, DeploymentCreate(model_id=world.model.id, engine="vllm"))
    assert refused.value.field == "engine"
    named = DeploymentCreate(model_id=world.model.id, site_id=world.left.site.id)
    assert (await create_deployment(control, admin, named)).site_id == world.left.site.id


async def test_provider_deploys_nothing(control: Control, world: World) -> None:
    asker = await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)
    with pytest.raises(PermissionDenied):
        await create_deployment(control, asker, DeploymentCreate(model_id=world.model.id))
    with pytest.raises(PermissionDenied):
        await delete_deployment(control, asker, world.left.deployment.id, 1)
