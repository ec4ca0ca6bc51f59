"""Links through the client, asynchronous and not."""

import pytest

from keisan.sdk import AsyncKeisan, InvitationCreate, Keisan, LinkApproval, LinkEnd, LinkJoin, StateConflict
from tests.api.stage import Stage


async def test_an_invitation_an_approval_and_a_revocation(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.links.invite(InvitationCreate(url="http://nation.test", prefix="sx"))
    assert created.token not in repr(created)
    [waiting] = [link async for link in admin.links.list()]
    joined = await admin.links.approve(waiting.id, LinkApproval(region="CN-SX", prefix="sx"))
    assert (joined.state, joined.region) == ("joined", "CN-SX")
    assert await admin.links.get(waiting.id) == joined
    with pytest.raises(StateConflict):
        await admin.links.reject(waiting.id, LinkEnd())
    with pytest.raises(StateConflict):
        await admin.links.leave(waiting.id)
    with pytest.raises(StateConflict):
        await admin.links.move(waiting.id, LinkJoin(token=created.token))
    assert (await admin.links.revoke(waiting.id, LinkEnd(reason="x"))).state == "revoked"


def test_a_rejection_without_a_loop(keisan: Keisan) -> None:
    [waiting] = keisan.links.list()
    assert keisan.links.reject(waiting.id, LinkEnd()).state == "rejected"
