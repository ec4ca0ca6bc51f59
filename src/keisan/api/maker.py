"""Makers over HTTP."""

from fastapi import APIRouter

from keisan.api.context import CallerOf
from keisan.wire.maker import MakerView
from keisan.wire.page import Page

router = APIRouter(prefix="/makers", tags=["makers"])


@router.get("")
async def list_makers(caller: CallerOf) -> Page[MakerView]:
    return Page(items=tuple(MakerView.model_validate(maker) for maker in caller.read_catalog().makers.values()))
