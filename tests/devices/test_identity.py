"""Who a device is does not hang on the order of a list."""

from itertools import permutations

import pytest

from keisan.devices.identity import identify_readings
from keisan.devices.tool import DeviceReading

UUID = "GPU-513536b6-7d19-9063-b049-1e69664bb298"
READINGS = (
    DeviceReading("a", uuid=UUID, serial="S0", number="0", place="0000:01:00.0"),
    DeviceReading("a", uuid="TPUH74190604", number="1", place="0000:02:00.0"),
    DeviceReading("a", serial="S2", number="2", place="0000:03:00.0"),
    DeviceReading("a", number="3", place="0000:04:00.0"),
    DeviceReading("a", serial="board", number="4", place="0000:05:00.0"),
    DeviceReading("a", serial="board", number="5", place="0000:06:00.0"),
)
KNOWN = {
    UUID: "0000:01:00.0",
    "a-TPUH74190604": "0000:02:00.0",
    "a-S2": "0000:03:00.0",
    "a-n1-0000:04:00.0": "0000:04:00.0",
    "a-board-0000:05:00.0": "0000:05:00.0",
    "a-board-0000:06:00.0": "0000:06:00.0",
}


@pytest.mark.parametrize("order", list(permutations(READINGS))[::71])
def test_identities_are_the_same_in_any_order(order: tuple[DeviceReading, ...]) -> None:
    found = {hardware_id: reading.place for hardware_id, reading in identify_readings(order, "n1", {})}
    assert found == KNOWN


def test_numbers_that_move_change_nothing() -> None:
    first = [DeviceReading("a", uuid="u0", number="0"), DeviceReading("a", uuid="u1", number="1")]
    later = [DeviceReading("a", uuid="u1", number="0"), DeviceReading("a", uuid="u0", number="1")]
    assert {name for name, _ in identify_readings(first, "n", {})} == {
        name for name, _ in identify_readings(later, "n", {})
    }


def test_who_was_known_at_a_place_is_still_there() -> None:
    ((hardware_id, _),) = identify_readings([DeviceReading("a", place="p")], "n", {"p": UUID})
    assert hardware_id == UUID


def test_who_could_be_anybody_is_left_out() -> None:
    assert identify_readings([DeviceReading("a", number="0")], "n", {}) == ()
    twins = [DeviceReading("a", serial="S", number="0"), DeviceReading("a", serial="S", number="1")]
    assert identify_readings(twins, "n", {}) == ()


def test_identities_fit_into_a_report() -> None:
    ((hardware_id, _),) = identify_readings([DeviceReading("a", serial="S" * 500)], "n", {})
    assert len(hardware_id) == 128
