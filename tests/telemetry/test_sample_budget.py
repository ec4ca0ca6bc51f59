"""A rate that a frame of any size fits into."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.limits import FRAME_DEVICES_MIN
from keisan.telemetry.sample_budget import SampleBudget, SampleRate

RATE = SampleRate(samples_per_s=1000, room_samples=3000)
LARGEST = 20_000


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, LARGEST)), max_size=60))
def test_no_more_is_taken_than_rate_room_and_one_frame(asked: list[tuple[float, int]]) -> None:
    budget, now_s, taken = SampleBudget(), 0.0, 0
    for wait_s, samples in asked:
        now_s += wait_s
        if not budget.find_wait_s(RATE, now_s):
            budget.charge(samples)
            taken += max(samples, FRAME_DEVICES_MIN)
        assert taken <= 3000 + 1000 * now_s + LARGEST + 1e-6


@given(st.integers(1, LARGEST))
def test_the_wait_that_is_told_is_enough_and_not_much_more(samples: int) -> None:
    budget = SampleBudget()
    assert budget.find_wait_s(RATE, 5.0) == 0
    budget.charge(3000)
    budget.charge(samples)
    wait_s = budget.find_wait_s(RATE, 5.0)
    assert wait_s == pytest.approx(max(samples, FRAME_DEVICES_MIN) / 1000, abs=0.01)
    assert budget.find_wait_s(RATE, 5.0 + wait_s / 2) > 0
    assert budget.find_wait_s(RATE, 5.0 + wait_s) == 0
