"""A chip beside another: ratios to one yardstick, ranges kept, and no ratio of what is not told."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.chip import Chip
from keisan.domain.comparison import COMPARED, WHOLE_PPM, ComparedFigure, Ratio, compare_chips
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.figure import Disclosure, FigureName, FigureValue
from tests.domain.samples import build_chip

SHEET = Evidence("a sheet", Grade.VENDOR, date(2026, 11, 27))
NUMBERS = st.integers(1, 10**12)


def build(**figures: tuple[int, ...]) -> Chip:
    """Return a chip with figures, each with its sources' numbers; none says "not disclosed"."""
    known = {
        FigureName(name): tuple(FigureValue(number, number, SHEET) for number in numbers)
        or (FigureValue(None, None, SHEET),)
        for name, numbers in figures.items()
    }
    return replace(build_chip("x"), figures=known)


def compare(chip: Chip, other: Chip) -> dict[FigureName, ComparedFigure]:
    return {line.name: line for line in compare_chips(chip, other)}


H20 = build(memory_bytes=(96,), fp16_gflops=(148_000,), power_w=(500, 400), int8_gops=())


def test_range_stays_a_range_against_one_yardstick() -> None:
    lines = compare(build(memory_bytes=(144,), fp16_gflops=(296_000, 444_000), power_w=(800, 1000)), H20)
    assert list(lines) == list(COMPARED)
    assert lines[FigureName.MEMORY_BYTES].ratio == Ratio(1_500_000, 1_500_000, 1_500_000)
    assert lines[FigureName.FP16_GFLOPS].ratio == Ratio(2_000_000, 2_000_000, 3_000_000)
    # The yardstick is 400 W, the lower of two that are as good.
    assert lines[FigureName.POWER_W].ratio == Ratio(2_000_000, 2_000_000, 2_500_000)
    assert lines[FigureName.POWER_W].ratio_per_watt is None
    # The least that may be: the lower throughput for the higher power.
    assert lines[FigureName.FP16_GFLOPS].ratio_per_watt == Ratio(1_000_000, 800_000, 1_500_000)


def test_what_one_of_the_two_does_not_tell_has_no_ratio() -> None:
    lines = compare(build(memory_bytes=(), fp16_gflops=(1,), int8_gops=(1,), power_w=()), H20)
    memory = lines[FigureName.MEMORY_BYTES]
    assert (memory.figure.disclosure, memory.ratio) == (Disclosure.NOT_DISCLOSED, None)
    assert lines[FigureName.FP16_GFLOPS].ratio is not None
    assert lines[FigureName.FP16_GFLOPS].ratio_per_watt is None
    # H20 does not tell this one.
    assert (lines[FigureName.INT8_GOPS].figure.nominal, lines[FigureName.INT8_GOPS].ratio) == (1, None)
    assert lines[FigureName.LINK_GB_PER_S].figure.disclosure is Disclosure.UNKNOWN


@given(own=st.tuples(NUMBERS, NUMBERS), theirs=st.tuples(NUMBERS, NUMBERS))
def test_ratios_are_exact_to_half_a_millionth(own: tuple[int, int], theirs: tuple[int, int]) -> None:
    chip, other = (build(fp16_gflops=ends[:1], power_w=ends[1:]) for ends in (own, theirs))
    line = compare(chip, other)[FigureName.FP16_GFLOPS]
    exact = Fraction(own[0], theirs[0]) * WHOLE_PPM
    assert line.ratio is not None
    assert line.ratio_per_watt is not None
    assert abs(line.ratio.nominal_ppm - exact) <= Fraction(1, 2)
    assert abs(line.ratio_per_watt.nominal_ppm - exact * Fraction(theirs[1], own[1])) <= Fraction(1, 2)


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.lists(NUMBERS, min_size=1, max_size=4))
def test_nominal_lies_within_and_a_chip_is_once_itself(numbers: list[int], watts: list[int]) -> None:
    chip = build(memory_gb_per_s=tuple(numbers), power_w=tuple(watts))
    line = compare(chip, chip)[FigureName.MEMORY_GB_PER_S]
    for ratio in (line.ratio, line.ratio_per_watt):
        assert ratio is not None
        assert ratio.nominal_ppm == WHOLE_PPM
        assert ratio.low_ppm <= ratio.nominal_ppm <= ratio.high_ppm
