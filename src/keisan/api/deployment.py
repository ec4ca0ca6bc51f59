"""Deployments over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import deployment as commands
from keisan.domain.ids import DeploymentId
from keisan.wire.deployment import DeploymentCreate, DeploymentUpdate, DeploymentView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/deployments", tags=["deployments"])


@router.get("")
async def list_deployments(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[DeploymentView]:
    async with caller.read() as view:
        found = await view.deployments.list(caller.scope, read_page(query))
    return build_page(found, DeploymentView.model_validate)


@router.get("/{deployment_id}")
async def get_deployment(caller: CallerOf, deployment_id: UUID, response: Response) -> DeploymentView:
    async with caller.read() as view:
        found = await view.deployments.get(caller.scope, DeploymentId(deployment_id))
    return tag_version(response, DeploymentView.model_validate(found))


@router.post("", status_code=201)
async def create_deployment(caller: CallerOf, body: DeploymentCreate, response: Response) -> DeploymentView:
    created = await commands.create_deployment(caller.control, caller.principal, body)
    return tag_version(response, DeploymentView.model_validate(created))


@router.patch("/{deployment_id}")
async def scale_deployment(
    caller: CallerOf, deployment_id: UUID, expected_version: ExpectedVersion, body: DeploymentUpdate, response: Response
) -> DeploymentView:
    scaled = await commands.scale_deployment(
        caller.control, caller.principal, DeploymentId(deployment_id), expected_version, body
    )
    return tag_version(response, DeploymentView.model_validate(scaled))


@router.delete("/{deployment_id}", status_code=202)
async def delete_deployment(
    caller: CallerOf, deployment_id: UUID, expected_version: ExpectedVersion, response: Response
) -> DeploymentView:
    deleting = await commands.delete_deployment(
        caller.control, caller.principal, DeploymentId(deployment_id), expected_version
    )
    return tag_version(response, DeploymentView.model_validate(deleting))
