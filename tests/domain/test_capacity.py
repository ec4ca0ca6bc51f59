"""Capacity: sums equal an exact recomputation, and what nobody told is never nought."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.capacity import (
    CapacityFigure,
    CapacityKey,
    CapacityRow,
    Total,
    forget_figures,
    state_share_ppm,
    sum_capacity,
    take_share,
)
from keisan.domain.figure import Precision

COUNTS = st.none() | st.integers(min_value=0, max_value=2**62)
WORDS = st.none() | st.sampled_from(["a", "b", "c"])
ROWS = st.lists(
    st.builds(
        CapacityRow,
        region=st.sampled_from(["CN-SX", "CN-SH", "JP-13"]),
        provider=WORDS,
        vendor=WORDS,
        chip=WORDS,
        origin=WORDS,
        device_count=COUNTS,
        standard_racks=COUNTS,
        memory_bytes=COUNTS,
        bandwidth_bytes_per_s=COUNTS,
        gflops=st.dictionaries(st.sampled_from(Precision), st.integers(min_value=0, max_value=2**62)),
    ),
    max_size=12,
)


@given(rows=ROWS, key=st.sampled_from(CapacityKey))
def test_sums_equal_a_recomputation_figure_by_figure(rows: list[CapacityRow], key: CapacityKey) -> None:
    sums = sum_capacity(rows, key)
    assert Counter({line.value: line.row_count for line in sums}) == Counter(getattr(row, key) for row in rows)
    assert [line.value for line in sums] == sorted((line.value for line in sums), key=lambda value: value or "~")
    for line in sums:
        own = [row for row in rows if getattr(row, key) == line.value]
        for name in CapacityFigure:
            told = [getattr(row, name) for row in own if getattr(row, name) is not None]
            assert line.figures[name] == Total(sum(told) if told else None, len(own) - len(told))
        for precision in Precision:
            told = [row.gflops[precision] for row in own if precision in row.gflops]
            assert (precision in line.gflops) is bool(told)
            assert not told or line.gflops[precision] == Total(sum(told), len(own) - len(told))


def test_nobody_told_is_unknown_and_told_nought_is_nought() -> None:
    (line,) = sum_capacity([CapacityRow("CN-SX", memory_bytes=0), CapacityRow("CN-SX")], None)
    assert line.figures[CapacityFigure.DEVICE_COUNT] == Total(None, 2)
    assert line.figures[CapacityFigure.MEMORY_BYTES] == Total(0, 1)
    assert (line.value, line.row_count, line.gflops) == (None, 2, {})
    assert sum_capacity([], None) == ()


def test_share_is_of_all_that_is_known_to_be() -> None:
    assert state_share_ppm(20, 120, 480) == 33_333
    assert state_share_ppm(20, 10, 80) == 200_000
    assert state_share_ppm(20, None, 80) == 200_000
    assert state_share_ppm(0, 0, 80) == 0


def test_share_of_something_unknown_is_unknown() -> None:
    assert state_share_ppm(None, 120, 480) is None
    assert state_share_ppm(20, 120, None) is None
    assert state_share_ppm(0, 0, 0) is None


@given(connected=COUNTS, registered=COUNTS, surveyed=COUNTS)
def test_share_is_at_most_all(connected: int | None, registered: int | None, surveyed: int | None) -> None:
    share_ppm = state_share_ppm(connected, registered, surveyed)
    assert share_ppm is None or 0 <= share_ppm <= 1_000_000


ROW = CapacityRow("CN-SX", chip="a", device_count=7, memory_bytes=70, gflops={Precision.FP16: 71})


def test_a_share_of_a_row_is_rounded_down_and_what_is_unknown_stays_so() -> None:
    assert take_share(ROW, 7, 7) is ROW
    part = take_share(ROW, 3, 7)
    assert (part.device_count, part.memory_bytes, part.standard_racks, part.gflops) == (
        3,
        30,
        None,
        {Precision.FP16: 30},
    )
    assert (part.region, part.chip) == ("CN-SX", "a")


def test_a_row_whose_teller_is_silent_is_there_without_figures() -> None:
    left = forget_figures(ROW)
    assert left == CapacityRow("CN-SX", chip="a")
