"""Who a device is: by its UUID, else its serial number, else by the slot that it sits in. Never by its place in a list."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from keisan.devices.tool import DeviceReading

_HARDWARE_ID_CHARACTERS_MAX: Final = 128
# A UUID as RFC 9562 writes it, which no two makers give twice; what is shorter is unique to its maker at best.
_UUID: Final = re.compile(r"(?:[A-Z]+-)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def identify_readings(
    readings: Iterable[DeviceReading], node_id: str, places: Mapping[str, str]
) -> tuple[tuple[str, DeviceReading], ...]:
    """Return each device's hardware id with what was read of it.

    `places` tells who was last known at a place: a text that leaves identities out means the same devices. Dies that share
    their board's number are told apart by their places. What has neither identity nor place is left out, as anybody could
    be meant.
    """
    listed = tuple(readings)
    told = [_name_device(reading) for reading in listed]
    counts = Counter(identity for identity in told if identity)
    found: dict[str, DeviceReading] = {}
    for identity, reading in zip(told, listed, strict=True):
        hardware_id = identity
        if counts[identity] > 1:
            hardware_id = f"{identity}-{reading.place}" if reading.place else ""
        elif not identity and reading.place:
            hardware_id = places.get(reading.place) or f"{reading.vendor}-{node_id}-{reading.place}"
        if hardware_id:
            found.setdefault(hardware_id[:_HARDWARE_ID_CHARACTERS_MAX], reading)
    return tuple(found.items())


def _name_device(reading: DeviceReading) -> str:
    if _UUID.fullmatch(reading.uuid):
        return reading.uuid
    own = reading.uuid or reading.serial
    return f"{reading.vendor}-{own}" if own else ""
