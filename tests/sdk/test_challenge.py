"""Challenges through the client: started, waited for, listed."""

import asyncio

from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.challenge import ChallengeReconciler
from keisan.domain.lease import WorkNoun
from keisan.sdk import (
    AsyncKeisan,
    ChallengeFlag,
    ChallengeStart,
    ChallengeState,
    ChallengeView,
    Connections,
    Workload,
)
from tests.api.stage import Stage, build_report
from tests.deadline import wait_until_async
from tests.sdk.platform import connect


async def test_challenges_are_waited_for_until_judged(stage: Stage) -> None:
    # Not by the stage's clock, which a waiting client puts forward: to the challenge's deadline within two seconds.
    async with AsyncKeisan.over(Connections(connect(stage, "admin"))) as admin:
        await follow_a_challenge(stage, admin)


async def follow_a_challenge(stage: Stage, admin: AsyncKeisan) -> None:
    body = ChallengeStart(site_id=stage.ids["site"], workload=Workload.BF16, may_disturb=True)
    [started] = (await admin.challenges.start(body)).challenges
    seen: list[ChallengeView] = []
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(admin.challenges.wait_judged([started], seen.append))
        await wait_until_async(lambda: bool(seen), "somebody waits")
        await stage.ask("site", "POST", "/site/report", build_report())
        refusal = {"commitment": None, "told_us": 0, "message": "no PyTorch"}
        await stage.ask("site", "POST", f"/site/challenges/{started.id}/commit", refusal)
        await LeaseLoop(
            stage.control, {WorkNoun.CHALLENGE: ChallengeReconciler(stage.control.challenge_terms)}
        ).run_round()
    [judged] = waiting.result()
    assert (judged.state, judged.flags, judged.message) == (
        ChallengeState.JUDGED,
        (ChallengeFlag.UNABLE,),
        "no PyTorch",
    )
    states = [each.state for each in seen]
    assert (states[0], states[-1]) == (ChallengeState.PLANNED, ChallengeState.JUDGED)
    assert len(states) == len(set(states))
    assert await admin.challenges.get(started.id) == judged
    assert [each async for each in admin.challenges.list(stage.ids["site"])][-1] == judged
    assert [each async for each in admin.challenges.list()][-1] == judged
    assert (await admin.challenges.list_verified()).items == ()
