"""Platform tickets on both databases: what is written is read, within its scope, and found by its wallet."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import NotFound
from keisan.domain.ids import TicketId
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import (
    CreditSide,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.credit_samples import PINNED, create_platform_ticket
from tests.factories import NOW, World, plant_world

EVERYTHING = PlatformScope()


async def plant_tickets(storage: Database) -> tuple[World, PlatformTicket, PlatformTicket]:
    """Plant one ticket on each side's wallet."""
    world = await plant_world(storage)
    left, right = (create_platform_ticket(side.organization.id) for side in (world.left, world.right))
    async with storage.write() as transaction:
        await transaction.platform_tickets.insert(left)
        await transaction.platform_tickets.insert(right)
    return world, left, right


async def test_ticket_is_read_as_it_was_written(storage: Database) -> None:
    world, left, right = await plant_tickets(storage)
    own = OrganizationScope(world.left.organization.id)
    async with storage.read() as view:
        assert await view.platform_tickets.get(EVERYTHING, left.id) == left
        assert (await view.platform_tickets.list(EVERYTHING, PageRequest())).items == (left, right)
        assert (await view.platform_tickets.list(own, PageRequest())).items == (left,)
        assert (await view.platform_tickets.list(ProviderScope(world.left.provider.id), PageRequest())).items == ()
        with pytest.raises(NotFound):
            await view.platform_tickets.get(own, right.id)
        asked = [right.id, TicketId(create_id()), left.id]
        assert await view.platform_tickets.find_many(EVERYTHING, asked) == {left.id: left, right.id: right}
        assert await view.platform_tickets.find_many(own, asked) == {left.id: left}


async def test_what_changes_of_a_ticket_is_written_and_the_rest_is_not(storage: Database) -> None:
    _, left, right = await plant_tickets(storage)
    changed = replace(
        left,
        state=PlatformTicketState.CLOSED,
        policy="region in CN-SX",
        prices=(replace(PINNED, home_nano_per_million=None),),
        rate_ppm=10**30,
        epoch=2,
        number=7,
        ceiling_nano=10**37,
        returned_nano=1,
        spent_nano=2,
        waiting_nano=3,
        charged_nano=4,
        lease_s=5,
        expires_at=NOW + timedelta(days=1),
        heard_at=NOW + timedelta(days=2),
        closed_at=NOW + timedelta(days=3),
    )
    born = {"id", "platform_id", "created_at", "counterparty_id", "side", "organization_id", "currency"}
    assert all(
        getattr(changed, each.name) != getattr(left, each.name) for each in fields(left) if each.name not in born
    )
    async with storage.write() as transaction:
        await transaction.platform_tickets.update_many([])
        await transaction.platform_tickets.update_many([replace(changed, currency="JPY", side=CreditSide.SERVING)])
    async with storage.read() as view:
        assert await view.platform_tickets.get(EVERYTHING, left.id) == changed
        assert await view.platform_tickets.get(EVERYTHING, right.id) == right


async def test_open_tickets_are_found_and_locked_by_their_wallet(storage: Database) -> None:
    world, left, right = await plant_tickets(storage)
    returning = replace(left, id=TicketId(create_id()), state=PlatformTicketState.RETURNING)
    closed = replace(left, id=TicketId(create_id()), state=PlatformTicketState.CLOSED)
    async with storage.write() as transaction:
        await transaction.platform_tickets.insert(returning)
        await transaction.platform_tickets.insert(closed)
    wallet = (world.left.organization.id, "CNY")
    async with storage.write() as transaction:
        tickets = transaction.platform_tickets
        assert list((await tickets.lock_open([wallet])).values()) == [left, returning]
        assert await tickets.lock_open([]) == {}
        assert await tickets.lock_open([(world.left.organization.id, "JPY")]) == {}
        assert set(await tickets.lock([closed.id, right.id, TicketId(create_id())])) == {closed.id, right.id}
        owners = [world.left.organization.id, world.right.organization.id]
        assert list(await tickets.list_open(EVERYTHING, owners)) == sorted([left, right, returning], key=lambda t: t.id)
        assert list(await tickets.list_open(OrganizationScope(owners[1]), owners)) == [right]
