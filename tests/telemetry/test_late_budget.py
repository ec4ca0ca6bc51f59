"""Late samples: never more than the rate over any stretch, plus what the bucket holds."""

from hypothesis import given
from hypothesis import strategies as st

from keisan.telemetry.late_budget import LateBudget


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 300)), max_size=60))
def test_the_rate_is_kept(asked: list[tuple[float, int]]) -> None:
    budget, now_s, taken = LateBudget(100, 300), 0.0, 0
    for wait_s, samples in asked:
        now_s += wait_s
        taken += samples if budget.take(samples, now_s) else 0
        assert taken <= 300 + 100 * now_s + 1e-6


def test_the_largest_frame_passes_in_the_end() -> None:
    budget = LateBudget(100, 300)
    assert budget.take(300, 10.0)
    assert not budget.take(300, 12.9)
    assert budget.take(300, 13.1)
    assert not budget.take(20, 13.1)
