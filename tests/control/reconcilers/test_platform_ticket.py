"""Steps of the reconciler that two platforms together do not show: what is gone, closed, or was changed meanwhile."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.platform_credit import LOOK_HOME_S, TERMS
from keisan.control.reconcilers.platform_ticket import PlatformTicketChange, PlatformTicketReconciler
from keisan.domain.errors import VersionMismatch
from keisan.domain.platform_ticket import CrossChargeState, PlatformTicketState
from keisan.federation.rule_credit import CreditStep
from keisan.kit.ids import create_id
from tests.control.credit_pair import EVERYTHING, Pair, open_pair
from tests.domain.credit_samples import create_cross_charge, create_platform_ticket


@pytest.fixture
async def pair(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    async with open_pair(tmp_path, migrated_file, monkeypatch) as opened:
        yield opened


async def test_what_is_gone_closed_or_changed_is_left_alone(pair: Pair) -> None:
    reconciler, now = PlatformTicketReconciler(pair.home.control), pair.clock.now()
    ticket = create_platform_ticket(pair.owner.id)
    async with pair.home.storage.write() as transaction:
        await transaction.platform_tickets.insert(ticket)
        assert await reconciler.load(transaction, create_id()) is None
        closed = replace(ticket, state=PlatformTicketState.CLOSED)
        assert await reconciler.apply(transaction, PlatformTicketChange(closed, CreditStep.WAIT), now) is None
        changed = PlatformTicketChange(replace(ticket, number=7), CreditStep.CLOSE)
        with pytest.raises(VersionMismatch):
            await reconciler.apply(transaction, changed, now)


async def test_own_records_are_voided_when_their_window_is_over(pair: Pair) -> None:
    reconciler, now = PlatformTicketReconciler(pair.home.control), pair.clock.now()
    window = timedelta(seconds=TERMS.lease_s + TERMS.skew_s + TERMS.lateness_s)
    ticket = create_platform_ticket(pair.owner.id, waiting_nano=30, expires_at=now + timedelta(days=1))
    old, young = (
        create_cross_charge(ticket, state=CrossChargeState.WAITING, wholesale_nano=amount, admitted_at=moment)
        for amount, moment in ((10, now - window - timedelta(seconds=1)), (20, now - window))
    )
    async with pair.home.storage.write() as transaction:
        await transaction.platform_tickets.insert(ticket)
        await transaction.cross_charges.insert_many([old, young])
    async with pair.home.storage.write() as transaction:
        state = await reconciler.load(transaction, ticket.id)
        assert state is not None
        due = await reconciler.apply(transaction, reconciler.decide(state, now), now)
        assert due == now + timedelta(seconds=LOOK_HOME_S)
        found = await transaction.cross_charges.find_many(EVERYTHING, [old.record_id, young.record_id])
        assert (await transaction.platform_tickets.get(EVERYTHING, ticket.id)).waiting_nano == 20
    assert [found[each.record_id].state for each in (old, young)] == [CrossChargeState.VOIDED, CrossChargeState.WAITING]
