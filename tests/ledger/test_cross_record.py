"""Own records of calls across platforms: what was served is posted and told, what others served is home's word and moves nothing."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from keisan.domain.cross_record import CrossRecord, RecordEnd
from keisan.domain.ids import OrganizationId, PlatformId, RecordId
from keisan.domain.lease import WorkNoun
from keisan.domain.platform_ticket import CreditSide, PinnedPrice
from keisan.domain.price import TokenClass, compute_amount_nano
from keisan.kit.ids import create_id
from keisan.ledger.cross_record import keep_own_record
from tests.domain.credit_samples import create_platform_ticket
from tests.domain.samples import create_record_id
from tests.factories import NOW, create_organization
from tests.federation.cross_samples import create_usage
from tests.ledger.intake_world import SCOPE, IntakeWorld

NOBODY = str(UUID(int=0))
OTHER = PlatformId("dd" * 32)
PRICES = {TokenClass.INPUT: 7 * 10**6, TokenClass.OUTPUT: 9 * 10**6}
QUANTITIES = {TokenClass.INPUT: 37, TokenClass.OUTPUT: 8}


async def plant_ticket(ledger: IntakeWorld, **changes: Any) -> str:
    """Give the left organization a ticket that pins the model's wholesale price, and return its id."""
    world = ledger.world
    pinned = PinnedPrice(world.model.id, world.model.facts.name, world.price.id, PRICES)
    facts = {"platform_id": world.platform.id, "prices": (pinned,), "counterparty_id": OTHER}
    ticket = create_platform_ticket(changes.pop("owner_id", world.left.organization.id), **(facts | changes))
    async with ledger.storage.write() as transaction:
        await transaction.platform_tickets.insert(ticket)
    return str(ticket.id)


async def plant_guest(ledger: IntakeWorld) -> OrganizationId:
    """Admit an organization of the other platform's, and return its id."""
    guest = replace(create_organization("guest"), platform_id=OTHER)
    async with ledger.storage.write() as transaction:
        await transaction.organizations.insert(guest)
    return guest.id


def cross(home: str, serving: str, ticket_id: str) -> dict[str, str]:
    return {"home_platform_id": home, "serving_platform_id": serving, "ticket_id": ticket_id}


async def find_kept(ledger: IntakeWorld, record_id: RecordId) -> list[CrossRecord]:
    async with ledger.storage.read() as view:
        return list(await view.cross_records.list_ends(SCOPE, [record_id]))


async def test_what_was_served_for_another_platform_is_posted_and_waits_to_be_told(ledger: IntakeWorld) -> None:
    guest_id, record_id = await plant_guest(ledger), create_record_id(NOW)
    ticket_id = await plant_ticket(ledger, owner_id=guest_id, side=CreditSide.SERVING)
    named = {"organization_id": str(guest_id), "project_id": NOBODY, "key_id": NOBODY}
    line = ledger.write_record(record_id, **named, crossing=cross(OTHER, ledger.world.platform.id, ticket_id))
    local = ledger.write_record(create_record_id(NOW))
    assert [answer.outcome for answer in await ledger.hand_in(line, local)] == ["created", "created"]
    (kept,) = await find_kept(ledger, record_id)
    usage = kept.usage
    assert (usage.end, usage.author, usage.audience) == (RecordEnd.SERVING, ledger.world.platform.id, OTHER)
    assert usage.amount_nano == compute_amount_nano(PRICES, QUANTITIES)
    assert (usage.price_id, usage.currency) == (ledger.world.price.id, "CNY")
    assert (usage.region, usage.chip) == (ledger.world.left.site.region, ledger.world.left.replica.chip)
    assert kept.batch_id is None
    async with ledger.storage.write() as transaction:
        assert await transaction.usage.get(SCOPE, record_id)
        (lease,) = await transaction.outbox.take(NOW, NOW - NOW, 9, {WorkNoun.SETTLEMENT})
    assert lease.noun is WorkNoun.SETTLEMENT


async def test_what_another_platform_served_is_home_s_word_and_moves_nothing(ledger: IntakeWorld) -> None:
    ticket_id, record_id = await plant_ticket(ledger), create_record_id(NOW)
    before = await ledger.read_balances()
    # It ran at a replica that nobody knows here.
    facts: dict[str, object] = {
        "crossing": cross(ledger.world.platform.id, OTHER, ticket_id),
        "replica_id": str(create_id()),
    }
    line = ledger.write_record(record_id, **facts)
    assert [answer.outcome for answer in await ledger.hand_in(line)] == ["created"]
    assert [answer.outcome for answer in await ledger.hand_in(line)] == ["exists"]
    other = ledger.write_record(record_id, **facts, response_bytes=5)
    assert [answer.outcome for answer in await ledger.hand_in(other)] == ["differs"]
    (kept,) = await find_kept(ledger, record_id)
    assert (kept.usage.end, kept.usage.audience, kept.usage.chip) == (RecordEnd.HOME, OTHER, "")
    assert kept.usage.amount_nano == compute_amount_nano(PRICES, QUANTITIES)
    assert await ledger.read_balances() == before
    # The one that says something else, for a person to judge.
    assert await ledger.count_quarantined() == 1


@pytest.mark.parametrize("is_ticket_known", [True, False])
async def test_without_a_pinned_price_nothing_is_asked_for(ledger: IntakeWorld, *, is_ticket_known: bool) -> None:
    ticket_id = await plant_ticket(ledger) if is_ticket_known else str(create_id())
    record_id = create_record_id(NOW)
    facts: dict[str, object] = {
        "crossing": cross(ledger.world.platform.id, OTHER, ticket_id),
        "model_id": str(create_id()),
    }
    await ledger.hand_in(ledger.write_record(record_id, **facts))
    (kept,) = await find_kept(ledger, record_id)
    assert (kept.usage.amount_nano, kept.usage.model) == (0, "")


async def test_a_record_of_somebody_else_s_gateway_is_not_kept(ledger: IntakeWorld) -> None:
    record_id = create_record_id(NOW)
    crossing = cross(ledger.world.platform.id, OTHER, str(create_id()))
    line = ledger.write_record(record_id, crossing=crossing, gateway_id=str(create_id()))
    assert [answer.outcome for answer in await ledger.hand_in(line)] == ["refused"]
    assert not await find_kept(ledger, record_id)


async def test_a_call_that_others_served_for_others_is_not_told(ledger: IntakeWorld) -> None:
    record_id = create_record_id(NOW)
    line = ledger.write_record(record_id, crossing=cross(OTHER, OTHER, str(create_id())))
    assert [answer.code for answer in await ledger.hand_in(line)] == ["wrong_crossing"]
    assert not await find_kept(ledger, record_id)


async def test_a_record_is_kept_once_whatever_else_is_said_under_its_id(ledger: IntakeWorld) -> None:
    usage = create_usage(RecordEnd.HOME)
    async with ledger.storage.write() as transaction:
        kept = [
            await keep_own_record(transaction, each, NOW)
            for each in (usage, usage, replace(usage, response_bytes=usage.response_bytes + 1))
        ]
    assert kept == ["created", "exists", "differs"]
    assert [each.usage for each in await find_kept(ledger, usage.record_id)] == [usage]
