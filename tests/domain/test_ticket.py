"""What a ticket holds, and what of it may still be spent."""

from dataclasses import replace

import pytest

from keisan.domain.ticket import CreditTerms, TicketState
from tests.domain.samples import build_ticket


def test_ticket_holds_what_is_neither_returned_nor_posted() -> None:
    ticket = build_ticket(credit_nano=100, returned_nano=20, posted_nano=30, spent_nano=70)
    assert ticket.held_nano == 50
    assert replace(ticket, state=TicketState.CLOSED).held_nano == 0


@pytest.mark.parametrize(
    ("spent", "posted", "reserved", "unspent", "free"),
    [
        (0, 0, 0, 80, 80),
        (30, 10, 5, 50, 45),
        (10, 30, 5, 50, 45),
        (80, 0, 0, 0, 0),
        (90, 0, 9, 0, 0),
        (0, 0, 90, 80, 0),
    ],
)
def test_what_is_left_is_less_what_was_spent_or_has_arrived(
    spent: int, posted: int, reserved: int, unspent: int, free: int
) -> None:
    ticket = build_ticket(returned_nano=20, spent_nano=spent, posted_nano=posted, reserved_nano=reserved)
    assert (ticket.unspent_nano, ticket.free_nano) == (unspent, free)


def test_gateway_counts_as_silent_after_three_words_are_missing() -> None:
    assert CreditTerms(renew_s=10).silence_s == 30
