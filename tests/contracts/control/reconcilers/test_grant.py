"""Grants in time: asked for again, held and released."""

from keisan.control.grant_want import set_grant_work
from keisan.domain.access import PlatformScope
from keisan.domain.grant import GrantState, OnExpiry
from keisan.domain.letter import LetterKind
from keisan.domain.limits import GRANT_SKEW_S
from keisan.domain.replica import ReplicaState
from keisan.wire.grant import GrantEnd, WorkUpdate
from tests.control.grant_world import HOUR, GrantWorld, ask_and_run

EVERYTHING = PlatformScope()
WHY = GrantEnd(reason="it is needed here")


async def test_parent_asks_again_by_itself_and_the_grant_goes_on(grants: GrantWorld) -> None:
    want = await ask_and_run(grants)
    for number in range(3, 6):
        await grants.pass_time(HOUR / 2)
        await grants.reconcile()
        await grants.carry()
        [grant] = await grants.list_grants()
        assert (grant.state, grant.renewal, grant.number) == (GrantState.ISSUED, number, 1)
    assert (await grants.get_want(want.id)).renewal == 5


async def test_held_grant_keeps_its_replicas_and_begins_none(grants: GrantWorld) -> None:
    """Nobody carries a letter: for the child the parent is silent."""
    want = await ask_and_run(grants, replica_count=1)
    [replica] = await grants.list_replicas()
    grown = WorkUpdate(model_id=grants.parent_world.model.id, replica_count=2)
    want = await set_grant_work(grants.parent, grants.admin, want.id, want.version, grown)
    await grants.pass_time(HOUR + GRANT_SKEW_S - 1)
    await grants.reconcile()
    assert (await grants.list_grants())[0].state is GrantState.ISSUED
    await grants.pass_time(1)
    await grants.reconcile()
    [held] = await grants.list_grants()
    assert (held.state, held.epoch, held.number) == (GrantState.HELD, 1, 1)
    # Work that comes after the end is noted and not begun; what runs goes on, for as long as it takes.
    [letter] = await grants.list_letters(grants.parent, LetterKind.GRANT_WANT)
    assert b'"renewal":2' not in letter.body
    await grants.pass_time(72 * HOUR)
    await grants.reconcile()
    assert await grants.list_replicas() == (replica,)
    # The parent is heard again: the same grant, in the same epoch, and the second replica begins.
    await grants.carry()
    await grants.reconcile()
    [grant] = await grants.list_grants()
    assert (grant.state, grant.epoch, grant.number) == (GrantState.ISSUED, 1, 1)
    assert len(await grants.list_replicas()) == 2


async def test_released_grant_gives_its_devices_back(grants: GrantWorld) -> None:
    await ask_and_run(grants, on_expiry=OnExpiry.RELEASE)
    await grants.pass_time(HOUR + GRANT_SKEW_S)
    await grants.reconcile()
    await grants.reconcile()
    [grant] = await grants.list_grants()
    assert grant.state is GrantState.RELEASED
    assert {each.state for each in await grants.list_replicas()} == {ReplicaState.STOPPING}
