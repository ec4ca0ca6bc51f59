"""The database is away for an hour: calls are served on tickets and kept in spools, then everything is posted (R1)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.domain.account import AccountKind
from keisan.domain.errors import StorageUnavailable
from keisan.ledger.audit import audit_ledger
from keisan.storage.database import Database
from tests.ledger.credit_world import OUTPUT_NANO, TERMS, Gateway, list_balances, list_tickets, top_up
from tests.ledger.intake_world import IntakeWorld, open_world, plant_template

CALL_NANO = 10 * OUTPUT_NANO
HOUR_S, STEP_S = 3600, 10


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[IntakeWorld]:
    """A planted platform, its journal opened."""
    template = tmp_path / "template.db"
    world = await plant_template(template)
    async with open_world(tmp_path / "keisan.db", template, world) as opened:
        async with opened.storage.write() as transaction:
            await opened.journal.write_opening(transaction)
        yield opened


async def test_hour_without_a_database_loses_nothing(ledger: IntakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TERMS.lease_s > HOUR_S
    left, gateway = ledger.world.left, Gateway(ledger.world.gateway.id, ledger)
    await top_up(ledger.storage, left.organization.id, 1000 * CALL_NANO)
    await gateway.exchange((left, 500 * CALL_NANO))
    started = ledger.clock.now()
    with monkeypatch.context() as patch:

        def refuse(_: Database) -> None:
            raise StorageUnavailable("the database is away")

        patch.setattr(Database, "write", refuse)
        while ledger.clock.now() - started < timedelta(seconds=HOUR_S):
            await ledger.clock.sleep(STEP_S)
            assert gateway.begin_call(left, CALL_NANO), "credit that was leased is there"
            gateway.end_call(100)
            kept = list(gateway.spool)
            with pytest.raises(StorageUnavailable):
                await gateway.exchange()
            with pytest.raises(StorageUnavailable):
                await gateway.upload()
            gateway.spool = kept
    calls = HOUR_S // STEP_S
    assert len(gateway.spool) == calls
    assert set(await gateway.upload()) == {"created"}
    await gateway.exchange()
    balances = await list_balances(ledger.storage)
    assert balances[AccountKind.WALLET] == (1000 - calls) * CALL_NANO
    assert balances[AccountKind.SUSPENSE] == 0
    (ticket,) = await list_tickets(ledger.storage)
    assert (ticket.posted_nano, ticket.spent_nano) == (calls * CALL_NANO, calls * CALL_NANO)
    async with ledger.storage.read() as view:
        assert (await audit_ledger(view, lambda _: None)).difference is None


async def test_credit_ends_with_its_lease(ledger: IntakeWorld) -> None:
    left, gateway = ledger.world.left, Gateway(ledger.world.gateway.id, ledger)
    await top_up(ledger.storage, left.organization.id, 1000 * CALL_NANO)
    await gateway.exchange((left, 500 * CALL_NANO))
    await ledger.clock.sleep(TERMS.lease_s - 1)
    assert gateway.begin_call(left, CALL_NANO)
    await ledger.clock.sleep(1)
    assert not gateway.begin_call(left, CALL_NANO)
