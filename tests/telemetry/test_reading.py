"""Reading the live fleet: by level, by place, by who asks; and single devices."""

import numpy as np
import pytest

from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.roll_up import CountName, Level
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import from_milliseconds
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.reading import DeviceFilter, RollUpQuery, get_site, read_devices, read_rollups
from tests.telemetry.fleet import NOON, build_head, build_inventory, build_values, number_site

PLACES = (number_site(1, "CN-SX", 1), number_site(2, "CN-SH", 2), number_site(3, "CN-SX", 2))


@pytest.fixture
def fleet() -> LiveFleet:
    fleet = LiveFleet({"known-chip": 10})
    for place in PLACES:
        fleet.take_inventory(place, build_inventory([0, 0, 1], [0, -1], retired=[False, False, place == PLACES[2]]))
    site = fleet.sites[PLACES[0].site_id]
    site.take(build_head(1), np.arange(3, dtype=np.uint32), build_values(3, clock_mhz=5), NOON)
    fleet.roll_up(NOON)
    return fleet


def test_levels_and_filters(fleet: LiveFleet) -> None:
    regions = read_rollups(fleet, RollUpQuery(Level.REGION))
    assert [(group.name, group.counts[CountName.DEVICES]) for group in regions] == [("CN-SX", 5), ("CN-SH", 3)]
    assert [group.verdict for group in regions] == [Verdict.OK, Verdict.UNKNOWN]
    assert regions[0].sampled_at == from_milliseconds(NOON.wall_ms)
    assert regions[1].sampled_at is None
    assert regions[1].proven_at is None
    assert [site.name for site in read_rollups(fleet, RollUpQuery(Level.SITE, region="CN-SX"))] == ["site-1", "site-3"]
    own = read_rollups(fleet, RollUpQuery(Level.REGION, provider_id=PLACES[1].provider_id))
    assert [(group.name, group.counts[CountName.DEVICES]) for group in own] == [("CN-SH", 3), ("CN-SX", 2)]
    [whole] = read_rollups(fleet, RollUpQuery(Level.PLATFORM))
    assert whole.counts[CountName.DEVICES] == 8
    assert (whole.name, whole.region, whole.site_id, whole.provider_id) == ("", "", None, None)


def test_levels_inside_a_site_need_it(fleet: LiveFleet) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rollups(fleet, RollUpQuery(Level.NODE))
    assert caught.value.field == "site_id"
    nodes = read_rollups(fleet, RollUpQuery(Level.NODE, site_id=PLACES[0].site_id))
    assert [(node.name, node.counts[CountName.DEVICES]) for node in nodes] == [("node-0", 2), ("node-1", 1)]
    [supernode] = read_rollups(fleet, RollUpQuery(Level.SUPERNODE, site_id=PLACES[0].site_id))
    assert (supernode.name, supernode.counts[CountName.DEVICES]) == ("supernode-0", 2)
    with pytest.raises(NotFound):
        read_rollups(fleet, RollUpQuery(Level.NODE, site_id=PLACES[0].site_id, provider_id=PLACES[1].provider_id))


def test_devices_page_by_page(fleet: LiveFleet) -> None:
    site = get_site(fleet, PLACES[0].site_id, None)
    first, next_start = read_devices(site, DeviceFilter(0, 2), NOON)
    rest, end = read_devices(site, DeviceFilter(next_start or 0, 2), NOON)
    assert [device.hardware_id for device in (*first, *rest)] == ["device-0", "device-1", "device-2"]
    assert end is None
    assert first[0].values == {SampleName.HEALTH: 0, SampleName.CLOCK_MHZ: 5}
    assert (first[0].node, first[0].supernode, rest[0].supernode) == ("node-0", "supernode-0", "")
    assert first[0].proven_at == from_milliseconds(NOON.wall_ms)


def test_devices_by_node_and_verdict(fleet: LiveFleet) -> None:
    site = get_site(fleet, PLACES[0].site_id, None)
    on_node, _ = read_devices(site, DeviceFilter(0, 9, node="node-1"), NOON)
    nowhere, _ = read_devices(site, DeviceFilter(0, 9, node="node-9"), NOON)
    unknown, _ = read_devices(site, DeviceFilter(0, 9, verdict=Verdict.UNKNOWN), NOON)
    assert ([device.number for device in on_node], nowhere, unknown) == ([2], [], [])
    silent = get_site(fleet, PLACES[2].site_id, None)
    found, _ = read_devices(silent, DeviceFilter(0, 9, verdict=Verdict.UNKNOWN), NOON)
    assert [(device.number, device.verdict, device.proven_at) for device in found] == [
        (0, Verdict.UNKNOWN, None),
        (1, Verdict.UNKNOWN, None),
    ]
