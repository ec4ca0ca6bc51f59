"""The chain of events: any change to a line, or to what stood before it, gives another hash."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.event import FIRST_EVENT_HASH, EventDraft, hash_event
from tests.domain.samples import NOW, name_id

DRAFT = EventDraft("key:1", "replica.ready", name_id(12), {"message": "ok", "node": "1"})


def test_hash_is_of_64_hex_digits_like_the_first() -> None:
    digest = hash_event(DRAFT, 1, NOW, FIRST_EVENT_HASH)
    assert len(digest) == len(FIRST_EVENT_HASH) == 64
    assert int(digest, 16) >= 0


@pytest.mark.parametrize(
    "changed",
    [
        replace(DRAFT, actor="control"),
        replace(DRAFT, action="replica.failed"),
        replace(DRAFT, noun_id=name_id(12, 2)),
        replace(DRAFT, noun_id=None),
        replace(DRAFT, detail={"message": "ok"}),
        replace(DRAFT, detail={"message": "ok", "node": "2"}),
    ],
)
def test_changed_draft_changes_the_hash(changed: EventDraft) -> None:
    assert hash_event(changed, 1, NOW, FIRST_EVENT_HASH) != hash_event(DRAFT, 1, NOW, FIRST_EVENT_HASH)


def test_place_time_and_past_are_covered() -> None:
    hashes = {
        hash_event(DRAFT, 1, NOW, FIRST_EVENT_HASH),
        hash_event(DRAFT, 2, NOW, FIRST_EVENT_HASH),
        hash_event(DRAFT, 1, NOW + timedelta(microseconds=1), FIRST_EVENT_HASH),
        hash_event(DRAFT, 1, NOW, "1" * 64),
    }
    assert len(hashes) == 4


@given(st.dictionaries(st.text(), st.text()))
def test_order_of_details_does_not_matter(detail: dict[str, str]) -> None:
    turned = dict(reversed(detail.items()))
    before = hash_event(replace(DRAFT, detail=detail), 1, NOW, FIRST_EVENT_HASH)
    assert hash_event(replace(DRAFT, detail=turned), 1, NOW, FIRST_EVENT_HASH) == before
