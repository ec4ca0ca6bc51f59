"""Notes of devices as the database has them: of each site what was said of its own, and nothing of sites of which nothing was."""

from dataclasses import replace

from keisan.control.context import Control
from keisan.control.telemetry_note import read_notes
from keisan.domain.challenge import ChallengeState, Workload
from keisan.domain.device import DeviceUse
from keisan.domain.verdict import Verdict
from keisan.telemetry.device_note import DeviceNotes
from tests.factories import World, create_challenge


async def test_what_is_closed_and_what_was_measured_by_site(control: Control, world: World) -> None:
    assert await read_notes(control) == {}
    left, right = world.left.device, world.right.device
    judged = {"state": ChallengeState.JUDGED, "verdict": Verdict.OK, "judged_at": control.clock.now()}
    async with control.storage.write() as transaction:
        await transaction.devices.update(replace(left, use=DeviceUse.CORDONED, version=2))
        for workload, rate_per_s in ((Workload.FP32, 3 * 10**9), (Workload.BF16, 5 * 10**9), (Workload.MEMORY, 10**12)):
            made = create_challenge(right, **judged, rate_per_s=rate_per_s)
            await transaction.challenges.insert(replace(made, work=replace(made.work, workload=workload)))
    assert await read_notes(control) == {
        world.left.site.id: DeviceNotes(frozenset({left.hardware_id}), {}),
        world.right.site.id: DeviceNotes(frozenset(), {right.hardware_id: 5}),
    }
