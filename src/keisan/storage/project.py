"""Projects: an organization sees its own."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ForeignKey, Table, Text, UniqueConstraint

from keisan.domain.access import Scope
from keisan.domain.ids import ProjectId
from keisan.domain.project import Project
from keisan.storage.call_limits import build_limits_column
from keisan.storage.repository import TableRepository, Visibility, limit_to_owner
from keisan.storage.schema import build_column, build_id, build_noun_columns, metadata

project = Table(
    "project",
    metadata,
    *build_noun_columns(),
    build_id("organization_id", ForeignKey("organization.id")),
    build_column("name", Text()),
    build_limits_column(),
    build_column("policy", Text()),
    UniqueConstraint("organization_id", "name"),
)


class ProjectRepository(TableRepository[Project, ProjectId]):
    """Projects by id."""

    table = project
    noun_type = Project
    unique = "name"
    visibility = Visibility(organization=limit_to_owner(project.c.organization_id))

    async def list_by_ids(self, scope: Scope, ids: Iterable[ProjectId]) -> Sequence[Project]:
        """Return the projects with these ids."""
        return await self._list_ids(scope, ids)

    async def list_all(self, scope: Scope) -> Sequence[Project]:
        """Return all projects in scope."""
        return await self._list_where(scope)
