"""A platform's books for the ledger's benches: organizations, keys, replicas, prices, and uploads as gateways send them."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from keisan.domain.account import AccountKey, AccountKind, Transfer
from keisan.domain.entry import EntryKind
from keisan.domain.ids import MachineId, OrganizationId, TicketId
from keisan.domain.machine import Machine
from keisan.domain.model import Model
from keisan.domain.organization import Billing
from keisan.domain.ticket import TicketState
from keisan.kit.clock import SystemClock, to_milliseconds
from keisan.kit.ids import create_id
from keisan.ledger.journal import EntryDraft, Journal
from keisan.storage.base import Storage, Transaction
from tests.domain.samples import build_ticket
from tests.factories import (
    SIGNER,
    create_deployment,
    create_key,
    create_machine,
    create_model,
    create_node,
    create_organization,
    create_platform,
    create_price,
    create_project,
    create_provider,
    create_replica,
    create_site,
)

ORGANIZATIONS, KEYS_EACH, PROVIDERS, GATEWAYS = 20, 5, 8, 2
# More than a bench ever spends.
CREDIT_NANO = 10**24
BATCH_RECORDS = 3000
# The relay's own upload has a record's parts once and then numbers.
PARTS = 4


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose call: a key, and the ticket that pays at each gateway, None for who pays afterwards."""

    organization_id: OrganizationId
    project_id: UUID
    key_id: UUID
    tickets: Mapping[MachineId, TicketId]


@dataclass(frozen=True, slots=True)
class Books:
    """What records name."""

    storage: Storage
    journal: Journal
    platform_id: str
    gateway_ids: Sequence[MachineId]
    payers: Sequence[Payer]
    places: Sequence[dict[str, str]]
    model: dict[str, str]


async def plant_books(storage: Storage, organizations: int = ORGANIZATIONS) -> Books:
    """Insert all nouns; half of the organizations pay before, with money in their wallets and tickets at each gateway."""
    await storage.migrate()
    platform, model = create_platform(), create_model()
    price, gateways = create_price(model), [create_machine() for _ in range(GATEWAYS)]
    journal = Journal(platform.id, SystemClock(), SIGNER)
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
        await transaction.models.insert(model)
        await transaction.prices.insert(price)
        for gateway in gateways:
            await transaction.machines.insert(gateway)
        places = [await _plant_place(transaction, model) for _ in range(PROVIDERS)]
        payers: list[Payer] = []
        for number in range(organizations):
            billing = Billing.POSTPAID if number % 2 else Billing.PREPAID
            holders = gateways if billing is Billing.PREPAID else []
            payers += await _plant_payers(transaction, billing, holders, price.currency)
        await journal.write_opening(transaction)
        outside = AccountKey(AccountKind.OUTSIDE, None, None, price.currency)
        for organization_id in {payer.organization_id for payer in payers if payer.tickets}:
            wallet = AccountKey(AccountKind.WALLET, organization_id, None, price.currency)
            draft = EntryDraft(EntryKind.TOP_UP, [Transfer(outside, wallet, 10 * CREDIT_NANO)], organization_id)
            await journal.write_entry(transaction, draft)
    described = {"model_id": str(model.id), "price_id": str(price.id)}
    return Books(storage, journal, platform.id, [each.id for each in gateways], payers, places, described)


async def _plant_place(transaction: Transaction, model: Model) -> dict[str, str]:
    """Insert a provider with one replica, and return what records say of where it is."""
    provider = create_provider()
    site, deployment = create_site(provider), create_deployment(model)
    node = create_node(site)
    served = create_replica(deployment, site, node)
    await transaction.providers.insert(provider)
    await transaction.sites.insert(site)
    await transaction.nodes.insert(node)
    await transaction.deployments.insert(deployment)
    await transaction.replicas.insert(served)
    names = ("deployment_id", "provider_id", "site_id")
    return {"replica_id": str(served.id), **{name: str(getattr(served, name)) for name in names}}


async def _plant_payers(
    transaction: Transaction, billing: Billing, gateways: Sequence[Machine], currency: str
) -> list[Payer]:
    """Insert an organization with its keys, and a ticket at each gateway that is to hold one."""
    organization = replace(create_organization(), billing=billing)
    project = create_project(organization)
    await transaction.organizations.insert(organization)
    await transaction.projects.insert(project)
    tickets = {}
    for gateway in gateways:
        ticket = build_ticket(
            id=TicketId(create_id()),
            platform_id=organization.platform_id,
            organization_id=organization.id,
            gateway_id=gateway.id,
            state=TicketState.OPEN,
            credit_nano=CREDIT_NANO,
            currency=currency,
        )
        await transaction.tickets.insert(ticket)
        tickets[gateway.id] = ticket.id
    keys = [create_key(project) for _ in range(KEYS_EACH)]
    for key in keys:
        await transaction.keys.insert(key)
    return [Payer(organization.id, project.id, key.id, tickets) for key in keys]


def write_batches(books: Books, gateway_id: MachineId, count: int, records: int = BATCH_RECORDS) -> Iterator[bytes]:
    """Yield uploads of one gateway as its shell makes them: parts once, then records that name them by number."""
    for _ in range(count):
        lines = [
            _write_part({"schema_version": 1, "platform_id": books.platform_id, "gateway_id": str(gateway_id)}, "{")
        ]
        for payer in books.payers:
            ids = {name: str(getattr(payer, name)) for name in ("organization_id", "project_id", "key_id")}
            lines.append(_write_part(ids))
        lines.append(_write_part(books.model))
        lines += [_write_part(place | {"model_digest": "sha256:" + "5e" * 32}) for place in books.places]
        payer_count = len(books.payers)
        for number in range(records):
            place = number % payer_count
            parts = f"0,{1 + place},{1 + payer_count},{2 + payer_count + number % len(books.places)}:"
            lines.append(parts.encode() + _write_own(books.payers[place].tickets.get(gateway_id)))
        yield b"\n".join(lines)


def _write_part(members: dict[str, object] | dict[str, str], start: str = "") -> bytes:
    return b"+" + start.encode() + json.dumps(members, separators=(",", ":"))[1:-1].encode() + b","


def _write_own(ticket_id: UUID | None) -> bytes:
    now = datetime.now(UTC)
    milliseconds = to_milliseconds(now)
    random = int.from_bytes(os.urandom(10))
    record_id = UUID(int=milliseconds << 80 | 7 << 76 | (random >> 68) << 64 | 2 << 62 | random & (1 << 62) - 1)
    ticket = f'"{ticket_id}"' if ticket_id else "null"
    # 37 tokens at 0.5 and 8 at 1.5 CNY a million.
    return (
        f'"record_id":"{record_id}","surface":"chat","is_stream":true,"admitted_at_ms":{milliseconds},'
        f'"day":"{now:%Y-%m-%d}","duration_us":1000000,"first_byte_us":30000,"outcome":"completed","http_status":200,'
        '"usage_source":"engine","quantities":{"input":37,"output":8},"amount_nano":"30500","request_bytes":300,'
        f'"response_bytes":900,"events":12,"ticket_id":{ticket}}}'
    ).encode()


@asynccontextmanager
async def open_books(storage: Storage, organizations: int = ORGANIZATIONS) -> AsyncIterator[Books]:
    """Plant books in an empty database, and close it at the end."""
    try:
        yield await plant_books(storage, organizations)
    finally:
        await storage.close()
