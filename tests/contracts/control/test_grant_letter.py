"""Letters of grants: to whom, from whom, and what they do not say."""

from dataclasses import replace

import pytest

from keisan.control.grant import (
    apply_grant_want,
)
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.grant import GrantState
from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import Arrival, LetterKind
from keisan.kit.ids import create_id
from keisan.wire.grant import GrantEnd
from tests.control.grant_world import PARENT_ID, GrantWorld, ask

EVERYTHING = PlatformScope()
WHY = GrantEnd(reason="it is needed here")


async def test_want_within_the_policy_is_issued_and_answered(grants: GrantWorld) -> None:
    want = await ask(grants, 2)
    await grants.carry()
    [grant] = await grants.list_grants()
    terms = await grants.get_terms()
    assert (grant.state, grant.epoch, grant.number, grant.parent_id) == (GrantState.ISSUED, 1, 1, PARENT_ID)
    assert set(grant.device_ids) < set(grants.device_ids)
    assert terms.last_number == 1
    answered = await grants.get_want(want.id)
    assert answered.answer is not None
    assert (answered.answer.state, answered.answer.number, answered.epoch) == (GrantState.ISSUED, 1, 1)
    # Device detail stays with the child.
    [letter] = await grants.list_letters(grants.child, LetterKind.GRANT)
    assert letter.audience == PARENT_ID
    assert not any(str(device_id).encode() in letter.body for device_id in grants.device_ids)


async def test_only_the_neighbour_itself_may_want_and_only_who_was_asked_may_grant(grants: GrantWorld) -> None:
    await ask(grants)
    [letter] = await grants.list_letters(grants.parent, LetterKind.GRANT_WANT)
    arrival = Arrival(LinkId(create_id()), PlatformId("c" * 64), grants.child_clock.now())
    with pytest.raises(StateConflict, match="only a parent"):
        async with grants.child.storage.write() as transaction:
            await apply_grant_want(transaction, grants.child, arrival, letter)
    await grants.carry_down()
    [answer] = await grants.list_letters(grants.child, LetterKind.GRANT)
    with pytest.raises(StateConflict, match="was not asked"):
        await grants.carry_up([replace(answer, author=PlatformId("c" * 64))])
    with pytest.raises(InvalidInput):
        await grants.carry_up([replace(answer, body=b"{}")])
    with pytest.raises(InvalidInput):
        await grants.carry_down([replace(letter, body=b'{"want_id": 1}')])
