"""Events over HTTP: the audit log in order."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.domain.access import Right
from keisan.wire.event import EventList, EventQuery, EventView

router = APIRouter(prefix="/events", tags=["events"])


@router.get("")
async def list_events(caller: CallerOf, query: Annotated[EventQuery, Query()]) -> EventList:
    caller.principal.require(Right.READ_EVENTS)
    async with caller.read() as view:
        events = await view.events.list(caller.scope, query.after, query.limit)
        last_sequence = await view.events.get_last_sequence(caller.scope)
    return EventList(items=tuple(EventView.model_validate(event) for event in events), last_sequence=last_sequence)
