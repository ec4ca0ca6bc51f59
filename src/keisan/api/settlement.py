"""Settlements with other platforms over HTTP: seen and compared by people of the platform; platforms themselves speak by letters."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import settlement as commands
from keisan.domain.ids import RecordId, SettlementId
from keisan.wire.cross_receipt import CrossReceiptView, show_cross_receipt
from keisan.wire.page import ListQuery, Page
from keisan.wire.settlement_view import (
    PlatformDisputeView,
    PositionQuery,
    PositionsView,
    SettlementDetailView,
    SettlementView,
    show_detail,
    show_platform_dispute,
    show_position,
    show_settlement,
)

router = APIRouter(prefix="/settlements", tags=["settlements"])


@router.get("")
async def list_settlements(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[SettlementView]:
    async with caller.read() as view:
        found = await view.settlements.list(caller.scope, read_page(query))
    return build_page(found, show_settlement)


@router.get("/positions")
async def list_positions(caller: CallerOf, query: Annotated[PositionQuery, Query()]) -> PositionsView:
    async with caller.read() as view:
        found = await commands.list_positions(view, caller.control, caller.scope, query.period)
    return PositionsView(positions=tuple(show_position(each) for each in found))


@router.get("/disputes")
async def list_platform_disputes(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[PlatformDisputeView]:
    async with caller.read() as view:
        found = await view.platform_disputes.list(caller.scope, read_page(query))
    return build_page(found, show_platform_dispute)


@router.get("/records/{record_id}/receipt")
async def get_cross_receipt(caller: CallerOf, record_id: UUID) -> CrossReceiptView:
    async with caller.read() as view:
        found = await commands.find_cross_receipt(view, caller.scope, RecordId(record_id))
    return show_cross_receipt(found)


@router.get("/{settlement_id}")
async def get_settlement(caller: CallerOf, settlement_id: UUID) -> SettlementDetailView:
    async with caller.read() as view:
        found = await commands.read_settlement(view, caller.scope, SettlementId(settlement_id))
    return show_detail(found.settlement, found.sums)


@router.post("/{settlement_id}/end")
async def end_settlement(caller: CallerOf, settlement_id: UUID) -> SettlementView:
    ended = await commands.end_settlement(caller.control, caller.principal, SettlementId(settlement_id))
    return show_settlement(ended)


@router.post("/{settlement_id}/compare")
async def compare_settlement(caller: CallerOf, settlement_id: UUID) -> SettlementView:
    compared = await commands.compare_settlement(caller.control, caller.principal, SettlementId(settlement_id))
    return show_settlement(compared)
