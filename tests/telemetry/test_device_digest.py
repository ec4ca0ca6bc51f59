"""Digests of devices: equal for the same devices by the same numbers only, and computed once for each count."""

from keisan.domain.inventory import digest_devices
from keisan.telemetry.device_digest import COUNTS_MAX, DeviceDigests
from tests.telemetry.fleet import build_inventory


def test_it_is_of_the_first_so_many_devices() -> None:
    digests, inventory = DeviceDigests(), build_inventory([0] * 40)
    names = [f"device-{number}" for number in range(40)]
    for count in (*range(41), 40, 7):
        assert digests.find(inventory, count) == digest_devices(names[:count])


def test_it_is_computed_once_and_again_for_another_inventory() -> None:
    digests, inventory = DeviceDigests(), build_inventory([0] * 40)
    assert digests.find(inventory, 40) is digests.find(inventory, 40)
    for count in range(COUNTS_MAX * 2):
        digests.find(inventory, count)
        assert len(digests._known) <= COUNTS_MAX  # a site may name any count: what it costs is bounded
    other = build_inventory([0] * 3)
    assert digests.find(other, 40) == digest_devices(["device-0", "device-1", "device-2"])
