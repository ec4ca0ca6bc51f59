"""Suspense through the client."""

from keisan.sdk import AsyncKeisan, SuspenseJudge, SuspenseOutcome, SuspenseState, SuspenseVerdict
from tests.api.stage import Stage


async def test_suspense(stage: Stage, admin: AsyncKeisan) -> None:
    [suspended] = [line async for line in admin.suspense.list(SuspenseState.SUSPENDED)]
    assert await admin.suspense.get(stage.ids["suspended"]) == suspended
    answer = await admin.suspense.judge(suspended.record_id, SuspenseJudge(verdict=SuspenseVerdict.WRITE_OFF))
    assert (answer.outcome, answer.suspended.state) == (SuspenseOutcome.WRITTEN_OFF, SuspenseState.WRITTEN_OFF)
    assert [line async for line in admin.suspense.list(SuspenseState.SUSPENDED)] == []
    assert [line async for line in admin.suspense.list()] == [answer.suspended]
