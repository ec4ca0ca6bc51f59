"""A platform ticket says for whom it is, and what may still be posted."""

from dataclasses import replace

from keisan.domain.holder import Holder
from keisan.domain.ids import OrganizationId
from keisan.domain.platform_ticket import (
    CROSS_CHARGE_TRANSITIONS,
    PLATFORM_TICKET_TRANSITIONS,
    CrossChargeState,
    PlatformTicketState,
)
from keisan.kit.ids import create_id
from tests.domain.credit_samples import create_platform_ticket


def test_what_is_left_is_neither_returned_nor_spent_and_nothing_of_a_closed_one() -> None:
    owner = OrganizationId(create_id())
    ticket = create_platform_ticket(owner, ceiling_nano=100, returned_nano=20, spent_nano=30, waiting_nano=5)
    assert (ticket.holder, ticket.left_nano) == (Holder(owner), 50)
    assert replace(ticket, state=PlatformTicketState.RETURNING).left_nano == 50
    assert replace(ticket, state=PlatformTicketState.CLOSED).left_nano == 0


def test_what_ended_never_begins_again() -> None:
    assert set(PLATFORM_TICKET_TRANSITIONS) == set(PlatformTicketState)
    assert PLATFORM_TICKET_TRANSITIONS[PlatformTicketState.CLOSED] == frozenset()
    assert set(CROSS_CHARGE_TRANSITIONS) == set(CrossChargeState)
    for state in set(CrossChargeState) - {CrossChargeState.WAITING}:
        assert CROSS_CHARGE_TRANSITIONS[state] == frozenset()
