"""Credit leased to platforms, and by them, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control.platform_credit import show_ticket
from keisan.domain.ids import TicketId
from keisan.wire.admission import PlatformTicketView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/platform-tickets", tags=["platform tickets"])


@router.get("")
async def list_platform_tickets(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[PlatformTicketView]:
    async with caller.read() as view:
        found = await view.platform_tickets.list(caller.scope, read_page(query))
    return build_page(found, show_ticket)


@router.get("/{platform_ticket_id}")
async def get_platform_ticket(caller: CallerOf, platform_ticket_id: UUID) -> PlatformTicketView:
    async with caller.read() as view:
        return show_ticket(await view.platform_tickets.get(caller.scope, TicketId(platform_ticket_id)))
