"""Validity: half open, the newest version that covers an instant wins, and what has passed never changes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.validity import check_end, choose_newest, is_in_force, settle_start
from tests.domain.samples import NOW

STEP = timedelta(microseconds=1)
OFFSETS_S = st.integers(min_value=-5, max_value=5)


@dataclass(frozen=True)
class Version:
    effective_from: datetime
    effective_until: datetime | None
    version: int


def move(offset_s: int) -> datetime:
    return NOW + timedelta(seconds=offset_s)


@st.composite
def build_versions(draw: st.DrawFn) -> list[Version]:
    """Versions as they are made: their numbers rise, their instants are where they like."""
    spans = draw(st.lists(st.tuples(OFFSETS_S, st.none() | st.integers(min_value=1, max_value=5)), max_size=6))
    made = [
        Version(move(start), None if length is None else move(start + length), number)
        for number, (start, length) in enumerate(spans, 1)
    ]
    return draw(st.permutations(made))


def test_first_instant_belongs_to_a_version_and_its_last_does_not() -> None:
    version = Version(NOW, NOW + 2 * STEP, 1)
    asked = [NOW - STEP, NOW, NOW + STEP, NOW + 2 * STEP]
    assert [is_in_force(version, at) for at in asked] == [False, True, True, False]
    assert is_in_force(Version(NOW, None, 1), NOW + timedelta(days=36_500))


@given(versions=build_versions(), offset_s=OFFSETS_S)
def test_newest_of_those_that_cover_the_instant_is_chosen(versions: list[Version], offset_s: int) -> None:
    at = move(offset_s)
    chosen = choose_newest(versions, at)
    covering = [
        each
        for each in versions
        if each.effective_from <= at and not (each.effective_until and each.effective_until <= at)
    ]
    assert chosen is None if not covering else chosen in covering
    assert all(chosen is not None and each.version <= chosen.version for each in covering)


@given(versions=build_versions(), start_s=OFFSETS_S, length_s=st.none() | st.integers(1, 5), offset_s=OFFSETS_S)
def test_version_that_is_made_later_changes_no_instant_before_it(
    versions: list[Version], start_s: int, length_s: int | None, offset_s: int
) -> None:
    """What makes a split repeatable: no version holds before it is made."""
    start = settle_start(move(max(start_s, 0)), NOW)
    later = Version(start, None if length_s is None else start + timedelta(seconds=length_s), 99)
    at = move(offset_s)
    if at < NOW:
        assert choose_newest([*versions, later], at) == choose_newest(versions, at)


def test_start_is_now_or_later() -> None:
    assert settle_start(None, NOW) == settle_start(NOW, NOW) == NOW
    assert settle_start(NOW + STEP, NOW) == NOW + STEP
    with pytest.raises(InvalidInput) as refusal:
        settle_start(NOW - STEP, NOW)
    assert refusal.value.field == "effective_from"


def test_end_lies_after_the_start() -> None:
    check_end(NOW, None)
    check_end(NOW, NOW + STEP)
    for end in (NOW, NOW - STEP):
        with pytest.raises(InvalidInput) as refusal:
            check_end(NOW, end)
        assert refusal.value.field == "effective_until"
