"""Ledger rules on values: what makes a record acceptable, what a second one under the same id is, what is posted."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.ids import KeyId, MachineId, OrganizationId, ProjectId, RecordId, TicketId
from keisan.domain.limits import USAGE_EARLY_S_MAX, USAGE_LATE_S_MAX
from keisan.domain.price import TokenClass
from keisan.domain.replica import ReplicaState
from keisan.domain.ticket import Ticket
from keisan.domain.usage import IntakeOutcome, PostedRecord, UsageRecord
from keisan.ledger.rule import (
    Facts,
    RefusalCode,
    SuspenseCode,
    charge_tickets,
    compare_record,
    find_late,
    list_spendings,
    refuse_context,
    refuse_record,
    sum_transfers,
)
from keisan.ledger.rule_budget import Spending
from keisan.ledger.rule_ticket import close_ticket
from tests.domain.samples import (
    GATEWAY_ID,
    KEY_ID,
    NOW,
    ORGANIZATION_ID,
    PLATFORM_ID,
    PRICE_ID,
    PROJECT_ID,
    PROVIDER_ID,
    RECORD_ID,
    REPLICA_ID,
    build_key,
    build_posted,
    build_price,
    build_record,
    build_replica,
    build_ticket,
    create_record_id,
    name_id,
    name_record_id,
)

FACTS = Facts(
    platform_id=PLATFORM_ID,
    gateway_ids=frozenset({GATEWAY_ID}),
    keys={KEY_ID: build_key()},
    prices={PRICE_ID: build_price()},
    replicas={REPLICA_ID: build_replica()},
)


def refuse(record: UsageRecord, facts: Facts = FACTS, now: datetime = NOW) -> RefusalCode | None:
    return refuse_context(record.context, facts) or refuse_record(record, facts.prices[record.context.price_id], now)


def test_good_record_is_accepted() -> None:
    assert refuse(build_record()) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"platform_id": "cd" * 32}, RefusalCode.WRONG_PLATFORM),
        ({"gateway_id": name_id(4, 2)}, RefusalCode.WRONG_GATEWAY),
        ({"day": NOW.date() + timedelta(days=1)}, RefusalCode.WRONG_DAY),
        ({"admitted_at": NOW - timedelta(days=1)}, RefusalCode.WRONG_DAY),
        ({"id": create_record_id(NOW - timedelta(days=1))}, RefusalCode.WRONG_DAY),
        ({"id": uuid4()}, RefusalCode.WRONG_DAY),
        ({"id": UUID(int=RECORD_ID.int | (2**48 - 1) << 80)}, RefusalCode.WRONG_DAY),
        ({"key_id": name_id(3, 2)}, RefusalCode.UNKNOWN_KEY),
        ({"organization_id": name_id(1, 2)}, RefusalCode.UNKNOWN_KEY),
        ({"project_id": name_id(2, 2)}, RefusalCode.UNKNOWN_KEY),
        ({"price_id": name_id(10, 9)}, RefusalCode.UNKNOWN_PRICE),
        ({"model_id": name_id(9, 2)}, RefusalCode.UNKNOWN_PRICE),
        ({"replica_id": name_id(12, 2)}, RefusalCode.UNKNOWN_REPLICA),
        ({"provider_id": name_id(5, 2)}, RefusalCode.UNKNOWN_REPLICA),
        ({"site_id": name_id(6, 2)}, RefusalCode.UNKNOWN_REPLICA),
        ({"deployment_id": name_id(11, 2)}, RefusalCode.UNKNOWN_REPLICA),
        ({"amount_nano": 30_499}, RefusalCode.AMOUNT_MISMATCH),
        ({"amount_nano": 0}, RefusalCode.AMOUNT_MISMATCH),
        ({"quantities": {TokenClass.INPUT: 38}, "amount_nano": 30_500}, RefusalCode.AMOUNT_MISMATCH),
    ],
    # The values are drawn anew in each process, and a test's name is the same in all.
    ids=lambda part: "+".join(part) if isinstance(part, dict) else part,
)
def test_forged_field_is_refused_by_name(changes: dict[str, object], code: RefusalCode) -> None:
    assert refuse(build_record(**changes)) is code


def test_replica_of_another_model_is_refused() -> None:
    facts = replace(FACTS, replicas={REPLICA_ID: build_replica(model_id=name_id(9, 2))})
    assert refuse(build_record(), facts) is RefusalCode.UNKNOWN_REPLICA


def test_class_without_price_is_a_wrong_amount_and_no_failure() -> None:
    facts = replace(FACTS, prices={PRICE_ID: build_price(nano_per_million={TokenClass.INPUT: 1})})
    assert refuse(build_record(), facts) is RefusalCode.AMOUNT_MISMATCH


def test_what_ended_since_the_call_was_admitted_does_not_matter() -> None:
    facts = replace(
        FACTS,
        keys={KEY_ID: build_key(revoked_at=NOW)},
        replicas={REPLICA_ID: build_replica(state=ReplicaState.STOPPED)},
    )
    assert refuse(build_record(), facts) is None


def test_day_is_that_of_admission_in_utc() -> None:
    midnight = NOW.replace(hour=0)
    first = create_record_id(midnight)
    assert refuse(build_record(id=first, admitted_at=midnight, day=midnight.date())) is None
    before = midnight - timedelta(microseconds=1)
    assert refuse(build_record(id=first, admitted_at=before, day=midnight.date())) is RefusalCode.WRONG_DAY


def test_clock_that_is_far_ahead_is_wrong() -> None:
    ahead = timedelta(seconds=USAGE_EARLY_S_MAX)
    assert refuse(build_record(), now=NOW - ahead) is None
    assert refuse(build_record(), now=NOW - ahead - timedelta(microseconds=1)) is RefusalCode.WRONG_CLOCK


def test_record_is_late_after_the_window_in_which_it_is_awaited() -> None:
    record, window = build_record(), timedelta(seconds=USAGE_LATE_S_MAX)
    assert find_late([record], NOW + window) == frozenset()
    assert find_late([record], NOW + window + timedelta(microseconds=1)) == {record.id}


def test_same_bytes_under_the_same_id_exist_and_others_differ() -> None:
    record = build_record()
    assert compare_record(record, None) is None
    assert compare_record(record, record.content_digest) is IntakeOutcome.EXISTS
    assert compare_record(record, bytes(32)) is IntakeOutcome.DIFFERS


RECORDS = st.lists(
    st.builds(
        build_posted,
        st.builds(
            build_record,
            organization_id=st.sampled_from([name_id(1), name_id(1, 2)]),
            provider_id=st.sampled_from([PROVIDER_ID, name_id(5, 2)]),
            amount_nano=st.integers(min_value=0, max_value=10**30),
        ),
        currency=st.sampled_from(["CNY", "USD"]),
    ),
    max_size=20,
)


@given(RECORDS)
def test_transfers_move_exactly_what_the_records_cost(records: list[PostedRecord]) -> None:
    transfers, amounts = sum_transfers(records), [each.record.amount_nano for each in records]
    assert sum(transfer.amount_nano for transfer in transfers) == sum(amounts)
    assert sum(transfer.record_count for transfer in transfers) == sum(amount > 0 for amount in amounts)
    assert all(transfer.amount_nano > 0 for transfer in transfers)
    pairs = [(transfer.debit, transfer.credit) for transfer in transfers]
    assert len(set(pairs)) == len(pairs)


@given(RECORDS)
def test_each_wallet_pays_for_its_own_and_each_provider_gets_its_own(records: list[PostedRecord]) -> None:
    for transfer in sum_transfers(records):
        own = [
            each.record.amount_nano
            for each in records
            if each.record.context.organization_id == transfer.debit.organization_id
            and each.record.context.provider_id == transfer.credit.provider_id
            and each.charge.currency == transfer.debit.currency
        ]
        assert transfer.amount_nano == sum(own)
        assert transfer.debit.kind is AccountKind.WALLET
        assert transfer.credit.kind is AccountKind.PROVIDER_PAYABLE
        assert transfer.debit.currency == transfer.credit.currency


def test_free_records_move_nothing() -> None:
    assert sum_transfers([build_posted(build_record(quantities={}, amount_nano=0))]) == ()


def test_accounts_name_their_owner_and_nobody_else() -> None:
    posted = build_posted()
    (transfer,) = sum_transfers([posted, posted])
    assert transfer.debit == AccountKey(AccountKind.WALLET, ORGANIZATION_ID, None, "CNY")
    assert transfer.credit == AccountKey(AccountKind.PROVIDER_PAYABLE, None, PROVIDER_ID, "CNY")
    assert (transfer.amount_nano, transfer.record_count) == (61_000, 2)


def test_suspense_pays_for_what_no_ticket_does() -> None:
    paid, suspended = build_record(id=name_record_id(1)), build_record(id=name_record_id(2))
    transfers = sum_transfers([build_posted(paid), build_posted(suspended)], {suspended.id})
    assert [transfer.debit for transfer in transfers] == [
        AccountKey(AccountKind.WALLET, ORGANIZATION_ID, None, "CNY"),
        AccountKey(AccountKind.SUSPENSE, None, None, "CNY"),
    ]
    assert len({transfer.credit for transfer in transfers}) == 1


TICKET = build_ticket(credit_nano=100_000)


def charge(ticket: Ticket, *records: UsageRecord) -> tuple[int, dict[RecordId, SuspenseCode]]:
    charges = charge_tickets(map(build_posted, records), {ticket.id: ticket})
    return charges.tickets[ticket.id].posted_nano, dict(charges.suspended)


def test_records_are_posted_against_their_ticket() -> None:
    records = [build_record(id=name_record_id(number), ticket_id=TICKET.id) for number in (1, 2)]
    assert charge(TICKET, *records) == (61_000, {})


def test_record_without_a_ticket_is_its_wallets() -> None:
    assert charge(TICKET, build_record(ticket_id=None)) == (0, {})


@pytest.mark.parametrize(
    ("ticket", "code"),
    [
        (replace(TICKET, id=TicketId(name_id(14, 2))), SuspenseCode.WRONG_TICKET),
        (replace(TICKET, organization_id=OrganizationId(name_id(1, 2))), SuspenseCode.WRONG_TICKET),
        (replace(TICKET, gateway_id=MachineId(name_id(4, 2))), SuspenseCode.WRONG_TICKET),
        (replace(TICKET, project_id=ProjectId(name_id(2, 2))), SuspenseCode.WRONG_TICKET),
        (replace(TICKET, project_id=PROJECT_ID, key_id=KeyId(name_id(3, 2))), SuspenseCode.WRONG_TICKET),
        (replace(TICKET, currency="USD"), SuspenseCode.WRONG_TICKET),
        (close_ticket(TICKET, NOW), SuspenseCode.CLOSED_TICKET),
        (replace(TICKET, posted_nano=69_501), SuspenseCode.SPENT_TICKET),
        (replace(TICKET, returned_nano=69_501), SuspenseCode.SPENT_TICKET),
        (replace(TICKET, credit_nano=30_499), SuspenseCode.SPENT_TICKET),
    ],
    ids=["unknown", "organization", "gateway", "project", "key", "currency", "closed", "posted", "returned", "small"],
)
def test_ticket_pays_for_its_own_and_no_more_than_it_holds(ticket: Ticket, code: SuspenseCode) -> None:
    record = build_record(ticket_id=TICKET.id)
    assert charge(ticket, record) == (ticket.posted_nano, {record.id: code})


@pytest.mark.parametrize(
    ("ticket", "ticket_id", "code", "posted_nano"),
    [
        (TICKET, TICKET.id, SuspenseCode.LATE_LEASED, 30_500),
        (TICKET, None, SuspenseCode.LATE, 0),
        (TICKET, name_id(14, 2), SuspenseCode.LATE, 0),
        (close_ticket(TICKET, NOW), TICKET.id, SuspenseCode.LATE, 0),
        (replace(TICKET, credit_nano=30_499), TICKET.id, SuspenseCode.LATE, 0),
    ],
    ids=["open", "none", "unknown", "closed", "small"],
)
def test_ticket_holds_nothing_any_more_for_what_came_late(
    ticket: Ticket, ticket_id: TicketId | None, code: SuspenseCode, posted_nano: int
) -> None:
    record = build_record(ticket_id=ticket_id)
    charges = charge_tickets([build_posted(record)], {ticket.id: ticket}, {record.id})
    assert charges.suspended == {record.id: code}
    assert charges.tickets[ticket.id].posted_nano == posted_nano


def test_what_tickets_pay_for_is_spent_by_their_holders() -> None:
    ticket = replace(TICKET, project_id=PROJECT_ID)
    paid, unpaid, free = (build_record(id=name_record_id(number), ticket_id=ticket.id) for number in (1, 2, 3))
    records = [paid, unpaid, free._replace(amount_nano=0), build_record(ticket_id=None)]
    spendings = list_spendings(map(build_posted, records), {ticket.id: ticket}, {unpaid.id})
    assert spendings == [Spending(ticket.holder, "CNY", paid.amount_nano, paid.admitted_at)]


def test_record_that_cost_nothing_needs_no_ticket() -> None:
    free = build_record(quantities={}, amount_nano=0, ticket_id=name_id(14, 2))
    assert charge(close_ticket(TICKET, NOW), free) == (0, {})


@given(RECORDS, st.integers(min_value=0, max_value=10**31))
def test_no_more_is_posted_than_a_ticket_holds(records: list[PostedRecord], credit_nano: int) -> None:
    ticket = build_ticket(credit_nano=credit_nano)
    named = [
        each._replace(record=each.record._replace(id=name_record_id(place), ticket_id=ticket.id))
        for place, each in enumerate(records)
    ]
    charges = charge_tickets(named, {ticket.id: ticket})
    posted_nano = charges.tickets[ticket.id].posted_nano
    assert 0 <= posted_nano <= credit_nano
    paid = [each.record.amount_nano for each in named if each.record.id not in charges.suspended]
    assert posted_nano == sum(paid)
