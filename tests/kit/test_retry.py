"""Waits between tries: bounded on both sides, growing, drawn from the given source only."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from keisan.kit.retry import Backoff

BACKOFFS = st.builds(
    Backoff,
    first_s=st.floats(min_value=0.001, max_value=10),
    factor=st.floats(min_value=1, max_value=10),
    most_s=st.floats(min_value=0.001, max_value=3600),
)


class _Lowest(Random):
    def random(self) -> float:
        return 0.0


@given(backoff=BACKOFFS, attempt=st.integers(min_value=-5, max_value=10**9), seed=st.integers())
def test_wait_lies_in_the_upper_half_of_its_span(backoff: Backoff, attempt: int, seed: int) -> None:
    low_s = backoff.compute_wait_s(attempt, _Lowest())
    wait_s = backoff.compute_wait_s(attempt, Random(seed))
    assert 0 < low_s <= wait_s <= 2 * low_s
    assert wait_s <= backoff.most_s


@given(backoff=BACKOFFS, attempt=st.integers(min_value=1, max_value=200))
def test_span_never_shrinks_from_try_to_try(backoff: Backoff, attempt: int) -> None:
    assert backoff.compute_wait_s(attempt + 1, _Lowest()) >= backoff.compute_wait_s(attempt, _Lowest())


def test_spans_double_up_to_the_most() -> None:
    backoff = Backoff(first_s=1, factor=2, most_s=5)
    assert [backoff.compute_wait_s(attempt, _Lowest()) * 2 for attempt in (0, 1, 2, 3, 4, 5)] == [1, 1, 2, 4, 5, 5]


def test_same_seed_gives_the_same_waits() -> None:
    backoff = Backoff()
    assert backoff.compute_wait_s(3, Random(7)) == backoff.compute_wait_s(3, Random(7))
    assert backoff.compute_wait_s(3, Random(7)) != backoff.compute_wait_s(3, Random(8))
