"""Tickets come back as they went in, are seen by their organization, and are changed only under their lock."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import MachineId, OrganizationId, TicketId
from keisan.domain.page import PageRequest
from keisan.domain.ticket import Ticket, TicketState
from keisan.kit.ids import create_id
from keisan.ledger.rule_ticket import close_ticket
from keisan.storage.database import Database
from tests.domain.samples import build_ticket
from tests.factories import NOW, PLATFORM_ID, Side, World, create_machine, plant_world

EVERYTHING = PlatformScope()
BIG = 10**37


def create_ticket(world: World, side: Side, **changes: object) -> Ticket:
    values: dict[str, object] = {
        "id": TicketId(create_id()),
        "platform_id": PLATFORM_ID,
        "organization_id": side.organization.id,
        "gateway_id": world.gateway.id,
        "incarnation": create_id(),
        "created_at": NOW,
        "expires_at": NOW,
    }
    return build_ticket(**(values | changes))


async def insert(storage: Database, *tickets: Ticket) -> None:
    async with storage.write() as transaction:
        for ticket in tickets:
            await transaction.tickets.insert(ticket)


async def test_ticket_comes_back_as_it_went_in(storage: Database) -> None:
    world = await plant_world(storage)
    bare = create_ticket(world, world.left)
    amounts = {f"{name}_nano": BIG + place for place, name in enumerate(("credit", "returned", "spent", "reserved"))}
    amounts |= {"posted_nano": BIG + 5, "give_back_nano": BIG + 6, "wanted_nano": BIG + 7}
    full = close_ticket(create_ticket(world, world.right, **amounts), NOW + timedelta(seconds=5))
    full = replace(full, wanting_since=NOW, is_contested=True, give_back_nano=3, wanted_nano=4)
    await insert(storage, bare, full)
    async with storage.read() as view:
        for ticket in (bare, full):
            assert await view.tickets.get(EVERYTHING, ticket.id) == ticket


async def test_organization_sees_its_own_tickets_and_a_provider_none(storage: Database) -> None:
    world = await plant_world(storage)
    left, right = create_ticket(world, world.left), create_ticket(world, world.right)
    await insert(storage, left, right)
    async with storage.read() as view:
        own = OrganizationScope(world.left.organization.id)
        assert (await view.tickets.list(own, PageRequest())).items == (left,)
        with pytest.raises(NotFound):
            await view.tickets.get(own, right.id)
        provider = ProviderScope(world.left.provider.id)
        assert (await view.tickets.list(provider, PageRequest())).items == ()
        assert set((await view.tickets.list(EVERYTHING, PageRequest())).items) == {left, right}


async def test_lock_finds_those_that_there_are(storage: Database) -> None:
    world = await plant_world(storage)
    opened, closed = create_ticket(world, world.left), close_ticket(create_ticket(world, world.left), NOW)
    await insert(storage, opened, closed)
    async with storage.write() as transaction:
        found = await transaction.tickets.lock([opened.id, closed.id, TicketId(create_id())])
        assert found == {opened.id: opened, closed.id: closed}
        assert await transaction.tickets.lock([]) == {}


async def test_open_tickets_are_found_by_gateway_and_by_wallet(storage: Database) -> None:
    world = await plant_world(storage)
    stranger = create_machine()
    async with storage.write() as transaction:
        await transaction.machines.insert(stranger)
    own = create_ticket(world, world.left)
    on_wallet = create_ticket(world, world.right, gateway_id=stranger.id)
    dollars = create_ticket(world, world.right, gateway_id=stranger.id, currency="USD")
    closed = close_ticket(create_ticket(world, world.left), NOW)
    await insert(storage, own, on_wallet, dollars, closed)
    wallet = (world.right.organization.id, "CNY")
    async with storage.write() as transaction:
        assert set(await transaction.tickets.lock_open(world.gateway.id, [])) == {own.id}
        assert set(await transaction.tickets.lock_open(world.gateway.id, [wallet])) == {own.id, on_wallet.id}
        assert set(await transaction.tickets.lock_open(MachineId(create_id()), [wallet])) == {on_wallet.id}
        nobody = (OrganizationId(create_id()), "CNY")
        assert await transaction.tickets.lock_open(MachineId(create_id()), [nobody]) == {}


async def test_update_writes_what_changes_and_no_birth(storage: Database) -> None:
    world = await plant_world(storage)
    first, second = create_ticket(world, world.left), create_ticket(world, world.left)
    await insert(storage, first, second)
    spent = replace(first, credit_nano=BIG, spent_nano=7, expires_at=NOW + timedelta(days=1), is_contested=True)
    moved = replace(
        close_ticket(second, NOW), organization_id=world.right.organization.id, currency="USD", incarnation=create_id()
    )
    async with storage.write() as transaction:
        await transaction.tickets.lock([first.id, second.id])
        await transaction.tickets.update_many([spent, moved])
        await transaction.tickets.update_many([])
    async with storage.read() as view:
        assert await view.tickets.get(EVERYTHING, first.id) == spent
        kept = await view.tickets.get(EVERYTHING, second.id)
    assert kept == close_ticket(second, NOW)
    assert kept.state is TicketState.CLOSED


async def test_view_locks_nothing(storage: Database) -> None:
    world = await plant_world(storage)
    ticket = create_ticket(world, world.left)
    async with storage.read() as view:
        with pytest.raises(InvariantBroken):
            await view.tickets.lock([ticket.id])
        with pytest.raises(InvariantBroken):
            await view.tickets.insert(ticket)


async def test_no_change_is_lost_under_the_lock(storage: Database) -> None:
    world = await plant_world(storage)
    ticket = create_ticket(world, world.left, posted_nano=0)
    await insert(storage, ticket)

    async def post_one() -> None:
        async with storage.write() as transaction:
            locked = (await transaction.tickets.lock([ticket.id]))[ticket.id]
            await transaction.tickets.update_many([replace(locked, posted_nano=locked.posted_nano + 1)])

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(post_one())
    async with storage.read() as view:
        assert (await view.tickets.get(EVERYTHING, ticket.id)).posted_nano == 8
