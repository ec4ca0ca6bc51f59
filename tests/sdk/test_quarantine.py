"""Quarantine through the client."""

from keisan.sdk import AsyncKeisan, QuarantineJudge, QuarantineOutcome, QuarantineState, QuarantineVerdict
from tests.api.stage import Stage


async def test_quarantine(stage: Stage, admin: AsyncKeisan) -> None:
    [quarantined] = [line async for line in admin.quarantine.list(QuarantineState.QUARANTINED)]
    assert await admin.quarantine.get(stage.ids["quarantined"]) == quarantined
    answer = await admin.quarantine.judge(quarantined.id, QuarantineJudge(verdict=QuarantineVerdict.DISCARD))
    assert (answer.outcome, answer.quarantined.state) == (QuarantineOutcome.DISCARDED, QuarantineState.DISCARDED)
    assert [line async for line in admin.quarantine.list(QuarantineState.QUARANTINED)] == []
    assert [line async for line in admin.quarantine.list()] == [answer.quarantined]
