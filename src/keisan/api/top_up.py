"""Top-ups of an organization's wallet over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from keisan.api.context import CallerOf
from keisan.control import top_up as commands
from keisan.domain.ids import OrganizationId
from keisan.wire.top_up import TopUpCreate, TopUpView

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.post("/{organization_id}/top-ups", status_code=201)
async def create_top_up(caller: CallerOf, organization_id: UUID, body: TopUpCreate) -> TopUpView:
    created = await commands.create_top_up(caller.control, caller.principal, OrganizationId(organization_id), body)
    return TopUpView.model_validate(created)
