"""Ticket rules on values: leases shrink and never exceed what there is, what one lacks comes back from another, ends are ends."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.holder import Holder
from keisan.domain.ids import TicketId
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.ledger.rule_ticket import (
    FRESH_WANT_S,
    WRITES_PER_LEASE,
    Bound,
    Moment,
    Pot,
    close_ticket,
    compute_end,
    compute_lease_nano,
    is_ended_by,
    is_expired,
    mark_contested,
    merge_report,
    recall_ticket,
    renew_ticket,
    serve_want,
)
from keisan.wire.credit import CreditReport, TicketReport
from tests.domain.samples import KEY_ID, NOW, ORGANIZATION_ID, PROJECT_ID, build_ticket, name_id

TERMS = CreditTerms()
AMOUNTS = st.integers(min_value=0, max_value=10**30)
SILENT = name_id(16)
FIRST, SECOND, THIRD = (TicketId(name_id(14, number)) for number in (1, 2, 3))


def build_moment(after_s: float = 0, gateway_count: int = 2) -> Moment:
    """Return a moment in which that many gateways speak, and the one of every ticket that is not said to be silent."""
    speaking = frozenset(name_id(15, number) for number in range(1, gateway_count + 1))
    return Moment(NOW + timedelta(seconds=after_s), TERMS, speaking)


def build_word(ticket: Ticket, **changes: object) -> TicketReport:
    values: dict[str, object] = {"ticket_id": ticket.id, "spent_nano": 0, "reserved_nano": 0, "returned_nano": 0}
    return TicketReport.model_validate(values | changes)


def build_report(incarnation: UUID, **changes: object) -> CreditReport:
    return CreditReport.model_validate({"incarnation": incarnation, "is_spool_passed": False} | changes)


def build_pot(wallet_nano: int, *tickets: Ticket) -> Pot:
    return Pot([Bound(Holder(ORGANIZATION_ID), wallet_nano, is_wallet=True)], {ticket.id: ticket for ticket in tickets})


def want(ticket: Ticket, wanted_nano: int, since_s: float = 0) -> Ticket:
    """Return a ticket that has wanted something since `since_s` seconds after NOW."""
    return replace(ticket, wanted_nano=wanted_nano, wanting_since=NOW + timedelta(seconds=since_s))


@given(AMOUNTS, AMOUNTS, st.integers(min_value=1, max_value=50))
def test_lease_is_what_is_wanted_or_a_small_part_and_never_more_than_there_is(
    wanted_nano: int, available_nano: int, gateway_count: int
) -> None:
    leased_nano = compute_lease_nano(wanted_nano, available_nano, gateway_count)
    assert min(wanted_nano, available_nano) <= leased_nano <= available_nano
    assert leased_nano <= max(wanted_nano, available_nano // (2 * gateway_count))


@pytest.mark.parametrize("available_nano", [0, -1, -(10**30)])
def test_nothing_is_leased_of_nothing(available_nano: int) -> None:
    assert compute_lease_nano(5, available_nano, 1) == 0


def test_leases_shrink_as_the_wallet_nears_zero() -> None:
    available_nano, leases = 1000, []
    while available_nano:
        leased_nano = compute_lease_nano(1, available_nano, 2)
        leases.append(leased_nano)
        available_nano -= leased_nano
    assert leases == sorted(leases, reverse=True)
    assert leases[0] == 250
    assert leases[-1] == 1


@given(
    st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=6), st.permutations(range(6)), AMOUNTS, AMOUNTS, AMOUNTS
)
def test_words_may_come_in_any_order(
    words: list[tuple[int, int]], order: list[int], credit_nano: int, posted_nano: int, returned_nano: int
) -> None:
    posted_nano = min(posted_nano, credit_nano)
    ticket = build_ticket(
        credit_nano=credit_nano, posted_nano=posted_nano, returned_nano=min(returned_nano, credit_nano - posted_nano)
    )
    merged, shuffled = ticket, ticket
    for spent_nano, given_nano in words:
        merged = merge_report(merged, build_word(ticket, spent_nano=spent_nano, returned_nano=given_nano))
    for place in order:
        spent_nano, given_nano = words[place % len(words)]
        shuffled = merge_report(shuffled, build_word(ticket, spent_nano=spent_nano, returned_nano=given_nano))
        assert shuffled.held_nano >= 0
        assert shuffled.returned_nano >= ticket.returned_nano
    if len(words) == 6:
        assert (merged.spent_nano, merged.returned_nano) == (shuffled.spent_nano, shuffled.returned_nano)


def test_word_says_what_is_reserved_now() -> None:
    ticket = merge_report(build_ticket(reserved_nano=90), build_word(build_ticket(), reserved_nano=3, spent_nano=4))
    assert (ticket.reserved_nano, ticket.spent_nano) == (3, 4)


def test_want_is_served_from_the_wallet() -> None:
    own = build_ticket(credit_nano=0)
    pot, refusing = serve_want(build_pot(1000, own), own.id, 400, build_moment(gateway_count=1))
    assert (pot.tickets[own.id].credit_nano, pot.available_nano, refusing) == (500, 500, None)
    assert (pot.tickets[own.id].wanted_nano, pot.tickets[own.id].wanting_since) == (0, None)


def test_what_is_missing_is_asked_back_first_where_it_was_free() -> None:
    own, full = build_ticket(id=FIRST, credit_nano=0), build_ticket(id=SECOND, credit_nano=100, reserved_nano=90)
    free = build_ticket(id=THIRD, credit_nano=50)
    pot, refusing = serve_want(build_pot(170, own, full, free), own.id, 60, build_moment())
    assert refusing is None
    assert (pot.tickets[FIRST].credit_nano, pot.tickets[FIRST].wanted_nano) == (20, 40)
    assert (pot.tickets[SECOND].give_back_nano, pot.tickets[THIRD].give_back_nano) == (0, 40)
    assert pot.available_nano == 0
    again, _ = serve_want(pot, own.id, 130, build_moment(1))
    # What was asked for already is not asked for twice.
    assert (again.tickets[SECOND].give_back_nano, again.tickets[THIRD].give_back_nano) == (80, 50)


def test_what_calls_held_is_asked_for_when_nothing_is_free() -> None:
    own, full = build_ticket(id=FIRST, credit_nano=0), build_ticket(id=SECOND, credit_nano=100, reserved_nano=100)
    pot, refusing = serve_want(build_pot(100, own, full), own.id, 30, build_moment())
    assert (pot.tickets[SECOND].give_back_nano, refusing) == (30, None)


@pytest.mark.parametrize(
    "changes",
    [{"spent_nano": 100}, {"posted_nano": 100}, {"returned_nano": 100}, {"incarnation": SILENT}],
    ids=["spent", "posted", "returned", "silent"],
)
def test_refused_when_nothing_can_come(changes: dict[str, object]) -> None:
    other = build_ticket(id=SECOND, credit_nano=100, **changes)
    own = build_ticket(id=FIRST, credit_nano=0)
    pot, refusing = serve_want(build_pot(other.held_nano, own, other), own.id, 5, build_moment())
    assert refusing == pot.bounds[0]
    assert pot.tickets[FIRST].wanted_nano == 0
    assert pot.tickets[SECOND].give_back_nano == 0


def test_of_two_the_one_that_wanted_first_is_served_first() -> None:
    """Each holds 60 of 120 and needs 100: without an order both would give and take for ever."""
    older, younger = build_ticket(id=SECOND, credit_nano=60), build_ticket(id=FIRST, credit_nano=60)
    pot = build_pot(120, older, younger)
    pot, _ = serve_want(pot, older.id, 40, build_moment(0))
    pot, refusing = serve_want(pot, younger.id, 40, build_moment(1))
    assert (pot.tickets[younger.id].give_back_nano, pot.tickets[older.id].give_back_nano) == (40, 0)
    assert refusing is None
    pot = pot.put(replace(pot.tickets[younger.id], returned_nano=40, give_back_nano=0))
    pot, refusing = serve_want(pot, younger.id, 80, build_moment(1.5))
    assert (pot.tickets[younger.id].credit_nano, refusing) == (60, None), "what it gave is kept for the older"
    pot, _ = serve_want(pot, older.id, 40, build_moment(2))
    assert (pot.tickets[older.id].credit_nano, pot.tickets[older.id].wanted_nano) == (100, 0)


def test_want_that_no_call_waits_for_holds_nobody_up() -> None:
    stale, own = want(build_ticket(id=SECOND, credit_nano=60), 40), build_ticket(id=FIRST, credit_nano=0)
    pot, _ = serve_want(build_pot(70, stale, own), own.id, 30, build_moment(FRESH_WANT_S + 1))
    assert (pot.tickets[FIRST].credit_nano, pot.tickets[SECOND].give_back_nano) == (10, 20)


def test_want_of_a_silent_gateway_holds_nobody_up() -> None:
    silent, own = want(build_ticket(id=SECOND, incarnation=SILENT), 40), build_ticket(id=FIRST, credit_nano=0)
    pot, refusing = serve_want(build_pot(silent.held_nano + 30, silent, own), own.id, 30, build_moment(1))
    assert (pot.tickets[FIRST].credit_nano, refusing) == (30, None)


def test_want_that_is_served_in_part_is_a_new_one() -> None:
    own, other = want(build_ticket(id=FIRST, credit_nano=0), 40, -60), build_ticket(id=SECOND, credit_nano=60)
    pot, _ = serve_want(build_pot(70, own, other), own.id, 40, build_moment(1))
    assert (pot.tickets[FIRST].wanted_nano, pot.tickets[FIRST].wanting_since) == (30, NOW + timedelta(seconds=1))
    pot, _ = serve_want(pot, own.id, 30, build_moment(2))
    assert pot.tickets[FIRST].wanting_since == NOW + timedelta(seconds=1), "it waits since then"


def test_pot_is_contested_while_most_is_on_tickets_of_several() -> None:
    one, other = build_ticket(id=FIRST, credit_nano=30), build_ticket(id=SECOND, credit_nano=30)

    def is_contested(pot: Pot) -> set[bool]:
        return {
            ticket.is_contested
            for ticket in mark_contested(pot, Holder(ORGANIZATION_ID), build_moment()).tickets.values()
        }

    assert is_contested(build_pot(119, one, other)) == {True}
    assert is_contested(build_pot(120, one, other)) == {False}
    assert is_contested(build_pot(30, one)) == {False}
    assert is_contested(build_pot(60, one, replace(other, spent_nano=30))) == {False}
    assert is_contested(build_pot(60, one, replace(other, incarnation=SILENT))) == {False}


TICKETS = st.builds(
    lambda credit, returned, posted, spent, reserved: build_ticket(
        credit_nano=credit + returned + posted,
        returned_nano=returned,
        posted_nano=posted,
        spent_nano=spent,
        reserved_nano=reserved,
    ),
    *[st.integers(min_value=0, max_value=100)] * 5,
)


@given(
    st.lists(st.tuples(TICKETS, st.integers(0, 40), st.integers(0, 8), st.booleans()), min_size=1, max_size=5),
    st.integers(min_value=0, max_value=600),
    st.integers(min_value=1, max_value=300),
    st.integers(min_value=1, max_value=4),
)
def test_serving_leases_only_what_is_there_and_touches_nothing_else(
    drawn: list[tuple[Ticket, int, int, bool]], extra_nano: int, wanted_nano: int, gateway_count: int
) -> None:
    tickets = []
    for number, (ticket, wanting_nano, since_s, is_silent) in enumerate(drawn):
        placed = replace(ticket, id=TicketId(name_id(14, number)))
        placed = replace(placed, incarnation=SILENT) if is_silent and number else placed
        tickets.append(want(placed, wanting_nano, since_s) if wanting_nano else placed)
    before = build_pot(extra_nano + sum(ticket.held_nano for ticket in tickets), *tickets)
    own = tickets[0]
    after, refusing = serve_want(before, own.id, wanted_nano, build_moment(8, gateway_count))
    leased_nano = after.tickets[own.id].credit_nano - own.credit_nano
    assert 0 <= leased_nano <= before.available_nano
    assert after.available_nano == before.available_nano - leased_nano >= 0
    assert after.tickets[own.id].wanted_nano in (0, wanted_nano - leased_nano)
    reachable = [ticket for ticket in tickets[1:] if build_moment(8).is_reachable(ticket)]
    if refusing is not None:
        assert after.available_nano == 0
        assert not any(ticket.unspent_nano for ticket in reachable)
    elif after.tickets[own.id].wanted_nano:
        assert after.available_nano or any(ticket.unspent_nano for ticket in reachable)
    for ticket in tickets[1:]:
        changed = after.tickets[ticket.id]
        assert replace(changed, give_back_nano=0, is_contested=False) == replace(ticket, is_contested=False)
        assert 0 <= changed.give_back_nano <= ticket.unspent_nano


PROJECT, KEY = Holder(ORGANIZATION_ID, PROJECT_ID), Holder(ORGANIZATION_ID, PROJECT_ID, KEY_ID)
ORGANIZATION = Holder(ORGANIZATION_ID)


def give_to(ticket: Ticket, holder: Holder) -> Ticket:
    return replace(ticket, project_id=holder.project_id, key_id=holder.key_id)


def build_path(key_nano: int, project_nano: int, organization_nano: int) -> list[Bound]:
    return [Bound(KEY, key_nano), Bound(PROJECT, project_nano), Bound(ORGANIZATION, organization_nano)]


def test_least_of_all_bounds_is_what_is_there() -> None:
    own = give_to(build_ticket(id=FIRST, credit_nano=0), KEY)
    of_project = give_to(build_ticket(id=SECOND, credit_nano=30), PROJECT)
    of_organization = build_ticket(id=THIRD, credit_nano=50)
    tickets = {each.id: each for each in (own, of_project, of_organization)}
    pot = Pot(build_path(40, 65, 100), tickets)
    assert [pot.count_available(bound) for bound in pot.bounds] == [40, 35, 20]
    pot, refusing = serve_want(pot, FIRST, 90, build_moment())
    assert (pot.tickets[FIRST].credit_nano, pot.available_nano, refusing) == (20, 0, None)
    # The project lacks 55 of what is missing, of which its own ticket has 30; the organization 70, of which that is a part.
    assert (pot.tickets[SECOND].give_back_nano, pot.tickets[THIRD].give_back_nano) == (30, 40)


def test_bound_in_which_nothing_can_come_refuses_whatever_the_others_have() -> None:
    own, other = give_to(build_ticket(id=FIRST, credit_nano=10), KEY), build_ticket(id=SECOND, credit_nano=90)
    pot, refusing = serve_want(Pot(build_path(10, 500, 100), {FIRST: own, SECOND: other}), FIRST, 5, build_moment())
    assert refusing == Bound(KEY, 10)
    assert pot.tickets[SECOND].give_back_nano == 0, "it could not help"


def test_amount_that_was_lowered_is_made_up_for_first() -> None:
    own, other = build_ticket(id=FIRST, credit_nano=0), build_ticket(id=SECOND, credit_nano=90)
    pot, refusing = serve_want(build_pot(60, own, other), FIRST, 20, build_moment())
    assert (pot.tickets[FIRST].credit_nano, pot.tickets[SECOND].give_back_nano, refusing) == (0, 50, None)


@given(
    st.lists(
        st.tuples(TICKETS, st.sampled_from([KEY, PROJECT, ORGANIZATION]), st.integers(0, 40), st.booleans()),
        min_size=1,
        max_size=5,
    ),
    st.tuples(*[st.integers(0, 300)] * 3),
    st.integers(1, 200),
)
def test_no_bound_is_passed_and_none_refuses_while_something_could_come(
    drawn: list[tuple[Ticket, Holder, int, bool]], extra: tuple[int, int, int], wanted_nano: int
) -> None:
    tickets = {}
    for number, (ticket, holder, wanting_nano, is_silent) in enumerate(drawn):
        placed = give_to(replace(ticket, id=TicketId(name_id(14, number))), holder if number else KEY)
        placed = replace(placed, incarnation=SILENT) if is_silent and number else placed
        tickets[placed.id] = want(placed, wanting_nano) if wanting_nano else placed
    bare = Pot(build_path(0, 0, 0), tickets)
    limits = [bare.count_held(bound) + more_nano for bound, more_nano in zip(bare.bounds, extra, strict=True)]
    before, own_id, moment = Pot(build_path(*limits), tickets), TicketId(name_id(14, 0)), build_moment(1)
    after, refusing = serve_want(before, own_id, wanted_nano, moment)
    leased_nano = after.tickets[own_id].credit_nano - before.tickets[own_id].credit_nano
    assert 0 <= leased_nano <= before.available_nano
    others = {
        bound: [each for each in before.list_under(bound) if each.id != own_id and moment.is_reachable(each)]
        for bound in before.bounds
    }
    helpless = [
        bound
        for bound in before.bounds
        if after.count_available(bound) == 0 and not any(other.unspent_nano for other in others[bound])
    ]
    is_missing = leased_nano < wanted_nano
    assert (refusing is not None) == (is_missing and bool(helpless))
    assert refusing is None or refusing in helpless
    for ticket_id, ticket in before.tickets.items():
        assert ticket_id == own_id or 0 <= after.tickets[ticket_id].give_back_nano <= ticket.unspent_nano
    if is_missing and refusing is None and not any(each.wanted_nano for each in before.tickets.values()):
        for bound, givers in others.items():
            asked_nano = sum(after.tickets[giver.id].give_back_nano for giver in givers)
            lacking_nano = wanted_nano - leased_nano - after.count_available(bound)
            assert asked_nano >= min(lacking_nano, sum(giver.unspent_nano for giver in givers))


def test_tickets_of_other_holders_stay_contested() -> None:
    """Of what binds another key this pot knows only a part."""
    own, other = give_to(build_ticket(id=FIRST, is_contested=True), KEY), build_ticket(id=SECOND, is_contested=True)
    marked = mark_contested(Pot(build_path(900, 900, 900), {FIRST: own, SECOND: other}), KEY, build_moment())
    assert [marked.tickets[each].is_contested for each in (FIRST, SECOND)] == [False, True]


def test_recalled_ticket_is_asked_back_whole_and_closed_when_nothing_is_left() -> None:
    held = want(build_ticket(spent_nano=30, reserved_nano=20), 5)
    recalled = recall_ticket(held, NOW)
    assert (recalled.state, recalled.give_back_nano, recalled.wanted_nano) == (TicketState.OPEN, 70, 0)
    assert recall_ticket(build_ticket(returned_nano=70, spent_nano=30), NOW).state is TicketState.OPEN
    empty = build_ticket(returned_nano=70, posted_nano=30)
    assert recall_ticket(empty, NOW).state is TicketState.CLOSED
    assert recall_ticket(replace(empty, reserved_nano=1), NOW).state is TicketState.OPEN, "a call is open"


STEP_S = TERMS.lease_s // WRITES_PER_LEASE


def test_lease_is_written_anew_when_part_of_it_is_over_and_never_shorter() -> None:
    ticket = build_ticket()
    assert renew_ticket(ticket, build_moment(STEP_S - 1)) == ticket
    renewed = renew_ticket(ticket, build_moment(STEP_S))
    assert renewed.expires_at == NOW + timedelta(seconds=STEP_S + TERMS.lease_s)
    assert renew_ticket(renewed, Moment(NOW, replace(TERMS, lease_s=60))) == renewed


def test_ticket_expires_after_its_lease_and_the_window() -> None:
    ticket = build_ticket()
    # Words that were not written down may have come until then.
    end_s = STEP_S + TERMS.lease_s + TERMS.lateness_s
    assert compute_end(ticket, TERMS) == NOW + timedelta(seconds=end_s)
    assert not is_expired(ticket, build_moment(end_s - 1))
    assert is_expired(ticket, build_moment(end_s))


def test_gateways_that_speak_are_counted() -> None:
    assert [build_moment(gateway_count=count).gateway_count for count in (0, 1, 3)] == [1, 1, 3]


OLD, NEW = name_id(15, 1), name_id(15, 2)


@pytest.mark.parametrize(
    ("own", "speaks", "changes", "is_ended"),
    [
        (OLD, NEW, {"is_spool_passed": True}, True),
        (OLD, NEW, {}, False),
        (OLD, OLD, {"is_spool_passed": True}, False),
        (OLD, OLD, {"is_spool_passed": True, "is_last": True}, True),
        (NEW, OLD, {"is_spool_passed": True, "is_last": True}, False),
    ],
    ids=["next life", "next life, spool not passed", "same life", "last word", "a life that is over"],
)
def test_ticket_ends_with_its_incarnation(
    own: UUID, speaks: UUID, changes: dict[str, object], *, is_ended: bool
) -> None:
    assert is_ended_by(build_ticket(incarnation=own), build_report(speaks, **changes)) is is_ended


def test_closed_ticket_holds_nothing() -> None:
    closed = close_ticket(want(build_ticket(credit_nano=50, reserved_nano=5, give_back_nano=3), 4), NOW)
    assert (closed.state, closed.closed_at, closed.held_nano) == (TicketState.CLOSED, NOW, 0)
    assert (closed.reserved_nano, closed.give_back_nano, closed.wanted_nano) == (0, 0, 0)
    assert closed.credit_nano == 50
