"""The chain of events: any change to a line, or to what stood before it, gives another hash."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.event import FIRST_EVENT_HASH, Event, hash_event
from keisan.domain.ids import EventId, PlatformId
from tests.domain.samples import NOW, name_id

EVENT = Event(
    id=EventId(name_id(11)),
    platform_id=PlatformId("a" * 64),
    sequence=1,
    actor="key:1",
    action="replica.ready",
    noun_id=name_id(12),
    detail={"message": "ok", "node": "1"},
    created_at=NOW,
    previous_hash=FIRST_EVENT_HASH,
    hash="",
)


def test_hash_is_of_64_hex_digits_like_the_first() -> None:
    digest = hash_event(EVENT)
    assert len(digest) == len(FIRST_EVENT_HASH) == 64
    assert int(digest, 16) >= 0


@pytest.mark.parametrize(
    "changed",
    [
        replace(EVENT, id=EventId(name_id(11, 2))),
        replace(EVENT, platform_id=PlatformId("b" * 64)),
        replace(EVENT, sequence=2),
        replace(EVENT, actor="control"),
        replace(EVENT, action="replica.failed"),
        replace(EVENT, noun_id=name_id(12, 2)),
        replace(EVENT, noun_id=None),
        replace(EVENT, detail={"message": "ok"}),
        replace(EVENT, detail={"message": "ok", "node": "2"}),
        replace(EVENT, created_at=NOW + timedelta(microseconds=1)),
        replace(EVENT, previous_hash="1" * 64),
    ],
)
def test_every_field_is_covered(changed: Event) -> None:
    assert hash_event(changed) != hash_event(EVENT)


def test_own_hash_is_left_out() -> None:
    assert hash_event(replace(EVENT, hash="2" * 64)) == hash_event(EVENT)


@given(st.dictionaries(st.text(), st.text()))
def test_order_of_details_does_not_matter(detail: dict[str, str]) -> None:
    turned = dict(reversed(detail.items()))
    assert hash_event(replace(EVENT, detail=turned)) == hash_event(replace(EVENT, detail=detail))
