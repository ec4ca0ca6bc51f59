"""Alerts with what causes them, on both databases: counted without a gap by many writers, and wallets that become low."""

import asyncio
from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.account import AccountKey, AccountKind, Posting
from keisan.domain.alert import AlertDraft, AlertKind
from keisan.domain.ids import AccountId, EntryId
from keisan.domain.lease import WorkNoun
from keisan.domain.page import PageRequest
from keisan.domain.webhook import WebhookState
from keisan.kit.ids import create_id
from keisan.ledger.alert import note_wallet_moves, raise_alerts
from keisan.storage.database import Database
from tests.factories import NOW, World, create_webhook, plant_world

EVERYTHING = PlatformScope()
WRITERS = 8


@pytest.fixture
async def world(storage: Database) -> World:
    """A world whose left organization's webhook is enabled and wants to be told below 1000."""
    world = await plant_world(storage)
    webhook = replace(world.left.webhook, state=WebhookState.ENABLED, version=2)
    watched = replace(world.left.organization, wallet_low_nano={"CNY": 1000}, version=2)
    async with storage.write() as transaction:
        await transaction.webhooks.update(webhook)
        await transaction.organizations.update(watched)
    return world


async def list_sequences(storage: Database, world: World) -> list[int]:
    async with storage.read() as view:
        page = await view.deliveries.list_webhook(EVERYTHING, world.left.webhook.id, PageRequest(limit=100))
    return [each.sequence for each in page.items]


async def test_many_writers_count_without_a_gap(storage: Database, world: World) -> None:
    draft = AlertDraft(world.left.organization.id, AlertKind.RECORD_SUSPENDED, create_id(), {})

    async def raise_two() -> None:
        async with storage.write() as transaction:
            await raise_alerts(transaction, [draft, draft], NOW)

    await asyncio.gather(*(raise_two() for _ in range(WRITERS)))
    # The first is the world's own.
    assert sorted(await list_sequences(storage, world)) == list(range(1, 2 * WRITERS + 2))


async def test_alert_comes_with_its_event_and_its_work(storage: Database, world: World) -> None:
    own = create_webhook(None)
    async with storage.write() as transaction:
        await transaction.webhooks.insert(own)
        draft = AlertDraft(world.left.organization.id, AlertKind.WALLET_LOW, create_id(), {"currency": "CNY"})
        [alert] = await raise_alerts(transaction, [draft], NOW)
    async with storage.write() as transaction:
        assert await transaction.alerts.get(OrganizationScope(world.left.organization.id), alert.id) == alert
        [event] = await transaction.events.list(EVERYTHING, 0, 10)
        taken = await transaction.outbox.take(NOW, NOW - NOW.replace(hour=11), 10)
    assert (event.action, event.noun_id, event.detail["kind"]) == ("alert.raised", alert.id, "wallet_low")
    expected = {(WorkNoun.WEBHOOK, own.id), (WorkNoun.WEBHOOK, world.left.webhook.id)}
    assert {(lease.noun, lease.noun_id) for lease in taken} == expected


async def move(storage: Database, account_id: AccountId, before_nano: int, after_nano: int) -> list[AlertKind]:
    """Move a balance as the journal does, but from whatever balance it is said to have had."""
    async with storage.write() as transaction:
        outside_key = AccountKey(AccountKind.OUTSIDE, None, None, "CNY")
        outside = (await transaction.accounts.open([outside_key]))[outside_key]
        ends = (account_id, outside) if after_nano < before_nano else (outside, account_id)
        posting = Posting(EntryId(create_id()), *ends, "CNY", abs(after_nano - before_nano), 0, NOW)
        moves = await transaction.accounts.post([posting])
        [own] = [each for each in moves if each.account_id == account_id]
        assert own.after_nano - own.before_nano == after_nano - before_nano
        told = replace(own, before_nano=before_nano, after_nano=after_nano)
        return [alert.kind for alert in await note_wallet_moves(transaction, [told], NOW)]


async def test_wallet_that_falls_is_told_of_once(storage: Database, world: World) -> None:
    wallet_id, low = world.left.wallet_id, [AlertKind.WALLET_LOW]
    assert await move(storage, wallet_id, 2000, 1000) == []
    assert await move(storage, wallet_id, 1000, 999) == low
    assert await move(storage, wallet_id, 999, -5000) == []
    assert await move(storage, wallet_id, -5000, 5000) == []
    assert await move(storage, wallet_id, 5000, 0) == low
    async with storage.read() as view:
        alert = (await view.alerts.list(OrganizationScope(world.left.organization.id), PageRequest())).items[-1]
    assert alert.subject_id == wallet_id
    assert alert.detail == {"currency": "CNY", "balance_nano": "0", "wallet_low_nano": "1000"}


async def test_wallet_that_nobody_watches_and_other_accounts_tell_nothing(storage: Database, world: World) -> None:
    assert await move(storage, world.right.wallet_id, 5000, -5000) == []
    assert await move(storage, world.left.payable_id, 5000, -5000) == []
    async with storage.write() as transaction:
        assert await note_wallet_moves(transaction, [], NOW) == ()
