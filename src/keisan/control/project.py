"""Commands on projects: create, update. A change is in the snapshot, so that gateways act on it."""

from dataclasses import replace

from keisan.control.admission import tell_admissions
from keisan.control.audit import describe_changes
from keisan.control.context import Control, check_own, check_version, name_actor
from keisan.control.policy import note_conflicts, settle_policy
from keisan.domain.access import OrganizationScope, Principal, Right
from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import InvalidInput
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId, ProjectId
from keisan.domain.project import Project
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.call_limits import change_limits
from keisan.wire.project import ProjectCreate, ProjectUpdate


async def create_project(control: Control, principal: Principal, body: ProjectCreate) -> Project:
    """Create a project in the named organization, or in the asker's own.

    Raises PermissionDenied, InvalidInput when no organization is named or the policy can never match, NotFound when the
    organization lies outside the asker's scope, AlreadyExists when it has a project of that name.
    """
    principal.require(Right.WRITE_PROJECTS)
    wanted_id = _choose_organization(principal, body)
    async with control.storage.write() as transaction:
        organization = await transaction.organizations.get(principal.scope, wanted_id)
        check_own(control, organization.platform_id)
        policy = settle_policy(control, body.policy, (organization.policy,))
        project = build_project(control, organization.id, body.model_copy(update={"policy": policy}))
        await insert_project(transaction, name_actor(principal), project)
        await tell_admissions(transaction, control, organization.id)
    return project


async def update_project(
    control: Control, principal: Principal, project_id: ProjectId, expected_version: int, body: ProjectUpdate
) -> Project:
    """Change a project; what is below it may lose all matches by a new policy, and an event says so.

    Raises PermissionDenied, NotFound, VersionMismatch, AlreadyExists, or InvalidInput for a policy that can never match.
    """
    principal.require(Right.WRITE_PROJECTS)
    async with control.storage.write() as transaction:
        stored = await transaction.projects.get(principal.scope, project_id)
        check_version(stored.version, expected_version)
        check_own(control, stored.platform_id)
        policy = stored.policy
        if "policy" in body.model_fields_set:
            organization = await transaction.organizations.get(principal.scope, stored.organization_id)
            policy = settle_policy(control, body.policy, (organization.policy,))
        updated = replace(_change_project(stored, body), policy=policy)
        await transaction.projects.update(updated)
        detail = describe_changes(stored, updated)
        await transaction.events.append(EventDraft(name_actor(principal), "project.updated", project_id, detail))
        if updated.policy != stored.policy:
            await note_conflicts(transaction, name_actor(principal), updated)
        await transaction.snapshot.touch(SnapshotTable.PROJECTS, [project_id])
        await tell_admissions(transaction, control, updated.organization_id)
    return updated


def build_project(control: Control, organization_id: OrganizationId, body: ProjectCreate) -> Project:
    """Return a new project that is not stored yet."""
    return Project(
        id=ProjectId(create_id()),
        platform_id=control.platform_id,
        organization_id=organization_id,
        name=body.name,
        limits=change_limits(CallLimits(), body.limits),
        policy=body.policy,
        version=1,
        created_at=control.clock.now(),
    )


async def insert_project(transaction: Transaction, actor: str, project: Project) -> None:
    """Write a project, its event and its mark in the snapshot.

    Raises AlreadyExists when the organization has one of that name.
    """
    await transaction.projects.insert(project)
    detail = {"name": project.name, "organization_id": str(project.organization_id)}
    await transaction.events.append(EventDraft(actor, "project.created", project.id, detail))
    await transaction.snapshot.touch(SnapshotTable.PROJECTS, [project.id])


def _change_project(stored: Project, body: ProjectUpdate) -> Project:
    named = body.model_fields_set
    return replace(
        stored,
        name=body.name if "name" in named else stored.name,
        limits=change_limits(stored.limits, body.limits),
        version=stored.version + 1,
    )


def _choose_organization(principal: Principal, body: ProjectCreate) -> OrganizationId:
    if body.organization_id is not None:
        return OrganizationId(body.organization_id)
    if isinstance(principal.scope, OrganizationScope):
        return principal.scope.organization_id
    raise InvalidInput("a key of the whole platform must name the organization", "organization_id")
