"""Links: which states follow which, and when a certificate or a clock needs somebody."""

from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.domain.errors import StateConflict
from keisan.domain.link import (
    ENDED_STATES,
    LINK_TRANSITIONS,
    LIVE_STATES,
    LinkState,
    check_link_transition,
    is_certificate_due,
)
from tests.federation.tree import NOW, Person

PARENT = Person("cn")
LINK = PARENT.link(PARENT.bear("sx"))


def test_every_state_has_its_row_and_an_ended_link_never_lives_again() -> None:
    assert set(LINK_TRANSITIONS) == set(LinkState)
    for state in (*ENDED_STATES, LinkState.REJECTED):
        assert not LINK_TRANSITIONS[state] & LIVE_STATES
    for state in LinkState:
        if state not in (LinkState.REJECTED, LinkState.REVOKED):
            check_link_transition(replace(LINK, state=state), LinkState.REVOKED)


def test_a_link_that_was_not_approved_cannot_be_left() -> None:
    check_link_transition(replace(LINK, state=LinkState.REQUESTED), LinkState.JOINED)
    with pytest.raises(StateConflict, match="requested cannot become left"):
        check_link_transition(replace(LINK, state=LinkState.REQUESTED), LinkState.LEFT)


def test_letters_go_while_a_link_is_joined_or_leaving() -> None:
    assert [state for state in LinkState if replace(LINK, state=state).is_open] == [LinkState.JOINED, LinkState.LEAVING]


def test_a_certificate_is_renewed_when_a_third_is_left() -> None:
    ends = NOW + timedelta(days=90)
    assert not is_certificate_due(NOW, ends, NOW + timedelta(days=60) - timedelta(seconds=1))
    assert is_certificate_due(NOW, ends, NOW + timedelta(days=60))
    assert is_certificate_due(NOW, ends, ends + timedelta(days=1))


def test_clocks_are_off_beyond_thirty_seconds_either_way() -> None:
    offsets = {None: False, 0: False, 30_000: False, -30_000: False, 30_001: True, -30_001: True}
    assert {each: replace(LINK, offset_ms=each).is_clock_off for each in offsets} == offsets
