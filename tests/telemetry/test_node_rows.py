"""Rows of nodes within a site's frame: every value is its own device's, and none looks younger than it is."""

from random import Random

import numpy as np
import pytest

from keisan.domain.limits import FRAME_DEVICES_MIN
from keisan.domain.sample import FIELD_INDEX, MISSING, SAMPLE_FIELDS, SampleName
from keisan.telemetry.node_rows import NodeRows, begin_values, choose_numbers, fill_rows, find_empty, list_places
from keisan.wire.frame import Values

AGE, CLOCK, POWER = (
    FIELD_INDEX[name] for name in (SampleName.AGE_MS, SampleName.CLOCK_MHZ, SampleName.POWER_MILLIWATTS)
)


def build_rows(node: str, told: dict[str, dict[int, int]], sampled_ms: int = 0) -> NodeRows:
    """Return rows with these values by field."""
    values = begin_values(len(told))
    for place, fields in enumerate(told.values()):
        for field, value in fields.items():
            values[field, place] = value
    return NodeRows(node, tuple(told), values, sampled_ms)


def read(values: Values, number: int) -> dict[int, int]:
    return {field: int(value) for field, value in enumerate(values[:, number]) if value != MISSING}


def test_a_row_has_the_age_that_it_has_by_then() -> None:
    values = begin_values(2)
    places = list_places([("n", "a"), ("n", "b")])
    fill_rows(values, places, build_rows("n", {"b": {CLOCK: 7}, "a": {CLOCK: 5, AGE: 200}}, 1000), 4000)
    assert read(values, 0) == {CLOCK: 5, AGE: 3200}
    assert read(values, 1) == {CLOCK: 7, AGE: 3000}


@pytest.mark.parametrize(("at_ms", "age"), [(10**9, SAMPLE_FIELDS[AGE].most), (-5000, 0)])
def test_ages_stay_within_what_can_be_told(at_ms: int, age: int) -> None:
    values = begin_values(1)
    fill_rows(values, list_places([("n", "a")]), build_rows("n", {"a": {CLOCK: 5}}), at_ms)
    assert read(values, 0) == {CLOCK: 5, AGE: age}


def test_what_is_not_told_again_stays_and_makes_the_row_as_old_as_it_is() -> None:
    values, places = begin_values(1), list_places([("n", "a")])
    fill_rows(values, places, build_rows("n", {"a": {CLOCK: 5, POWER: 1}}, 1000), 4000)
    fill_rows(values, places, build_rows("n", {"a": {CLOCK: 6}}, 3000), 4000)
    assert read(values, 0) == {CLOCK: 6, POWER: 1, AGE: 3000}
    fill_rows(values, places, build_rows("n", {"a": {}}, 4000), 4000)
    assert read(values, 0) == {CLOCK: 6, POWER: 1, AGE: 3000}


def test_rows_of_devices_that_are_not_the_node_s_are_left_out() -> None:
    values, places = begin_values(2), list_places([("n", "a"), ("m", "b")])
    fill_rows(values, places, build_rows("n", {"a": {}, "b": {CLOCK: 1}, "c": {CLOCK: 2}}), 0)
    assert find_empty(values).all()


@pytest.mark.parametrize("seed", range(20))
def test_no_value_ever_crosses_to_another_device(seed: int) -> None:
    """Each device's clock is a number that only it has; nodes number, order and leave out their devices as they like."""
    random = Random(seed)
    owner = {f"d{number}": f"n{random.randrange(5)}" for number in range(60)}
    devices = sorted(owner, key=lambda _: random.random())
    places = list_places((owner[device], device) for device in devices)
    values = begin_values(len(devices))
    sampled: dict[str, int] = {}
    at_ms = 100_000
    for _ in range(12):
        node = f"n{random.randrange(5)}"
        told = random.sample(sorted(owner), 30)
        sampled_ms = random.randrange(at_ms)
        rows = build_rows(node, {device: {CLOCK: int(device[1:])} for device in told}, sampled_ms)
        fill_rows(values, places, rows, at_ms)
        sampled |= {device: min(sampled_ms, sampled.get(device, at_ms)) for device in told if owner[device] == node}
    for number, device in enumerate(devices):
        expected = {CLOCK: int(device[1:]), AGE: at_ms - sampled[device]} if device in sampled else {}
        assert read(values, number) == expected


@pytest.mark.parametrize(
    ("count", "told", "expected"),
    [(10, [3], 10), (400, [3, 399], FRAME_DEVICES_MIN), (400, range(100, 400), 300), (400, range(400), 400)],
)
def test_a_frame_has_the_rows_that_tell_something_and_is_not_too_small(
    count: int, told: list[int], expected: int
) -> None:
    values = begin_values(count)
    values[CLOCK, list(told)] = 1
    numbers = choose_numbers(values)
    assert len(numbers) == expected
    assert set(told) <= set(numbers.tolist())
    assert (np.diff(numbers.astype(np.int64)) > 0).all()
