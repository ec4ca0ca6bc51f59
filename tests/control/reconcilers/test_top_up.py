"""Top-ups: what nobody decides on ends after a week, with an event, and not a moment sooner."""

from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.top_up import TopUpReconciler
from keisan.control.top_up import reject_top_up
from keisan.domain.access import Role
from keisan.domain.errors import VersionMismatch
from keisan.domain.lease import WorkNoun
from keisan.domain.top_up import TopUpState
from keisan.kit.ids import create_id
from tests.control.people import EVERYTHING, add_key, list_events
from tests.factories import FixedClock, World

RECONCILER = TopUpReconciler()


async def test_proposal_ends_on_the_day_and_not_before(control: Control, clock: FixedClock, world: World) -> None:
    proposed = world.left.top_up
    assert proposed.expires_at is not None
    loop = LeaseLoop(control, {WorkNoun.TOP_UP: RECONCILER})
    async with control.storage.write() as transaction:
        await transaction.outbox.put(WorkNoun.TOP_UP, proposed.id, clock.now())
    assert await loop.run_round() == 1
    clock.instant = proposed.expires_at - timedelta(microseconds=1)
    assert await loop.run_round() == 0
    clock.instant = proposed.expires_at
    assert await loop.run_round() == 1
    assert await loop.run_round() == 0
    async with control.storage.read() as view:
        ended = await view.top_ups.get(EVERYTHING, proposed.id)
        assert (await view.accounts.get(EVERYTHING, world.left.wallet_id)).balance_nano == 0
    assert (ended.state, ended.decided_at, ended.decided_by) == (TopUpState.EXPIRED, clock.instant, None)
    event = (await list_events(control))[-1]
    assert (event.action, event.actor, event.noun_id) == ("top_up.expired", "control", proposed.id)


async def test_decision_between_look_and_write_stays(control: Control, world: World) -> None:
    proposed = world.left.top_up
    assert proposed.expires_at is not None
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    change = RECONCILER.decide(proposed, proposed.expires_at)
    rejected = await reject_top_up(control, admin, proposed.id)
    with pytest.raises(VersionMismatch):
        async with control.storage.write() as transaction:
            await RECONCILER.apply(transaction, change, proposed.expires_at)
    async with control.storage.write() as transaction:
        assert (
            await RECONCILER.apply(transaction, RECONCILER.decide(rejected, proposed.expires_at), proposed.expires_at)
            is None
        )
        assert await transaction.top_ups.get(EVERYTHING, proposed.id) == rejected


async def test_missing_top_up_is_no_work(control: Control) -> None:
    async with control.storage.read() as view:
        assert await RECONCILER.load(view, create_id()) is None
