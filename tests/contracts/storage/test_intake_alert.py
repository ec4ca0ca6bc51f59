"""What intake tells of, on both databases: wallets that a batch makes low, and records that the platform pays for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

import pytest

from keisan.domain.account import AccountKind, BalanceMove
from keisan.domain.alert import Alert, AlertKind
from keisan.domain.ids import AccountId
from keisan.domain.page import PageRequest
from keisan.kit.ids import create_id
from keisan.ledger.alert import note_wallet_moves
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from tests.domain.samples import name_record_id
from tests.factories import NOW, FixedClock, plant_world
from tests.ledger.intake_world import SCOPE, IntakeWorld

COST_NANO = 30_500


@pytest.fixture
async def ledger(storage: Database, clock: FixedClock) -> IntakeWorld:
    """A world whose left organization wants to be told when its wallet has less than it costs to call once, but in debt."""
    world = await plant_world(storage)
    watched = replace(world.left.organization, wallet_low_nano={"CNY": -COST_NANO}, version=2)
    async with storage.write() as transaction:
        await transaction.organizations.update(watched)
    return IntakeWorld(storage, clock, world)


async def list_new(ledger: IntakeWorld) -> Sequence[Alert]:
    """Return the alerts that are not planted."""
    async with ledger.storage.read() as view:
        found = (await view.alerts.list(SCOPE, PageRequest())).items
    planted = {ledger.world.left.alert.id, ledger.world.right.alert.id}
    return [alert for alert in found if alert.id not in planted]


async def test_batch_that_makes_a_wallet_low_is_told_of_once(ledger: IntakeWorld) -> None:
    await ledger.hand_in(ledger.write_record(name_record_id(1)))
    assert await list_new(ledger) == [], "it is at its floor"
    batch = [ledger.write_record(name_record_id(number)) for number in (1, 2, 3)]
    await ledger.hand_in(*batch)
    await ledger.hand_in(*batch)
    await ledger.hand_in(ledger.write_record(name_record_id(4)))
    [alert] = await list_new(ledger)
    left = ledger.world.left
    assert (alert.kind, alert.organization_id, alert.subject_id) == (
        AlertKind.WALLET_LOW,
        left.organization.id,
        left.wallet_id,
    )
    assert alert.detail == {
        "currency": "CNY",
        "balance_nano": str(-3 * COST_NANO),
        "wallet_low_nano": str(-COST_NANO),
    }


async def test_wallet_without_a_floor_tells_nothing(ledger: IntakeWorld) -> None:
    await ledger.hand_in(*(ledger.write_record(name_record_id(number), ledger.world.right) for number in (1, 2, 3)))
    assert await list_new(ledger) == []


@pytest.mark.parametrize("floor_nano", [None, -5])
async def test_database_is_asked_nothing_unless_a_wallet_has_fallen(floor_nano: int | None) -> None:
    move = BalanceMove(AccountId(create_id()), AccountKind.WALLET, None, "CNY", 10, -5, floor_nano)
    assert await note_wallet_moves(cast("Transaction", None), [move], NOW) == ()


async def test_records_that_the_platform_pays_for_are_told_of_once_a_batch(ledger: IntakeWorld) -> None:
    def write_unpaid(record_id: UUID) -> bytes:
        return ledger.write_record(record_id, ledger.world.right, ticket_id=str(create_id()))

    paid = ledger.write_record(name_record_id(1), ledger.world.right)
    batch = [paid, write_unpaid(name_record_id(2)), write_unpaid(name_record_id(3))]
    await ledger.hand_in(*batch)
    await ledger.hand_in(*batch)
    [alert] = await list_new(ledger)
    assert (alert.kind, alert.organization_id) == (AlertKind.RECORD_SUSPENDED, None)
    assert (alert.subject_id, alert.detail) == (name_record_id(2), {"record_count": "2"})
    await ledger.hand_in(write_unpaid(name_record_id(4)))
    assert [(each.subject_id, each.detail["record_count"]) for each in await list_new(ledger)] == [
        (name_record_id(2), "2"),
        (name_record_id(4), "1"),
    ]
