"""Compatibility over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.wire.compatibility import CompatibilityQuery, CompatibilityView
from keisan.wire.page import Page

router = APIRouter(prefix="/compatibility", tags=["compatibility"])


@router.get("")
async def list_compatibility(
    caller: CallerOf, query: Annotated[CompatibilityQuery, Query()]
) -> Page[CompatibilityView]:
    found = [
        record
        for record in caller.read_catalog().compatibilities
        if query.chip_id is None or record.chip == query.chip_id
    ]
    return Page(items=tuple(CompatibilityView.model_validate(record) for record in found))
