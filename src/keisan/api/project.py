"""Projects over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import project as commands
from keisan.domain.ids import ProjectId
from keisan.wire.page import ListQuery, Page
from keisan.wire.project import ProjectCreate, ProjectUpdate, ProjectView

router = APIRouter(prefix="/projects", tags=["projects"])


@router.get("")
async def list_projects(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ProjectView]:
    async with caller.read() as view:
        found = await view.projects.list(caller.scope, read_page(query))
    return build_page(found, ProjectView.model_validate)


@router.get("/{project_id}")
async def get_project(caller: CallerOf, project_id: UUID, response: Response) -> ProjectView:
    async with caller.read() as view:
        found = await view.projects.get(caller.scope, ProjectId(project_id))
    return tag_version(response, ProjectView.model_validate(found))


@router.post("", status_code=201)
async def create_project(caller: CallerOf, body: ProjectCreate, response: Response) -> ProjectView:
    created = await commands.create_project(caller.control, caller.principal, body)
    return tag_version(response, ProjectView.model_validate(created))


@router.patch("/{project_id}")
async def update_project(
    caller: CallerOf,
    project_id: UUID,
    expected_version: ExpectedVersion,
    body: ProjectUpdate,
    response: Response,
) -> ProjectView:
    updated = await commands.update_project(
        caller.control, caller.principal, ProjectId(project_id), expected_version, body
    )
    return tag_version(response, ProjectView.model_validate(updated))
