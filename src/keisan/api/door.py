"""Doors over HTTP, each under its site."""

from uuid import UUID

from fastapi import APIRouter, Response

from keisan.api.context import CallerOf
from keisan.api.version import tag_version
from keisan.control import door as commands
from keisan.domain.door import Door
from keisan.domain.ids import SiteId
from keisan.wire.door import DoorView

router = APIRouter(prefix="/sites/{site_id}/door", tags=["sites"])


@router.get("")
async def get_door(caller: CallerOf, site_id: UUID, response: Response) -> DoorView:
    async with caller.read() as view:
        found = await view.doors.get(caller.scope, SiteId(site_id))
    return tag_version(response, _show(found))


@router.post("/rotate")
async def rotate_door(caller: CallerOf, site_id: UUID, response: Response) -> DoorView:
    rotated = await commands.rotate_door(caller.control, caller.principal, SiteId(site_id))
    return tag_version(response, _show(rotated))


def _show(door: Door) -> DoorView:
    place = door.place
    return DoorView(
        id=door.id,
        platform_id=door.platform_id,
        host=place.host if place else None,
        port=place.port if place else None,
        is_tls=place.is_tls if place else None,
        stage=door.stage,
        is_told=door.is_told,
        is_rotating=door.is_rotating,
        version=door.version,
        created_at=door.created_at,
    )
