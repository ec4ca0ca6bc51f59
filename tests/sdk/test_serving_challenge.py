"""Serving challenges through the client: started, waited for, listed."""

import asyncio
from dataclasses import replace

from keisan.domain.access import PlatformScope
from keisan.domain.ids import MachineId, ServingChallengeId
from keisan.domain.serving_challenge import ServingState
from keisan.sdk import AsyncKeisan, Keisan, ServingChallengeStart, ServingChallengeView
from tests.api.stage import Stage
from tests.deadline import wait_until_async
from tests.domain.serving_samples import STEP


async def write(stage: Stage, view: ServingChallengeView, **changes: object) -> None:
    async with stage.storage.write() as transaction:
        stored = await transaction.serving_challenges.get(PlatformScope(), ServingChallengeId(view.id))
        changed = replace(stored, version=stored.version + 1, **changes)  # type: ignore[arg-type]  # fields by name
        await transaction.serving_challenges.update(changed)


async def test_challenge_is_waited_for_until_it_is_judged(stage: Stage, admin: AsyncKeisan) -> None:
    async with stage.storage.write() as transaction:
        machine_id = MachineId(stage.machines["gateway"].id)
        await transaction.machines.acknowledge(machine_id, 1, stage.clock.now())
    started = await admin.serving_challenges.start(ServingChallengeStart(deployment_id=stage.ids["deployment"]))
    seen: list[ServingChallengeView] = []
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(admin.serving_challenges.wait_judged(started, seen.append))
        await wait_until_async(lambda: len(seen) == 1, "somebody waits")
        await write(stage, started, state=ServingState.RUNNING, steps=(STEP,))
        await wait_until_async(lambda: len(seen) == 2, "a step is told")
        await write(stage, started, state=ServingState.JUDGED, judged_at=stage.clock.now())
    judged = waiting.result()
    assert [each.version for each in seen] == [1, 2, 3]
    assert (judged.state, judged.steps[0].rate_milli_per_s) == (ServingState.JUDGED, STEP.rate_milli_per_s)
    assert await admin.serving_challenges.get(started.id) == judged
    listed = [each async for each in admin.serving_challenges.list()]
    assert [each.id for each in listed] == [stage.ids["serving_challenge"], started.id]
    # Told of nothing, it waits all the same.
    assert await admin.serving_challenges.wait_judged(started) == judged


def test_the_same_without_asyncio(keisan: Keisan) -> None:
    [listed] = keisan.serving_challenges.list()
    assert keisan.serving_challenges.wait_judged(listed) == keisan.serving_challenges.get(listed.id) == listed
