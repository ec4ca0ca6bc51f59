"""Devices over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import device as commands
from keisan.domain.ids import DeviceId
from keisan.wire.device import DeviceUpdate, DeviceView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/devices", tags=["devices"])


@router.get("")
async def list_devices(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[DeviceView]:
    async with caller.read() as view:
        found = await view.devices.list(caller.scope, read_page(query))
    return build_page(found, DeviceView.model_validate)


@router.get("/{device_id}")
async def get_device(caller: CallerOf, device_id: UUID, response: Response) -> DeviceView:
    async with caller.read() as view:
        found = await view.devices.get(caller.scope, DeviceId(device_id))
    return tag_version(response, DeviceView.model_validate(found))


@router.patch("/{device_id}")
async def change_device_use(
    caller: CallerOf, device_id: UUID, expected_version: ExpectedVersion, body: DeviceUpdate, response: Response
) -> DeviceView:
    changed = await commands.change_use(caller.control, caller.principal, DeviceId(device_id), expected_version, body)
    return tag_version(response, DeviceView.model_validate(changed))
