"""Keys over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import key as commands
from keisan.domain.ids import KeyId
from keisan.wire.key import KeyCreate, KeyCreated, KeyRevoked, KeyUpdate, KeyView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/keys", tags=["keys"])


@router.get("")
async def list_keys(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[KeyView]:
    async with caller.read() as view:
        found = await view.keys.list(caller.scope, read_page(query))
    return build_page(found, KeyView.model_validate)


@router.get("/{key_id}")
async def get_key(caller: CallerOf, key_id: UUID, response: Response) -> KeyView:
    async with caller.read() as view:
        found = await view.keys.get(caller.scope, KeyId(key_id))
    return tag_version(response, KeyView.model_validate(found))


@router.post("", status_code=201)
async def create_key(caller: CallerOf, body: KeyCreate) -> KeyCreated:
    created = await commands.create_key(caller.control, caller.principal, body)
    return KeyCreated(
        key=KeyView.model_validate(created.key),
        secret=created.secret.reveal(),
        snapshot_version=created.snapshot_version,
    )


@router.patch("/{key_id}")
async def update_key(
    caller: CallerOf, key_id: UUID, expected_version: ExpectedVersion, body: KeyUpdate, response: Response
) -> KeyView:
    updated = await commands.update_key(caller.control, caller.principal, KeyId(key_id), expected_version, body)
    return tag_version(response, KeyView.model_validate(updated))


@router.post("/{key_id}/revoke")
async def revoke_key(caller: CallerOf, key_id: UUID) -> KeyRevoked:
    revoked = await commands.revoke_key(caller.control, caller.principal, KeyId(key_id))
    return KeyRevoked(key=KeyView.model_validate(revoked.key), snapshot_version=revoked.snapshot_version)
