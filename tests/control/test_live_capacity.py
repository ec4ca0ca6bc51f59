"""Connected and schedulable capacity from the live fleet: a cut site is not gone, and what it could do is not known."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from keisan.control.capacity import draw_capacity
from keisan.control.context import Control
from keisan.control.live_capacity import LiveSource
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind
from keisan.domain.catalog import Catalog
from keisan.domain.figure import FigureName, FigureValue, Precision
from keisan.kit.clock import to_milliseconds
from keisan.telemetry.live_site import LiveSite, SitePlace
from tests.domain.samples import build_chip
from tests.factories import FixedClock, World
from tests.telemetry.fleet import build_head, build_inventory, build_values

CONNECTED, SCHEDULABLE = CapacityKind.CONNECTED, CapacityKind.SCHEDULABLE


@pytest.fixture
def watch(control: Control, world: World) -> FleetWatch:
    """Four devices of the left site, every second of a chip that the catalogue knows."""
    evidence = build_chip("known-chip").evidence
    figures = {
        FigureName.FP16_GFLOPS: (FigureValue(100, 100, evidence),),
        FigureName.MEMORY_GB_PER_S: (FigureValue(7, 7, evidence),),
    }
    chip = replace(build_chip("known-chip", vendor=("Maker",), designed_in=("CN",)), figures=figures)
    watch = FleetWatch(replace(control, catalog=Catalog(chips={"known-chip": chip})), {})
    site = world.left.site
    watch.fleet.take_inventory(
        SitePlace(site.id, site.provider_id, site.name, site.region), build_inventory([0, 0, 1, 1])
    )
    return watch


def hear(watch: FleetWatch, sequence: int = 1) -> LiveSite:
    [site] = watch.fleet.sites.values()
    now = watch.read_moment()
    head = build_head(sequence, to_milliseconds(watch.control.clock.now()))
    site.take(head, np.arange(4, dtype=np.uint32), build_values(4), now)
    site.columns.is_cordoned[0] = True
    watch.fleet.roll_up(now)
    return site


async def draw(
    watch: FleetWatch, kind: CapacityKind, scope: Scope | None = None
) -> tuple[int | None, dict[Precision, int | None], dict[str | None, int | None]]:
    """Return devices, throughput, and devices by vendor of one kind."""
    sources = (LiveSource(watch, CONNECTED), LiveSource(watch, SCHEDULABLE))
    view = await draw_capacity(watch.control, scope or PlatformScope(), CapacityKey.VENDOR, sources)
    if kind not in view.total.kinds:
        return None, {}, {}
    total = view.total.kinds[kind]
    return (
        total.figures[CapacityFigure.DEVICE_COUNT].value,
        {precision: found.value for precision, found in total.gflops.items()},
        {
            line.value: line.kinds[kind].figures[CapacityFigure.DEVICE_COUNT].value
            for line in view.lines
            if kind in line.kinds
        },
    )


async def test_what_is_heard_well_and_free_is_schedulable(watch: FleetWatch) -> None:
    hear(watch)
    assert await draw(watch, CONNECTED) == (4, {Precision.FP16: 200}, {"Maker": 2, None: 2})
    assert await draw(watch, SCHEDULABLE) == (3, {Precision.FP16: 100}, {"Maker": 1, None: 2})


async def test_a_site_that_is_cut_is_connected_still_and_its_free_devices_unknown(
    watch: FleetWatch, clock: FixedClock
) -> None:
    hear(watch)
    clock.instant += timedelta(seconds=31)
    watch.fleet.roll_up(watch.read_moment())
    assert (await draw(watch, CONNECTED))[0] == 4
    assert await draw(watch, SCHEDULABLE) == (None, {}, {"Maker": None, None: None})


async def test_memory_and_bandwidth_are_told_as_far_as_known(watch: FleetWatch) -> None:
    hear(watch)
    reading = await LiveSource(watch, CONNECTED).read_capacity(watch.control, PlatformScope())
    assert reading is not None
    known, unknown = reading.rows
    assert (known.memory_bytes, known.bandwidth_bytes_per_s, known.origin) == (2002 * 1024 * 1024, 14 * 10**9, "CN")
    assert (unknown.memory_bytes, unknown.bandwidth_bytes_per_s) == (2004 * 1024 * 1024, None)
    watch.fleet.sites[next(iter(watch.fleet.sites))].columns.inventory.memory_mib[0] = 0
    reading = await LiveSource(watch, CONNECTED).read_capacity(watch.control, PlatformScope())
    assert reading is not None
    assert reading.rows[0].memory_bytes is None


async def test_who_sees_it(watch: FleetWatch, world: World) -> None:
    hear(watch)
    assert (await draw(watch, CONNECTED, ProviderScope(world.left.provider.id)))[0] == 4
    assert (await draw(watch, CONNECTED, ProviderScope(world.right.provider.id)))[0] is None
    assert (await draw(watch, CONNECTED, OrganizationScope(world.left.organization.id)))[0] is None
