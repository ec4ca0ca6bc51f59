"""What may be deleted of each kind, on both databases, and what never is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keisan.domain.access import OrganizationScope
from keisan.domain.delivery import DeliveryState
from keisan.domain.errors import NotFound
from keisan.domain.ids import DeliveryId, MachineId, OrganizationId, TicketId
from keisan.domain.page import PageRequest
from keisan.domain.retention import DayCheck, RetentionKind, RetentionMark
from keisan.domain.ticket import TicketState
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, create_alert, create_delivery, create_webhook, plant_world
from tests.settlement import EVERYTHING
from tests.storage.test_ticket import create_ticket

LATER = NOW + timedelta(days=1)


async def delete(storage: Database, kind: RetentionKind, most: int = 100) -> int:
    async with storage.read() as view:
        counted = await view.retention.count_expired(EVERYTHING, kind, LATER)
    async with storage.write() as transaction:
        deleted = await transaction.retention.delete_expired(kind, LATER, most)
    assert deleted == min(most, counted)
    return deleted


async def test_mark_comes_back_and_is_the_platforms_own(storage: Database) -> None:
    marks = (
        RetentionMark(),
        RetentionMark(NOW.date(), NOW.date(), NOW, NOW.date(), DayCheck(NOW.date(), ("a",), 1, 2, 3), "fault"),
        RetentionMark(LATER.date()),
    )
    for mark in marks:
        async with storage.write() as transaction:
            await transaction.retention.put_mark(mark)
        async with storage.read() as view:
            assert await view.retention.get_mark(EVERYTHING) == mark
            with pytest.raises(NotFound):
                await view.retention.get_mark(OrganizationScope(OrganizationId(create_id())))


async def test_only_closed_tickets_go(storage: Database) -> None:
    world = await plant_world(storage)
    closed: dict[str, Any] = {"state": TicketState.CLOSED}
    async with storage.write() as transaction:
        for changes in ({}, closed | {"closed_at": NOW}, closed | {"closed_at": LATER}):
            ticket = replace(create_ticket(world, world.left, **changes), id=TicketId(create_id()))
            await transaction.tickets.insert(ticket)
    assert await delete(storage, RetentionKind.TICKETS) == 1
    assert await delete(storage, RetentionKind.TICKETS) == 0
    async with storage.read() as view:
        assert len((await view.tickets.list(EVERYTHING, PageRequest())).items) == 2


async def test_delivered_deliveries_go_but_for_each_webhooks_newest(storage: Database) -> None:
    await plant_world(storage)
    webhook, alert = create_webhook(None), create_alert(None)
    states = (DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.DELIVERED)
    async with storage.write() as transaction:
        await transaction.webhooks.insert(webhook)
        await transaction.alerts.insert(alert)
        for place, state in enumerate(states):
            one = create_delivery(webhook, alert, place + 1)
            await transaction.deliveries.insert(replace(one, id=DeliveryId(create_id()), state=state))
    assert await delete(storage, RetentionKind.DELIVERIES, 1) == 1
    assert await delete(storage, RetentionKind.DELIVERIES) == 1
    async with storage.read() as view:
        left = await view.deliveries.list_webhook(EVERYTHING, webhook.id, PageRequest())
        assert sorted(each.sequence for each in left.items) == [2, 4]
        assert await view.deliveries.get_last_sequence(EVERYTHING, webhook.id) == 4


async def test_quarantined_records_go_by_their_age(storage: Database) -> None:
    async with storage.write() as transaction:
        await transaction.usage.quarantine_many({b"old": "malformed"}, MachineId(create_id()), NOW)
        await transaction.usage.quarantine_many({b"new": "malformed"}, MachineId(create_id()), LATER)
    assert await delete(storage, RetentionKind.QUARANTINE) == 1
    async with storage.read() as view:
        assert len((await view.quarantine.list(EVERYTHING, PageRequest())).items) == 1
