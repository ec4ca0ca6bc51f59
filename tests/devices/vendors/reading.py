"""Readings to compare: without what is not known, and without the last digits of fractions."""

from dataclasses import replace

from keisan.devices.tool import DeviceReading


def round_reading(reading: DeviceReading) -> DeviceReading:
    """Return a reading as a test writes it down."""
    values = {name: round(value, 3) for name, value in reading.values.items() if value is not None}
    return replace(reading, values=values)
