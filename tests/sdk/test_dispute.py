"""Disputes through the client."""

from keisan.domain.dispute import DisputeState
from keisan.sdk import AsyncKeisan, Connections, DisputeCreate, DisputeResolve, DisputeVerdict
from tests.api.stage import Stage
from tests.sdk.platform import connect


async def test_dispute_is_opened_and_resolved(stage: Stage, admin: AsyncKeisan) -> None:
    async with AsyncKeisan.over(Connections(connect(stage, "provider"))) as provider:
        opened = await provider.disputes.open(stage.ids["statement"], DisputeCreate(reason="counted twice"))
        body = DisputeResolve(verdict=DisputeVerdict.UPHELD, resolution="so it was", amount_nano=7)
        resolved = await admin.disputes.resolve(opened.id, body)
        assert (resolved.state, resolved.amount_nano) == (DisputeState.UPHELD, 7)
        assert await provider.disputes.get(opened.id) == resolved
        assert [line.id async for line in provider.disputes.list()] == sorted([stage.ids["dispute"], opened.id])
