"""Starting a serving challenge: at which site, paid by whom, and what is refused before anything is spent."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.serving_challenge import choose_site
from keisan.domain.access import OrganizationScope, PlatformScope, Role
from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict
from keisan.domain.ids import SiteId
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.serving_challenge import ServingState
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.control.people import add_key
from tests.control.serving_world import ServingWorld, open_serving_world
from tests.factories import World

EVERYTHING = PlatformScope()


@pytest.fixture
async def stage(control: Control, storage: Database, world: World) -> AsyncIterator[ServingWorld]:
    """A deployment with one ready replica."""
    async with open_serving_world(control, storage, world) as stage:
        yield stage


async def test_challenge_names_site_project_and_asker(stage: ServingWorld, world: World) -> None:
    planned = await stage.start(project_id=None)
    assert (planned.state, planned.key_id, planned.asked_by) == (ServingState.PLANNED, None, stage.admin.id)
    assert planned.site_id == world.left.site.id
    assert planned.project_id == world.left.project.id
    assert planned.model_id == world.model.id


async def test_seeds_are_fresh(stage: ServingWorld) -> None:
    first = await stage.start()
    await stage.run_until(first, lambda found: found.state is ServingState.JUDGED)
    assert (await stage.start()).work.seed != first.work.seed


async def test_deployment_is_under_one_challenge_at_a_time(stage: ServingWorld) -> None:
    await stage.start()
    with pytest.raises(StateConflict, match="under a serving challenge"):
        await stage.start()


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PROVIDER, Role.ORGANIZATION_ADMIN, Role.DEVELOPER])
async def test_only_who_challenges_and_makes_keys_may_start(stage: ServingWorld, world: World, role: Role) -> None:
    provider_id = world.left.provider.id if role is Role.PROVIDER else None
    stage.admin = await add_key(stage.control, world.left.project, role, provider_id)
    with pytest.raises(PermissionDenied):
        await stage.start()


async def test_project_must_be_within_the_askers_scope(stage: ServingWorld, world: World) -> None:
    stage.admin = replace(stage.admin, scope=OrganizationScope(world.left.organization.id))
    with pytest.raises(NotFound):
        await stage.start(project_id=world.right.project.id)
    stage.admin = replace(stage.admin, scope=PlatformScope(), project_id=None)
    with pytest.raises(InvalidInput, match="project that pays"):
        await stage.start(project_id=None)


async def test_gateway_must_be_known_and_connected(stage: ServingWorld) -> None:
    known = stage.control
    stage.control = replace(known, find_gateway=lambda: None)
    with pytest.raises(StateConflict, match="knows no gateway"):
        await stage.start()
    stage.control = known
    stage.clock.ahead += timedelta(hours=1)
    with pytest.raises(StateConflict, match="no gateway is connected"):
        await stage.start()


async def test_deployment_that_is_on_its_way_out_is_not_challenged(stage: ServingWorld, world: World) -> None:
    deployment = world.left.deployment
    leaving = replace(deployment, state=DeploymentState.DELETING, version=deployment.version + 1)
    async with stage.control.storage.write() as transaction:
        await transaction.deployments.update(leaving)
    with pytest.raises(StateConflict, match="deleting"):
        await stage.start()


async def test_policy_of_the_project_that_admits_nothing_there_is_told_before_anything_is_made(
    stage: ServingWorld, world: World
) -> None:
    project = world.left.project
    bound = replace(project, policy=f"site in {world.right.site.id}", version=project.version + 1)
    async with stage.control.storage.write() as transaction:
        await transaction.projects.update(bound)
    with pytest.raises(InvalidInput, match="site"):
        await stage.start()


def test_site_is_where_replicas_are_ready(world: World) -> None:
    def build(site_id: SiteId, **changes: object) -> Replica:
        ready = replace(world.left.replica, state=ReplicaState.READY, verdict=Verdict.OK, site_id=site_id)
        return replace(ready, **changes)  # type: ignore[arg-type]  # fields by name

    one, two = SiteId(create_id()), SiteId(create_id())
    assert choose_site([build(one), build(one)], None) == one
    assert choose_site([build(one), build(two, state=ReplicaState.STARTING)], None) == one
    assert choose_site([build(one), build(two)], two) == two
    with pytest.raises(InvalidInput, match="2 sites"):
        choose_site([build(one), build(two)], None)
    for replicas, wanted in (
        ([], None),
        ([build(one, verdict=Verdict.UNKNOWN)], None),
        ([build(one)], two),
    ):
        with pytest.raises(StateConflict, match="no replica"):
            choose_site(replicas, wanted)
