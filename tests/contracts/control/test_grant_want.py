"""Wants of a parent: asked, answered, renewed and ended."""

import pytest

from keisan.control.fence import begin_life
from keisan.control.grant import (
    refuse_grant,
)
from keisan.control.grant_want import end_grant_want, renew_want, set_grant_work
from keisan.domain.access import PlatformScope
from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import StateConflict, VersionMismatch
from keisan.domain.grant import GrantState, WantState
from keisan.domain.letter import LetterKind
from keisan.domain.limits import GRANT_SKEW_S
from keisan.wire.grant import GrantEnd, WorkUpdate
from tests.control.grant_world import HOUR, GrantWorld, ask, ask_and_run

EVERYTHING = PlatformScope()
WHY = GrantEnd(reason="it is needed here")


async def test_letters_that_come_again_change_nothing(grants: GrantWorld) -> None:
    want = await ask(grants, 2)
    await grants.carry(3)
    before = (await grants.list_grants(), await grants.get_terms(), await grants.get_want(want.id))
    words = await grants.list_letters(grants.parent, LetterKind.GRANT_WANT)
    answers = await grants.list_letters(grants.child, LetterKind.GRANT)
    for _ in range(2):
        await grants.carry_down(words)
        await grants.carry_up(answers)
    assert (await grants.list_grants(), await grants.get_terms(), await grants.get_want(want.id)) == before
    assert await grants.list_letters(grants.child, LetterKind.GRANT) == answers


async def test_person_may_refuse_and_the_parent_may_ask_again(grants: GrantWorld) -> None:
    want = await ask(grants, 3)
    await grants.carry()
    [grant] = await grants.list_grants()
    refused = await refuse_grant(grants.child, grants.admin, grant.id, WHY)
    await grants.carry()
    answered = await grants.get_want(want.id)
    assert answered.answer is not None
    assert (refused.state, answered.answer.reason) == (GrantState.REFUSED, WHY.reason)
    await renew_want(grants.parent, grants.admin, want.id)
    await grants.carry()
    assert [each.state for each in await grants.list_grants()] == [GrantState.REFUSED, GrantState.PROPOSED]


async def test_parent_begins_nothing_when_its_time_is_over(grants: GrantWorld) -> None:
    want = await ask(grants, 1)
    await grants.carry()
    want = await grants.get_want(want.id)
    body = WorkUpdate(model_id=grants.parent_world.model.id)
    await grants.parent_clock.sleep(HOUR - GRANT_SKEW_S)
    with pytest.raises(VersionMismatch):
        await set_grant_work(grants.parent, grants.admin, want.id, want.version - 1, body)
    with pytest.raises(StateConflict, match="nothing is granted now"):
        await set_grant_work(grants.parent, grants.admin, want.id, want.version, body)


async def test_parent_that_wants_it_no_longer_ends_it(grants: GrantWorld) -> None:
    want = await ask_and_run(grants)
    ended = await end_grant_want(grants.parent, grants.admin, want.id)
    assert ended.state is WantState.ENDED
    await grants.carry()
    await grants.reconcile()
    [grant] = await grants.list_grants()
    async with grants.child.storage.read() as view:
        assert grant.deployment_id is not None
        deployment = await view.deployments.get(EVERYTHING, grant.deployment_id)
    assert (grant.state, deployment.state) == (GrantState.RELEASED, DeploymentState.DELETING)


async def test_answer_of_a_lower_epoch_is_refused_by_the_parent(grants: GrantWorld) -> None:
    want = await ask(grants)
    await grants.carry()
    old = await grants.list_letters(grants.child, LetterKind.GRANT)
    async with grants.child.storage.write() as transaction:
        await begin_life(transaction, grants.child, 0, "its disk was restored")
    await renew_want(grants.parent, grants.admin, want.id)
    await grants.carry(3)
    with pytest.raises(StateConflict, match="of epoch 1, and the link is in 2"):
        await grants.carry_up(old)
