"""Top-ups that take two people, through the client."""

import pytest

from keisan.sdk import (
    AlreadyDecided,
    AsyncKeisan,
    PlatformUpdate,
    SelfApproval,
    TopUpCreate,
    TopUpKind,
    TopUpState,
    VersionMismatch,
)
from tests.api.stage import Stage


async def test_proposal_of_another_is_approved_and_of_one_s_own_withdrawn(stage: Stage, admin: AsyncKeisan) -> None:
    assert (await admin.top_ups.approve(stage.ids["top_up"])).state is TopUpState.POSTED
    with pytest.raises(AlreadyDecided):
        await admin.top_ups.reject(stage.ids["top_up"])
    seen = await admin.platform.get()
    changed = await admin.platform.update(seen, PlatformUpdate(four_eyes_nano={"CNY": 0}))
    assert changed.four_eyes_nano == {"CNY": 0}
    with pytest.raises(VersionMismatch):
        await admin.platform.update(seen, PlatformUpdate(four_eyes_nano={"CNY": None}))
    body = TopUpCreate(amount_nano=1, currency="CNY", note="sorry", kind=TopUpKind.CREDIT_NOTE)
    proposed = await admin.organizations.top_up(stage.ids["beta"], body)
    assert (proposed.state, proposed.balance_nano) == (TopUpState.PROPOSED, None)
    with pytest.raises(SelfApproval):
        await admin.top_ups.approve(proposed.id)
    rejected = await admin.top_ups.reject(proposed.id)
    assert (rejected.state, rejected.kind) == (TopUpState.REJECTED, TopUpKind.CREDIT_NOTE)
    assert await admin.top_ups.get(proposed.id) == rejected
    assert [line.id async for line in admin.top_ups.list()] == [stage.ids["top_up"], proposed.id]
