"""What has been seen of a sequence: a set of whole numbers, whatever order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.limits import FRAME_GAPS_MAX
from keisan.telemetry.sequence_set import SequenceSet


@given(st.lists(st.integers(0, 60), max_size=60))
def test_it_is_a_set(numbers: list[int]) -> None:
    seen, expected = SequenceSet(), set[int]()
    assert seen.newest == -1
    for number in numbers:
        seen.add(number)
        expected.add(number)
        assert seen.newest == max(expected)
        assert [each in seen for each in range(62)] == [each in expected for each in range(62)]
    # Ranges never touch: they would be one.
    assert all(last + 1 < first for last, first in zip(seen.lasts, seen.firsts[1:], strict=False))


def test_the_oldest_gap_counts_as_seen_when_there_are_too_many() -> None:
    seen = SequenceSet()
    for number in range(0, 2 * FRAME_GAPS_MAX + 4, 2):
        seen.add(number)
    assert len(seen.firsts) == FRAME_GAPS_MAX
    assert 1 in seen
    assert 2 * FRAME_GAPS_MAX + 1 not in seen
    assert seen.newest == 2 * FRAME_GAPS_MAX + 2
