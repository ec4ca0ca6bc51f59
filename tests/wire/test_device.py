"""Devices on the wire: what a tool says is bounded, and closing one needs a reason."""

import pytest
from pydantic import ValidationError

from keisan.domain.device import UNKNOWN_CHIP, DeviceUse
from keisan.domain.limits import (
    DEVICE_FACT_CHARACTERS_MAX,
    DEVICE_FACT_NAME_CHARACTERS_MAX,
    DEVICE_FACTS_MAX,
    DEVICE_USE_REASON_CHARACTERS_MAX,
)
from keisan.wire.device import DeviceReport, DeviceUpdate


def build_report(facts: dict[str, str]) -> DeviceReport:
    return DeviceReport.model_validate(
        {
            "hardware_id": "card",
            "node_hardware_id": "node",
            "chip": UNKNOWN_CHIP,
            "name": "",
            "memory_bytes": 0,
            "verdict": "unknown",
            "facts": facts,
        }
    )


def test_facts_come_through_up_to_their_bounds() -> None:
    full = {f"fact {number}": "x" * DEVICE_FACT_CHARACTERS_MAX for number in range(DEVICE_FACTS_MAX)}
    assert build_report(full).facts == full


@pytest.mark.parametrize(
    "facts",
    [
        {str(number): "x" for number in range(DEVICE_FACTS_MAX + 1)},
        {"x" * (DEVICE_FACT_NAME_CHARACTERS_MAX + 1): "x"},
        {"name": "x" * (DEVICE_FACT_CHARACTERS_MAX + 1)},
        {"": "x"},
    ],
    ids=["too many", "long name", "long text", "no name"],
)
def test_facts_beyond_the_bounds_are_refused(facts: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        build_report(facts)


@pytest.mark.parametrize("use", [DeviceUse.CORDONED, DeviceUse.DRAINING])
@pytest.mark.parametrize("reason", ["", "  ", "x" * (DEVICE_USE_REASON_CHARACTERS_MAX + 1)])
def test_closing_needs_a_reason_within_its_length(use: DeviceUse, reason: str) -> None:
    with pytest.raises(ValidationError):
        DeviceUpdate(use=use, reason=reason)
    assert DeviceUpdate(use=use, reason="fan").reason == "fan"


def test_opening_needs_none() -> None:
    assert DeviceUpdate(use=DeviceUse.OPEN).reason == ""
