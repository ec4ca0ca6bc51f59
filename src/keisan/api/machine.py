"""Machine identities over HTTP: join tokens, joins, revocation."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf, ContextOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import machine as commands
from keisan.domain.ids import MachineId
from keisan.wire.machine import JoinTokenCreate, JoinTokenCreated, MachineJoin, MachineView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/machines", tags=["machines"])


@router.get("")
async def list_machines(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[MachineView]:
    async with caller.read() as view:
        found = await view.machines.list(caller.scope, read_page(query))
    return build_page(found, MachineView.model_validate)


@router.get("/{machine_id}")
async def get_machine(caller: CallerOf, machine_id: UUID, response: Response) -> MachineView:
    async with caller.read() as view:
        found = await view.machines.get(caller.scope, MachineId(machine_id))
    return tag_version(response, MachineView.model_validate(found))


@router.post("/tokens", status_code=201)
async def create_join_token(caller: CallerOf, body: JoinTokenCreate) -> JoinTokenCreated:
    created = await commands.create_join_token(caller.control, caller.principal, body)
    return JoinTokenCreated(
        id=created.token.id,
        kind=created.token.kind,
        site_id=created.token.site_id,
        token=created.secret.reveal(),
        expires_at=created.token.expires_at,
    )


@router.post("/join", status_code=201)
async def join_machine(context: ContextOf, body: MachineJoin) -> MachineView:
    return MachineView.model_validate(await commands.join_machine(context.control, body))


@router.post("/{machine_id}/revoke")
async def revoke_machine(caller: CallerOf, machine_id: UUID, response: Response) -> MachineView:
    revoked = await commands.revoke_machine(caller.control, caller.principal, MachineId(machine_id))
    return tag_version(response, MachineView.model_validate(revoked))
