"""Readings: places in one form, verdicts at their worst, and texts of one device put together."""

from itertools import permutations

import pytest

from keisan.devices.tool import DeviceReading, choose_worse, keep_facts, merge_readings, normalize_place
from keisan.domain.sample import SampleName
from keisan.domain.verdict import Verdict


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("00000000:3B:00.0", "0000:3b:00.0"),
        ("0000:3b:00.0", "0000:3b:00.0"),
        ("3b:00.0", "0000:3b:00.0"),
        ("0000:06:00.0 --> SN: TRCW390010030401", "0000:06:00.0"),
        ("XPU 00000001:01:00.0", "0001:01:00.0"),
        ("nothing", ""),
        (None, ""),
    ],
)
def test_places_have_one_form(text: object, place: str) -> None:
    assert normalize_place(text) == place


def test_the_worse_verdict_counts_and_silence_does_not() -> None:
    assert choose_worse(None, None) is None
    assert choose_worse(None, Verdict.OK) is Verdict.OK
    assert choose_worse(Verdict.OK, Verdict.UNKNOWN) is Verdict.UNKNOWN
    assert choose_worse(Verdict.FAILED, Verdict.UNKNOWN) is Verdict.FAILED


TEXTS = (
    DeviceReading("a", number="0", uuid="U0", verdict=Verdict.OK, facts={"x": "1"}),
    DeviceReading("a", number="0", place="p0", name="N", memory_mib=4.0),
    DeviceReading("a", place="p0", verdict=Verdict.FAILED, values={SampleName.CLOCK_MHZ: 7.0, SampleName.AGE_MS: None}),
    DeviceReading("a", number="1", uuid="U1"),
)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_texts_of_one_device_become_one_reading(order: tuple[int, ...]) -> None:
    # The text with the number and the place is what links two others, wherever it comes.
    merged = merge_readings(TEXTS[position] for position in order)
    (whole,) = (reading for reading in merged if reading.uuid == "U0")
    assert (whole.name, whole.place, whole.memory_mib, whole.verdict) == ("N", "p0", 4.0, Verdict.FAILED)
    assert whole.values[SampleName.CLOCK_MHZ] == 7.0
    assert whole.facts == {"x": "1"}
    assert len(merged) == 2


def test_what_a_later_text_leaves_out_stays() -> None:
    before = DeviceReading("a", uuid="U", values={SampleName.CLOCK_MHZ: 7.0})
    (merged,) = merge_readings([before, DeviceReading("a", uuid="U", values={SampleName.CLOCK_MHZ: None})])
    assert merged.values[SampleName.CLOCK_MHZ] == 7.0


def test_facts_that_say_nothing_are_left_out() -> None:
    assert keep_facts({"a": " 1 ", "b": "N/A", "c": None, "d": 2}) == {"a": "1", "d": "2"}
