"""Charges of calls across platforms on both databases: a record is charged once, and found by entry, ticket and time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.errors import AlreadyExists
from keisan.domain.ids import EntryId
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import (
    CrossChargeCode,
    CrossChargeState,
)
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.domain.credit_samples import OTHER_ID, create_cross_charge
from tests.factories import NOW
from tests.storage.test_platform_ticket import plant_tickets

EVERYTHING = PlatformScope()


async def test_record_is_charged_once(storage: Database) -> None:
    _, left, _ = await plant_tickets(storage)
    charge = create_cross_charge(left)
    other = create_cross_charge(left, entry_id=EntryId(create_id()))
    async with storage.write() as transaction:
        await transaction.cross_charges.insert_many([charge])
    with pytest.raises(AlreadyExists):
        async with storage.write() as transaction:
            await transaction.cross_charges.insert_many([other, replace(charge, wholesale_nano=1)])
    async with storage.read() as view:
        found = await view.cross_charges.find_many(EVERYTHING, [charge.record_id, other.record_id])
    assert found == {charge.record_id: charge}


async def test_charges_are_listed_by_entry_ticket_and_time(storage: Database) -> None:
    world, left, right = await plant_tickets(storage)
    entry_id, moments = EntryId(create_id()), [NOW + timedelta(hours=hour) for hour in range(4)]
    posted = create_cross_charge(left, entry_id=entry_id, admitted_at=moments[1])
    waiting = create_cross_charge(left, state=CrossChargeState.WAITING, admitted_at=moments[2])
    suspended = create_cross_charge(left, state=CrossChargeState.SUSPENDED, code=CrossChargeCode.LATE)
    foreign = create_cross_charge(right, entry_id=entry_id, admitted_at=moments[1])
    everything = sorted([posted, waiting, suspended, foreign], key=lambda each: each.record_id)
    own, left_id = OrganizationScope(world.left.organization.id), world.left.organization.id
    async with storage.write() as transaction:
        await transaction.cross_charges.insert_many(everything)
    async with storage.read() as view:
        charges = view.cross_charges
        assert await charges.list_entries(EVERYTHING, [entry_id]) == [
            each for each in everything if each.entry_id == entry_id
        ]
        assert await charges.list_entries(own, [entry_id]) == [posted]
        assert await charges.find_many(own, [foreign.record_id]) == {}
        first = await charges.list_ticket(EVERYTHING, left.id, PageRequest(limit=2))
        rest = await charges.list_ticket(EVERYTHING, left.id, PageRequest(first.next_after, 2))
        assert [*first.items, *rest.items] == [each for each in everything if each.ticket_id == left.id]
        assert await charges.list_waiting(EVERYTHING, left.id, moments[3]) == [waiting]
        assert await charges.list_waiting(EVERYTHING, left.id, moments[2]) == []
        assert await charges.list_waiting(EVERYTHING, left.id) == [waiting]
        for since, expected in ((moments[1], [(moments[1], posted.wholesale_nano)]), (moments[2], [])):
            assert await charges.list_since(EVERYTHING, left_id, OTHER_ID, since) == expected


async def test_waiting_charge_is_settled(storage: Database) -> None:
    _, left, _ = await plant_tickets(storage)
    waiting = create_cross_charge(left, state=CrossChargeState.WAITING)
    settled = replace(
        waiting,
        state=CrossChargeState.SUSPENDED,
        code=CrossChargeCode.SPENT_TICKET,
        wholesale_nano=1,
        charged_nano=2,
        tax_nano=3,
        entry_id=EntryId(create_id()),
    )
    async with storage.write() as transaction:
        await transaction.cross_charges.insert_many([waiting])
        await transaction.cross_charges.settle_many([])
        await transaction.cross_charges.settle_many([replace(settled, currency="JPY")])
    async with storage.read() as view:
        assert await view.cross_charges.find_many(EVERYTHING, [waiting.record_id]) == {waiting.record_id: settled}
