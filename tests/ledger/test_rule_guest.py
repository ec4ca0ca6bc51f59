"""Guests' records are owed by their home at the wholesale price, within its tickets; the rest is this platform's risk."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keisan.domain.ids import OrganizationId, PlatformId
from keisan.domain.platform_ticket import CreditSide, PlatformTicket, PlatformTicketState
from keisan.domain.price import TokenClass
from keisan.domain.usage import PostedRecord
from keisan.kit.ids import create_id
from keisan.ledger.rule import Owed, SuspenseCode
from keisan.ledger.rule_guest import charge_guests, draw_owed, find_model_price, list_guest_wallets, name_owed
from tests.domain.credit_samples import OTHER_ID, PINNED, create_platform_ticket
from tests.domain.samples import build_posted, build_record, change_record, create_record_id
from tests.factories import NOW

RECORD = build_record()
OWNER = RECORD.context.organization_id
HOMES = {OWNER: OTHER_ID}
PRICE = replace(PINNED, model_id=RECORD.context.model_id, home_nano_per_million=None)


def build_served(output: int, amount_nano: int | None = None) -> PostedRecord:
    own_nano = 2_000 * output if amount_nano is None else amount_nano
    changed = change_record(
        RECORD, id=create_record_id(NOW), quantities={TokenClass.OUTPUT: output}, amount_nano=own_nano
    )
    return build_posted(changed, currency="CNY")


def build_ticket(ceiling: int = 100_000, **changes: Any) -> PlatformTicket:
    facts: dict[str, Any] = {"side": CreditSide.SERVING, "prices": (PRICE,)}
    return create_platform_ticket(OWNER, **(facts | {"ceiling_nano": ceiling} | changes))


def test_record_is_charged_to_the_oldest_ticket_that_holds_it() -> None:
    first, second = build_ticket(5_000), build_ticket(100_000)
    small, large = build_served(1), build_served(3)
    later = NOW + timedelta(seconds=3)
    found = charge_guests([large, small], HOMES, {each.id: each for each in (second, first)}, (), later)
    assert [(each.record_id, each.ticket_id, each.wholesale_nano) for each in found.charges] == [
        (large.record.id, second.id, 6_000),
        (small.record.id, first.id, 2_000),
    ]
    assert {each.created_at for each in found.charges} == {later}
    assert {each.entry_id for each in found.charges} == {small.charge.entry_id}
    assert (found.tickets[first.id].spent_nano, found.tickets[second.id].spent_nano) == (2_000, 6_000)
    assert found.owed == {large.record.id: Owed(OTHER_ID, 6_000), small.record.id: Owed(OTHER_ID, 2_000)}
    assert found.owed == name_owed(found.charges)
    assert found.unfunded == {}


def test_home_owes_no_more_than_this_platform_asks_of_others() -> None:
    ticket = build_ticket(100_000)
    found = charge_guests([build_served(3, amount_nano=5_000)], HOMES, {ticket.id: ticket}, (), NOW)
    assert found.charges[0].wholesale_nano == 5_000


@pytest.mark.parametrize(
    "changes",
    [
        {"ceiling_nano": 1_999},
        {"state": PlatformTicketState.CLOSED},
        {"side": CreditSide.HOME},
        {"counterparty_id": PlatformId("cd" * 32)},
        {"currency": "JPY"},
        {"prices": ()},
        {"prices": (replace(PRICE, nano_per_million={TokenClass.INPUT: 1}),)},
    ],
)
def test_what_no_ticket_pays_for_is_this_platforms_risk(changes: dict[str, Any]) -> None:
    ticket, served = build_ticket(**changes), build_served(1)
    found = charge_guests([served], HOMES, {ticket.id: ticket}, (), NOW)
    assert (found.unfunded, found.charges, found.tickets) == (
        {served.record.id: SuspenseCode.UNFUNDED},
        [],
        {ticket.id: ticket},
    )


def test_returning_ticket_still_pays_for_what_was_spent_of_it() -> None:
    ticket = build_ticket(100_000, state=PlatformTicketState.RETURNING)
    assert charge_guests([build_served(1)], HOMES, {ticket.id: ticket}, (), NOW).charges


def test_own_organizations_and_suspended_records_are_left_alone() -> None:
    ticket, served = build_ticket(100_000), build_served(1)
    assert charge_guests([served], {}, {ticket.id: ticket}, (), NOW).charges == []
    assert charge_guests([served], HOMES, {ticket.id: ticket}, {served.record.id}, NOW).charges == []
    stranger = {OrganizationId(create_id()): OTHER_ID}
    found = charge_guests([served], stranger, {ticket.id: ticket}, (), NOW)
    assert (found.charges, found.unfunded) == ([], {})


def test_which_accounts_may_move_is_known_before_tickets_are() -> None:
    served = build_served(2)
    assert draw_owed([served], HOMES) == {served.record.id: Owed(OTHER_ID, 4_000)}
    assert draw_owed([served], {}) == {}
    assert draw_owed([served], {OrganizationId(create_id()): OTHER_ID}) == {}
    assert list_guest_wallets([served], HOMES) == {(OWNER, "CNY")}
    assert list_guest_wallets([served], {}) == set()
    assert find_model_price([PRICE], PRICE.model_id) == PRICE
    assert find_model_price([], PRICE.model_id) is None
