"""Projects of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.project import ProjectCreate, ProjectUpdate, ProjectView


class AsyncProjects:
    """Projects within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[ProjectView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[ProjectView], "/projects")

    async def get(self, project_id: UUID) -> ProjectView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ProjectView, f"/projects/{project_id}")

    async def create(self, body: ProjectCreate) -> ProjectView:
        """Create a project; raises AlreadyExists if its organization has one of that name."""
        return await self._transport.write(ProjectView, "POST", "/projects", body)

    async def rename(self, project: ProjectView, name: str) -> ProjectView:
        """Rename what was seen; raises as update does."""
        return await self.update(project, ProjectUpdate(name=name))

    async def update(self, project: ProjectView, change: ProjectUpdate) -> ProjectView:
        """Change what was seen, in what the change names.

        Raises VersionMismatch if it has changed since, AlreadyExists if its name is taken, InvalidInput for a policy that
        can never match.
        """
        path = f"/projects/{project.id}"
        return await self._transport.write(ProjectView, "PATCH", path, change, version=project.version)


class Projects(Blocking[AsyncProjects]):
    """Projects within the key's scope."""

    list = iterate(AsyncProjects.list)
    get = wait_for(AsyncProjects.get)
    create = wait_for(AsyncProjects.create)
    rename = wait_for(AsyncProjects.rename)
    update = wait_for(AsyncProjects.update)
