"""A simulated nation: as many devices as asked for, spread evenly, the same each time, in frames that a platform takes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keisan.daemon.simulate import KINDS
from keisan.daemon.simulated_fleet import DEAR_EVERY, REGIONS, FleetPlan, SimulatedSite, plan_sites
from keisan.devices.simulated_sampler import FaultRates
from keisan.domain.inventory import InventoryMark, digest_devices
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.telemetry.rule_frame import drop_wrong_values, find_other_devices, find_refusal
from keisan.wire.frame import decode_frame
from keisan.wire.inventory import decode_inventory, encode_inventory

NOW_MS = 1_800_000_000_000


def build_plan(regions: int = 2, devices: int = 1000, sites: int = 2, seed: int = 1) -> FleetPlan:
    return FleetPlan(regions, devices, sites, 10_000, seed, FaultRates())


def test_there_are_thirty_one_different_regions() -> None:
    assert len(set(REGIONS)) == len(REGIONS) == 31


@given(st.integers(1, 31), st.integers(31, 5000), st.integers(1, 9))
def test_devices_are_spread_evenly(regions: int, devices: int, sites: int) -> None:
    plan = build_plan(regions, devices, sites)
    planned = plan_sites(plan, KINDS)
    assert sum(site.device_count for site in planned) == devices
    assert [site.number for site in planned] == list(range(len(planned)))
    by_region = [sum(site.device_count for site in planned if site.region == region) for region in REGIONS[:regions]]
    assert max(by_region) - min(by_region) <= 1


def test_a_plan_gives_the_same_inventory_and_another_plan_another() -> None:
    first, again, other = (
        SimulatedSite(plan, plan_sites(plan, KINDS)[0]) for plan in (build_plan(), build_plan(), build_plan(seed=2))
    )
    assert encode_inventory(first.inventory) == encode_inventory(again.inventory)
    assert first.inventory.head.incarnation != other.inventory.head.incarnation


def test_a_platform_takes_its_frames() -> None:
    plan = build_plan()
    site = SimulatedSite(plan, plan_sites(plan, KINDS)[1])
    inventory = decode_inventory(encode_inventory(site.inventory))
    mark = InventoryMark(inventory.head.incarnation, inventory.head.version, inventory.device_count)
    names = inventory.hardware_ids.to_pylist()

    def digest(count: int) -> str:
        return digest_devices(names[:count])

    dear = []
    for reading in range(2 * DEAR_EVERY):
        numbers, values = site.read()
        head, numbers, values = decode_frame(site.write_frame(numbers, values, NOW_MS + reading * 10_000))
        assert find_refusal(head, numbers, mark, inventory.device_count, NOW_MS + reading * 10_000) is None
        assert find_other_devices(head, numbers, mark, digest) is None
        assert drop_wrong_values(numbers, values, inventory) == 0
        assert head.sequence == NOW_MS // 10_000 + reading
        dear.append(bool((values[FIELD_INDEX[SampleName.ECC_CORRECTED_COUNT]] != MISSING).all()))
    assert dear.count(True) == 2


def test_a_generator_that_is_behind_or_whose_clock_steps_back_gives_no_number_twice() -> None:
    plan = build_plan()
    site = SimulatedSite(plan, plan_sites(plan, KINDS)[0])
    stamps_ms = [NOW_MS, NOW_MS, NOW_MS + 1, NOW_MS - 60_000, NOW_MS + 10_000, NOW_MS + 90_000]
    found = [decode_frame(site.write_frame(*site.read(), stamp_ms))[0].sequence for stamp_ms in stamps_ms]
    assert [sequence - found[0] for sequence in found] == [0, 1, 2, 3, 4, 9]


def test_supernodes_and_nodes_hold_what_they_should() -> None:
    plan = build_plan(regions=1, devices=1000, sites=1)
    for kind in KINDS:
        [planned] = plan_sites(plan, (kind,))
        inventory = SimulatedSite(plan, planned).inventory
        assert np.bincount(inventory.node).max() == 8
        assert np.bincount(inventory.supernode).max() == min(kind.supernode_devices, 1000)
