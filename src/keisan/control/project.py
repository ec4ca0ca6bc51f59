"""Commands on projects: create, rename."""

from dataclasses import replace

from keisan.control.context import Control, check_version, name_actor
from keisan.domain.access import OrganizationScope, Principal, Right
from keisan.domain.errors import InvalidInput
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId, ProjectId
from keisan.domain.project import Project
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.project import ProjectCreate, ProjectUpdate


async def create_project(control: Control, principal: Principal, body: ProjectCreate) -> Project:
    """Create a project in the named organization, or in the asker's own.

    Raises PermissionDenied, InvalidInput when no organization is named, NotFound when it lies outside the asker's
    scope, AlreadyExists when it has a project of that name.
    """
    principal.require(Right.WRITE_PROJECTS)
    wanted_id = _choose_organization(principal, body)
    async with control.storage.write() as transaction:
        organization = await transaction.organizations.get(principal.scope, wanted_id)
        project = build_project(control, organization.id, body.name)
        await insert_project(transaction, name_actor(principal), project)
    return project


async def rename_project(
    control: Control, principal: Principal, project_id: ProjectId, expected_version: int, body: ProjectUpdate
) -> Project:
    """Rename a project; raises PermissionDenied, NotFound, VersionMismatch or AlreadyExists."""
    principal.require(Right.WRITE_PROJECTS)
    async with control.storage.write() as transaction:
        stored = await transaction.projects.get(principal.scope, project_id)
        check_version(stored.version, expected_version)
        renamed = replace(stored, name=body.name, version=stored.version + 1)
        await transaction.projects.update(renamed)
        detail = {"name": renamed.name, "previous_name": stored.name}
        await transaction.events.append(EventDraft(name_actor(principal), "project.renamed", project_id, detail))
    return renamed


def build_project(control: Control, organization_id: OrganizationId, name: str) -> Project:
    """Return a new project that is not stored yet."""
    return Project(
        id=ProjectId(create_id()),
        platform_id=control.platform_id,
        organization_id=organization_id,
        name=name,
        version=1,
        created_at=control.clock.now(),
    )


async def insert_project(transaction: Transaction, actor: str, project: Project) -> None:
    """Write a project and its event; raises AlreadyExists when the organization has one of that name."""
    await transaction.projects.insert(project)
    detail = {"name": project.name, "organization_id": str(project.organization_id)}
    await transaction.events.append(EventDraft(actor, "project.created", project.id, detail))


def _choose_organization(principal: Principal, body: ProjectCreate) -> OrganizationId:
    if body.organization_id is not None:
        return OrganizationId(body.organization_id)
    if isinstance(principal.scope, OrganizationScope):
        return principal.scope.organization_id
    raise InvalidInput("a key of the whole platform must name the organization", "organization_id")
