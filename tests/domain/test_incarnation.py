"""A newer report is one of a later incarnation, or a later one of the same."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from keisan.domain.incarnation import Incarnation
from tests.domain.samples import GATEWAY_ID, NOW, PLATFORM_ID, name_id

LAST = Incarnation(GATEWAY_ID, PLATFORM_ID, name_id(15, 5), 7, 0, NOW)


@pytest.mark.parametrize(
    ("incarnation", "sequence", "is_newer"),
    [
        (name_id(15, 5), 8, True),
        (name_id(15, 5), 7, False),
        (name_id(15, 5), 6, False),
        (name_id(15, 6), 1, True),
        (name_id(15, 4), 99, False),
    ],
)
def test_word_is_overtaken_by_newer_ones_only(incarnation: UUID, sequence: int, *, is_newer: bool) -> None:
    assert LAST.is_overtaken_by(incarnation, sequence) is is_newer


def test_gateway_is_heard_for_as_long_as_asked() -> None:
    now = NOW + timedelta(seconds=30)
    assert LAST.is_heard_within(30, now)
    assert not LAST.is_heard_within(29.9, now)
    assert replace(LAST, heard_at=now + timedelta(seconds=5)).is_heard_within(1, now), "a clock that went back"
