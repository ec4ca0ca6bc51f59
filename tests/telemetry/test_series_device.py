"""Series of devices: values where they are known and the device reports, and nothing that moves once captured."""

import numpy as np

from keisan.domain.sample import SampleName
from keisan.telemetry.device_note import DeviceNotes
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.series_device import (
    DEVICE_SERIES,
    DeviceView,
    capture_devices,
    describe_devices,
    list_device_columns,
)
from tests.telemetry.fleet import NOMINAL_GFLOPS, NOON, build_head, build_inventory, build_values, later, number_site

# What a sample says beside what is told as series of its own: how old it is, and what becomes the verdict.
TOLD_OTHERWISE = {SampleName.AGE_MS, SampleName.HEALTH, SampleName.THROTTLE_FLAGS}


def capture(**columns: object) -> tuple[LiveFleet, DeviceView]:
    fleet = LiveFleet(NOMINAL_GFLOPS)
    place = number_site(1)
    fleet.take_inventory(place, build_inventory([0, 0, 1, 1], retired=[False, True, False, False]))
    site = fleet.sites[place.site_id]
    site.take(build_head(0), np.arange(4, dtype=np.uint32), build_values(4, **columns), NOON)
    fleet.roll_up(NOON)
    return fleet, capture_devices(site, NOON, 0, 10)


def read_values(view: DeviceView) -> dict[tuple[int, str, str], float]:
    return {
        (owner, column.family.name, "".join(column.extra.values())): value
        for column in list_device_columns(view)
        for owner, value in zip(column.owners, column.values, strict=True)
    }


def test_every_field_of_a_sample_is_told() -> None:
    assert {series.name for series in DEVICE_SERIES} == set(SampleName) - TOLD_OTHERWISE


def test_values_are_in_base_units() -> None:
    _, view = capture(
        power_milliwatts=1500,
        energy_kilojoules=3,
        clock_mhz=1400,
        fan_permille=5,
        host_receive_kib_per_s=2,
        temperature_millicelsius=-500,
    )
    found = read_values(view)
    assert found[0, "hw.power", ""] == 1.5
    assert found[0, "hw.energy", ""] == 3000
    assert found[0, "keisan.clock", "core"] == 1_400_000_000
    assert found[0, "hw.fan.speed_ratio", ""] == 0.005
    assert found[0, "keisan.io", "hostreceive"] == 2048
    assert found[0, "hw.temperature", "die"] == -0.5
    assert (0, "hw.temperature", "memory") not in found


def test_retired_devices_are_not_there() -> None:
    _, view = capture()
    described = describe_devices(view, {"site": "site-1"}, {"known-chip": "cpu"}, {"known-chip": "A Maker"})
    assert [each["hw.id"] for each in described] == ["device-0", "device-2", "device-3"]
    assert [each["hw.type"] for each in described] == ["cpu", "cpu", "gpu"]
    assert [each.get("hw.vendor") for each in described] == ["A Maker", "A Maker", None]
    assert described[2]["hw.parent"] == "node-1"
    assert view.left_out == 0


def test_what_people_retired_is_not_there_either() -> None:
    fleet, _ = capture()
    site = fleet.sites[number_site(1).site_id]
    site.note_devices(DeviceNotes(retired=frozenset({"device-2"})))
    fleet.roll_up(NOON)
    assert capture_devices(site, NOON, 0, 10).numbers.tolist() == [0, 3]


def test_silent_device_keeps_no_values() -> None:
    fleet, _ = capture(power_milliwatts=1500)
    site = fleet.sites[number_site(1).site_id]
    long_after = later(NOON, 60_000)
    fleet.roll_up(long_after)
    names = {name for _, name, _ in read_values(capture_devices(site, long_after, 0, 10))}
    assert names == {"keisan.verdict", "keisan.proven.timestamp", "keisan.cordoned", "hw.gpu.memory.limit"}


def test_what_was_captured_stays_as_it_was() -> None:
    fleet, view = capture(power_milliwatts=1500)
    before = read_values(view)
    site = fleet.sites[number_site(1).site_id]
    after = later(NOON, 1000)
    values = build_values(4, power_milliwatts=9000, health=2)
    site.take(build_head(1, after.wall_ms), np.arange(4, dtype=np.uint32), values, after)
    fleet.roll_up(after)
    assert read_values(view) == before
    assert read_values(capture_devices(site, after, 0, 10)) != before
