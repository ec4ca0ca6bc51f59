"""What stands for several sources: measured first, then the best grade's lower end, and all that is said as a range."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.evidence import Evidence, Grade
from keisan.domain.figure import THROUGHPUTS, Disclosure, Figure, FigureName, FigureValue, Precision, settle_figure

ORDER = "MABCD"


def build_value(grade: str, low: int | None, high: int | None = None) -> FigureValue:
    """Return what a source says: one number, a range, or "not disclosed"."""
    evidence = Evidence("a sheet", Grade(grade), date(2026, 11, 27))
    return FigureValue(low, low if high is None else high, evidence)


ENDS = st.tuples(st.integers(1, 9), st.integers(1, 9)).map(sorted)
VALUES = st.lists(
    st.one_of(
        st.builds(lambda grade, ends: build_value(grade, *ends), st.sampled_from(ORDER), ENDS),
        st.builds(build_value, st.sampled_from(ORDER), st.none()),
    ),
    max_size=6,
)


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ([], Figure(Disclosure.UNKNOWN)),
        ([("A", None)], Figure(Disclosure.NOT_DISCLOSED)),
        # Somebody says that it is secret, and somebody else knows it.
        ([("A", None), ("D", 5)], Figure(Disclosure.KNOWN, 5, Grade.HEARSAY, 5, 5)),
        ([("C", 400), ("C", 500), ("C", 550)], Figure(Disclosure.KNOWN, 400, Grade.PRESS, 400, 550)),
        ([("B", 752), ("C", 700, 800)], Figure(Disclosure.KNOWN, 752, Grade.TESTED, 700, 800)),
        ([("D", 345, 390)], Figure(Disclosure.KNOWN, 345, Grade.HEARSAY, 345, 390)),
        # What was measured replaces sheets, also where it is less.
        ([("A", 989), ("M", 700), ("M", 710)], Figure(Disclosure.KNOWN, 700, Grade.MEASURED, 700, 710)),
    ],
)
def test_rule_by_example(said: list[tuple[str, int | None]], stands: Figure) -> None:
    assert settle_figure([build_value(*line) for line in said]) == stands


@given(VALUES)
def test_nominal_is_of_the_best_grade_and_within_the_range(values: list[FigureValue]) -> None:
    found = settle_figure(values)
    numbered = [(value.evidence.grade, value.low, value.high) for value in values if value.low and value.high]
    if not numbered:
        assert found == Figure(Disclosure.NOT_DISCLOSED if values else Disclosure.UNKNOWN)
        return
    best = min(ORDER.index(grade) for grade, _, _ in numbered)
    assert found.grade is Grade(ORDER[best])
    assert found.nominal == min(low for grade, low, _ in numbered if grade is found.grade)
    shown = numbered if best else [line for line in numbered if line[0] is Grade.MEASURED]
    assert (found.low, found.high) == (min(line[1] for line in shown), max(line[2] for line in shown))
    assert found.is_disputed is any(line[1:] != shown[0][1:] or line[1] != line[2] for line in shown)


@given(VALUES, st.randoms(use_true_random=False))
def test_order_of_sources_does_not_matter(values: list[FigureValue], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]  # hypothesis' own Random
    assert settle_figure(shuffled) == settle_figure(values)


def test_each_precision_has_a_figure() -> None:
    assert set(THROUGHPUTS) == set(Precision)
    assert all(name.endswith(("_gflops", "_gops")) for name in THROUGHPUTS.values())
    assert set(THROUGHPUTS.values()) < set(FigureName)
