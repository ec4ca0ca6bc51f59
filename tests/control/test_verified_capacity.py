"""Verified capacity: what the last right answers proved, and nothing where none did."""

from dataclasses import replace

from keisan.control.context import Control
from keisan.control.verified_capacity import VerifiedSource
from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope
from keisan.domain.challenge import ChallengeState, Workload
from keisan.domain.figure import Precision
from keisan.domain.verdict import Verdict
from tests.factories import NOW, World, create_challenge


async def prove(control: Control, world: World, verdict: Verdict, **rates: int) -> None:
    async with control.storage.write() as transaction:
        for name, rate_per_s in rates.items():
            judged = {"state": ChallengeState.JUDGED, "verdict": verdict, "judged_at": NOW, "rate_per_s": rate_per_s}
            made = create_challenge(world.left.device, **judged)
            await transaction.challenges.insert(replace(made, work=replace(made.work, workload=Workload(name))))


async def test_what_was_proved_is_told_by_precision(control: Control, world: World) -> None:
    await prove(control, world, Verdict.OK, fp32=110 * 10**9, fp16=2 * 10**12, bf16=3 * 10**12, memory=8 * 10**9)
    reading = await VerifiedSource().read_capacity(control, PlatformScope())
    assert reading is not None
    [row] = reading.rows
    assert (row.region, row.provider, row.chip) == (
        world.left.site.region,
        world.left.provider.name,
        world.left.device.chip,
    )
    assert row.device_count == 1
    assert row.gflops == {Precision.FP32: 110, Precision.FP16: 3000}
    assert row.bandwidth_bytes_per_s == 8 * 10**9
    assert reading.read_at == NOW


async def test_what_was_disproved_counts_for_nothing(control: Control, world: World) -> None:
    await prove(control, world, Verdict.FAILED, fp32=110 * 10**9)
    reading = await VerifiedSource().read_capacity(control, PlatformScope())
    assert reading is not None
    assert [(row.device_count, dict(row.gflops)) for row in reading.rows] == [(0, {Precision.FP32: 0})]


async def test_without_proof_nothing_is_known(control: Control, world: World) -> None:
    assert await VerifiedSource().read_capacity(control, PlatformScope()) is None
    await prove(control, world, Verdict.OK, fp32=10**9)
    assert await VerifiedSource().read_capacity(control, ProviderScope(world.left.provider.id)) is not None
    assert await VerifiedSource().read_capacity(control, ProviderScope(world.right.provider.id)) is None
    assert await VerifiedSource().read_capacity(control, OrganizationScope(world.left.organization.id)) is None
