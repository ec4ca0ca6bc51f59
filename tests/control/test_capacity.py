"""Capacity side by side: kinds are never added up, and a kind without a source is unknown in every line and in the share."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from keisan.catalog.base import load_catalog
from keisan.control.capacity import CapacityReading, draw_capacity
from keisan.control.context import Control
from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind, CapacityRow
from keisan.domain.figure import Precision
from keisan.wire.capacity import CapacityView
from tests.factories import NOW, World

EVERYTHING = PlatformScope()
DEVICES = CapacityFigure.DEVICE_COUNT


@dataclass(frozen=True)
class GivenSource:
    """A source that knows what a test says."""

    kind: CapacityKind
    reading: CapacityReading | None

    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        return self.reading


@pytest.fixture
def known(control: Control) -> Control:
    return replace(control, catalog=load_catalog())


def tell_devices(view: CapacityView) -> dict[str | None, dict[CapacityKind, int | None]]:
    return {
        line.value: {kind: found.figures[DEVICES].value for kind, found in line.kinds.items()} for line in view.lines
    }


async def test_kinds_stand_side_by_side_by_each_key(known: Control, world: World) -> None:
    row = CapacityRow("CN-SX", "hikari", "Huawei", "huawei-ascend-910c", "CN", 384)
    sources = (
        GivenSource(
            CapacityKind.CONNECTED, CapacityReading([row, replace(row, region="JP-13", device_count=None)], NOW)
        ),
        GivenSource(CapacityKind.VERIFIED, None),
    )
    by_region = await draw_capacity(known, EVERYTHING, CapacityKey.REGION, sources)
    registered, connected, surveyed = CapacityKind.REGISTERED, CapacityKind.CONNECTED, CapacityKind.SURVEYED
    region = world.left.site.region
    assert tell_devices(by_region) == {
        "CN-SX": {connected: 384, surveyed: 100},
        region: {registered: 16, connected: None},
    }
    by_vendor = await draw_capacity(known, EVERYTHING, CapacityKey.VENDOR, sources)
    assert tell_devices(by_vendor) == {"Huawei": {connected: 384}, "NVIDIA": {registered: 16, surveyed: 100}}
    by_origin = await draw_capacity(known, EVERYTHING, CapacityKey.ORIGIN, sources)
    assert tell_devices(by_origin) == {"CN": {connected: 384}, "US": {registered: 16, surveyed: 100}}
    total = by_region.total.kinds
    assert {kind: found.row_count for kind, found in total.items()} == {registered: 2, connected: 2, surveyed: 1}
    assert total[connected].figures[DEVICES].untold_rows == 1
    assert {kind for kind, told in by_region.kinds.items() if told.is_known} == {registered, connected, surveyed}
    assert by_region.kinds[CapacityKind.VERIFIED].read_at is None
    assert by_region.kinds[connected].read_at == NOW


async def test_share_is_of_what_is_connected_and_what_is_surveyed(known: Control, world: World) -> None:
    gflops = {Precision.FP16: 7}
    reading = CapacityReading([CapacityRow("CN-SX", device_count=300, gflops=gflops)], NOW)
    with_connected = (GivenSource(CapacityKind.CONNECTED, reading),)
    share = (await draw_capacity(known, EVERYTHING, CapacityKey.REGION, with_connected)).share
    # 2,368,000 GFLOPS are registered and 7 surveyed; 100 devices are surveyed.
    assert share.device_count_ppm == 750_000
    assert share.gflops_ppm == {Precision.FP16: 7 * 1_000_000 // (2_368_000 + 7)}
    without = (await draw_capacity(known, EVERYTHING, CapacityKey.REGION)).share
    assert (without.device_count_ppm, without.gflops_ppm) == (None, {})


async def test_scope_bounds_what_is_registered_and_surveys_are_public(known: Control, world: World) -> None:
    kinds = {}
    for scope in (ProviderScope(world.left.provider.id), OrganizationScope(world.left.organization.id)):
        kinds[type(scope)] = await draw_capacity(known, scope, CapacityKey.PROVIDER)
    own = tell_devices(kinds[ProviderScope])
    assert own == {world.left.provider.name: {CapacityKind.REGISTERED: 8}, "Datong": {CapacityKind.SURVEYED: 100}}
    assert tell_devices(kinds[OrganizationScope]) == {"Datong": {CapacityKind.SURVEYED: 100}}
    assert not kinds[OrganizationScope].kinds[CapacityKind.REGISTERED].is_known


async def test_without_claims_and_surveys_nothing_is_nought(known: Control, world: World) -> None:
    async with known.storage.write() as transaction:
        for side in (world.left, world.right):
            await transaction.claims.delete(side.claim)
        survey = world.survey_line.evidence
        await transaction.surveys.delete_survey(survey.source, survey.date)
    found = await draw_capacity(known, EVERYTHING, CapacityKey.REGION)
    assert (found.lines, found.total.kinds) == ((), {})
    assert not any(told.is_known for told in found.kinds.values())


async def test_survey_to_come_does_not_count_yet(known: Control, world: World) -> None:
    tomorrow = replace(world.survey_line.evidence, date=NOW.date() + timedelta(days=1))
    async with known.storage.write() as transaction:
        await transaction.surveys.delete_survey(world.survey_line.evidence.source, world.survey_line.evidence.date)
        await transaction.surveys.insert(replace(world.survey_line, evidence=tomorrow))
    found = await draw_capacity(known, EVERYTHING, CapacityKey.REGION)
    assert CapacityKind.SURVEYED not in found.total.kinds
