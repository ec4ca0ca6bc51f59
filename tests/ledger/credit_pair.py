"""A platform in a real SQLite file, on either end of platform tickets: it leases credit, or serves a guest."""

from dataclasses import replace
from typing import Any

from keisan.domain.ids import PlatformId, RecordId
from keisan.domain.platform_ticket import CrossCharge, PinnedPrice, PlatformTicket
from keisan.domain.price import TokenClass
from keisan.ledger.audit import Audit, audit_ledger
from keisan.ledger.cross_usage import note_own_calls, post_cross_calls
from keisan.ledger.rule_platform_ticket import CrossCall
from keisan.storage.database import Database
from tests.domain.credit_samples import OTHER_ID, create_platform_ticket
from tests.domain.samples import create_record_id
from tests.factories import NOW, Side, create_key, create_organization, create_project
from tests.ledger.credit_world import EVERYTHING
from tests.ledger.intake_world import IntakeWorld

# In the world an output token costs 1,500 nano-units; home pays 1,000 for it elsewhere.
WHOLESALE_NANO, HOME_NANO = 1_000, 1_500
RATE_PPM = 1_500_000


def pin_world(ledger: IntakeWorld, wholesale_nano: int = WHOLESALE_NANO) -> PinnedPrice:
    """Return the world's model at a wholesale price, and home's."""
    prices = {TokenClass.INPUT: wholesale_nano * 10**6, TokenClass.OUTPUT: wholesale_nano * 10**6}
    home = {TokenClass.INPUT: HOME_NANO * 10**6, TokenClass.OUTPUT: HOME_NANO * 10**6}
    return PinnedPrice(ledger.world.model.id, ledger.world.model.facts.name, ledger.world.price.id, prices, home)


async def plant_ticket(ledger: IntakeWorld, owner: Side, ceiling_nano: int, **changes: Any) -> PlatformTicket:
    """Open a platform ticket of an organization."""
    facts = {"prices": (pin_world(ledger),), "rate_ppm": RATE_PPM, "ceiling_nano": ceiling_nano}
    ticket = create_platform_ticket(owner.organization.id, **(facts | changes))
    async with ledger.storage.write() as transaction:
        await transaction.platform_tickets.insert(ticket)
    return ticket


async def plant_guest(ledger: IntakeWorld) -> Side:
    """Return the left side with an organization, a project and a key of another platform's."""
    organization = replace(create_organization(), platform_id=OTHER_ID)
    project = replace(create_project(organization), platform_id=OTHER_ID)
    key = replace(create_key(project), platform_id=OTHER_ID)
    async with ledger.storage.write() as transaction:
        await transaction.organizations.insert(organization)
        await transaction.projects.insert(project)
        await transaction.keys.insert(key)
    return replace(ledger.world.left, organization=organization, project=project, key=key)


def build_call(ticket: PlatformTicket, output: int, **changes: Any) -> CrossCall:
    """Return what the other platform says of a call of so many output tokens."""
    facts: dict[str, Any] = {
        "record_id": create_record_id(NOW),
        "ticket_id": ticket.id,
        "organization_id": ticket.organization_id,
        "currency": ticket.currency,
        "price_id": ticket.prices[0].price_id,
        "quantities": {TokenClass.OUTPUT: output},
        "amount_nano": WHOLESALE_NANO * output,
        "admitted_at": NOW,
    }
    return CrossCall(**(facts | changes))


async def post(
    ledger: IntakeWorld, *calls: CrossCall, serving_id: PlatformId = OTHER_ID, **refused: Any
) -> dict[RecordId, CrossCharge]:
    async with ledger.storage.write() as transaction:
        return dict(await post_cross_calls(transaction, ledger.journal, serving_id, calls, **refused))


async def note(ledger: IntakeWorld, *calls: CrossCall) -> None:
    async with ledger.storage.write() as transaction:
        await note_own_calls(transaction, ledger.journal, OTHER_ID, calls)


async def read_ticket(storage: Database, ticket: PlatformTicket) -> PlatformTicket:
    async with storage.read() as view:
        return await view.platform_tickets.get(EVERYTHING, ticket.id)


async def audit(ledger: IntakeWorld) -> Audit:
    async with ledger.storage.read() as view:
        return await audit_ledger(view, lambda _: None)
