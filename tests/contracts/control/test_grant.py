"""Grants between two platforms, the child's on both databases: asked, issued, renewed, held, released, and never twice."""

import asyncio
from dataclasses import replace

import pytest

from keisan.control.departure import StepOutcome
from keisan.control.departure_work import end_grants
from keisan.control.fence import begin_life
from keisan.control.grant import (
    approve_grant,
    end_grant,
    end_grants_of,
    update_terms,
)
from keisan.control.grant_want import renew_want
from keisan.domain.access import PlatformScope, Role
from keisan.domain.errors import PermissionDenied, StateConflict
from keisan.domain.grant import GrantState
from keisan.domain.letter import LetterKind
from keisan.domain.limits import GRANT_SKEW_S
from keisan.domain.link import LinkState
from keisan.wire.grant import GrantEnd, GrantTermsUpdate
from tests.control.grant_world import HOUR, PARENT_ID, GrantWorld, ask, ask_and_run
from tests.settlement import create_principal

EVERYTHING = PlatformScope()
WHY = GrantEnd(reason="it is needed here")


async def test_wants_that_come_at_once_overlap_nowhere(grants: GrantWorld) -> None:
    await update_terms(grants.child, grants.admin, 2, GrantTermsUpdate(automatic_count=100))
    wants = [await ask(grants) for _ in range(5)]
    # The first word of a parent that was never answered is of no epoch: it is told the present one, and asks anew.
    await grants.carry(1)
    assert await grants.list_grants() == ()
    letters = await grants.list_letters(grants.parent, LetterKind.GRANT_WANT)

    async def bring(place: int) -> None:
        await grants.carry_down([letters[place]])

    async with asyncio.TaskGroup() as group:
        for place in range(len(wants)):
            group.create_task(bring(place))
    found = await grants.list_grants()
    held = [device_id for grant in found for device_id in grant.device_ids]
    assert sorted(held) == sorted(grants.device_ids)
    assert sorted(grant.number for grant in found) == [0, 0, 1, 2, 3]
    refused = [grant for grant in found if grant.state is GrantState.REFUSED]
    assert {grant.reason for grant in refused} == {"1 devices are wanted, 0 are free"}


async def test_want_beyond_the_policy_waits_for_a_person(grants: GrantWorld) -> None:
    want = await ask(grants, 3)
    await grants.carry()
    [grant] = await grants.list_grants()
    answer = (await grants.get_want(want.id)).answer
    assert answer is not None
    assert (grant.state, answer.state) == (GrantState.PROPOSED, GrantState.PROPOSED)
    with pytest.raises(PermissionDenied):
        await approve_grant(grants.child, create_principal(Role.AUDITOR), grant.id)
    approved = await approve_grant(grants.child, grants.admin, grant.id)
    assert (approved.state, set(approved.device_ids)) == (GrantState.ISSUED, set(grants.device_ids))
    await grants.carry_up()
    answer = (await grants.get_want(want.id)).answer
    assert answer is not None
    assert answer.state is GrantState.ISSUED
    with pytest.raises(StateConflict, match="is issued"):
        await approve_grant(grants.child, grants.admin, grant.id)


async def test_approval_comes_too_late_when_the_parent_asked_too_long_ago(grants: GrantWorld) -> None:
    await ask(grants, 3)
    await grants.carry()
    [grant] = await grants.list_grants()
    await grants.pass_time(HOUR + GRANT_SKEW_S)
    with pytest.raises(StateConflict, match="time is over"):
        await approve_grant(grants.child, grants.admin, grant.id)


async def test_approval_of_more_than_is_free_says_so(grants: GrantWorld) -> None:
    await ask(grants, 3)
    await grants.carry()
    [proposed] = await grants.list_grants()
    await ask(grants, 2)
    await grants.carry()
    with pytest.raises(StateConflict, match="3 devices are wanted, 1 are free"):
        await approve_grant(grants.child, grants.admin, proposed.id)


async def test_child_may_end_what_it_granted_and_all_of_a_parents(grants: GrantWorld) -> None:
    await ask(grants)
    await ask(grants)
    await ask(grants, 3)
    await grants.carry()
    first, *_ = await grants.list_grants()
    await end_grant(grants.child, grants.admin, first.id, WHY)
    with pytest.raises(StateConflict, match="is released"):
        await end_grant(grants.child, grants.admin, first.id, WHY)
    async with grants.child.storage.write() as transaction:
        assert await end_grants_of(transaction, grants.child, PARENT_ID, "it moves") == 2
    states = [grant.state for grant in await grants.list_grants()]
    assert states == [GrantState.RELEASED, GrantState.RELEASED, GrantState.REFUSED]


async def test_new_life_of_the_child_refuses_old_words_and_goes_on_with_its_devices(grants: GrantWorld) -> None:
    want = await ask_and_run(grants)
    [before] = await grants.list_grants()
    replicas = await grants.list_replicas()
    old = await grants.list_letters(grants.parent, LetterKind.GRANT_WANT)
    async with grants.child.storage.write() as transaction:
        await begin_life(transaction, grants.child, 0, "its disk was restored")
    await renew_want(grants.parent, grants.admin, want.id)
    await grants.carry(3)
    [grant] = await grants.list_grants()
    assert (grant.id, grant.device_ids, grant.epoch, grant.number) == (before.id, before.device_ids, 2, 1)
    assert await grants.list_replicas() == replicas
    answered = await grants.get_want(want.id)
    assert (answered.epoch, answered.answer and answered.answer.state) == (2, GrantState.ISSUED)
    # What was said in the old life is refused, and told the present one.
    await grants.carry_down(old)
    assert await grants.list_grants() == (grant,)
    [refusal] = await grants.list_letters(grants.child, LetterKind.GRANT)
    assert b"asked under epoch 1, and this is 2" in refusal.body


async def test_who_leaves_ends_its_grants_and_grants_nothing_more(grants: GrantWorld) -> None:
    await ask(grants)
    await grants.carry()
    async with grants.child.storage.write() as transaction:
        link = await transaction.links.get(PlatformScope(), grants.link_id)
        leaving = replace(link, state=LinkState.LEAVING, version=link.version + 1)
        await transaction.links.update(leaving)
        assert await end_grants(transaction, grants.child, leaving) == StepOutcome(True, "1 grants were ended")
    assert [grant.state for grant in await grants.list_grants()] == [GrantState.RELEASED]
    await ask(grants)
    with pytest.raises(StateConflict, match="grants it nothing any more"):
        await grants.carry_down()
    assert len(await grants.list_grants()) == 1
