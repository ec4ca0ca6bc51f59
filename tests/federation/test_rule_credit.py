"""Credit between platforms: how it is leased, and that no order of letters, cut, repeat or silence overspends or frees it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import OrganizationId, TicketId
from keisan.domain.platform_ticket import (
    CreditSide,
    CrossChargeState,
    PlatformCreditTerms,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.price import TokenClass
from keisan.federation.rule_credit import (
    CreditStep,
    GatewayTickets,
    Lease,
    LeaseRoom,
    Word,
    compute_growth_nano,
    compute_rate_ppm,
    decide_home,
    decide_serving,
    give_return,
    list_changed_prices,
    pin_prices,
    renew_lease,
    take_lease,
    take_return,
)
from keisan.kit.ids import create_id
from keisan.ledger.rule_platform_ticket import (
    CrossCall,
    apply_charge,
    can_spend,
    charge_call,
    close_platform_ticket,
    compute_free_at,
    count_aside_nano,
    find_broken,
    refuse_call,
    sum_credit,
    suspend_charge,
)
from tests.domain.credit_samples import OTHER_ID, PINNED, create_cross_charge, create_platform_ticket
from tests.domain.samples import build_price, create_record_id
from tests.factories import NOW, PLATFORM_ID

OWNER = OrganizationId(create_id())
TERMS = PlatformCreditTerms()
RETURNING, CLOSED = PlatformTicketState.RETURNING, PlatformTicketState.CLOSED
HOME = create_platform_ticket(OWNER, ceiling_nano=100, prices=(PINNED,))
EMPTY = create_platform_ticket(
    OWNER,
    side=CreditSide.SERVING,
    platform_id=OTHER_ID,
    counterparty_id=PLATFORM_ID,
    prices=(),
    ceiling_nano=0,
    number=0,
    epoch=3,
    expires_at=NOW,
)
LEASE = Lease(HOME.id, "", (replace(PINNED, home_nano_per_million=None),), 100, TERMS.lease_s, 1, NOW, 3, False)
NO_GATEWAYS = GatewayTickets(0, 0, 0)


def test_prices_are_pinned_of_models_that_home_sells_at_a_bounded_multiple() -> None:
    own = {"small": build_price(currency="CNY", nano_per_million={TokenClass.INPUT: 3 * 10**9, TokenClass.OUTPUT: 1})}
    (pinned,) = pin_prices([PINNED], own, "CNY")
    assert pinned.home_nano_per_million == own["small"].nano_per_million
    assert compute_rate_ppm([pinned]) == 3_000_000
    assert compute_rate_ppm([]) == 1_000_000
    assert pin_prices([PINNED], own, "JPY") == ()
    assert pin_prices([PINNED], {}, "CNY") == ()
    free = replace(PINNED, nano_per_million={TokenClass.INPUT: 0, TokenClass.OUTPUT: 0})
    assert pin_prices([free], own, "CNY") == (), "no multiple of nothing covers home's price"
    more = replace(PINNED, nano_per_million={**PINNED.nano_per_million, TokenClass.IMAGE: 7})
    assert pin_prices([more], own, "CNY") == (), "home has no price for pictures"
    bare = replace(PINNED, nano_per_million={})
    assert compute_rate_ppm(pin_prices([bare], own, "CNY")) == 1
    nothing = {"small": build_price(currency="CNY", nano_per_million={TokenClass.INPUT: 0, TokenClass.OUTPUT: 0})}
    assert compute_rate_ppm(pin_prices([PINNED], nothing, "CNY")) == 1


@pytest.mark.parametrize(
    ("left", "wanted", "room", "grown"),
    [
        (0, 0, LeaseRoom(800, None, None), 100),
        (0, 0, LeaseRoom(800, None, 300), 300),
        (0, 0, LeaseRoom(800, None, 5), 50),
        (0, 0, LeaseRoom(800, None, 900), 400),
        (0, 350, LeaseRoom(800, None, None), 350),
        (0, 900, LeaseRoom(800, None, None), 400),
        (0, 900, LeaseRoom(800, 60, None), 60),
        (200, 0, LeaseRoom(600, None, 300), 100),
        (500, 0, LeaseRoom(600, None, 300), 0),
        (10, 10, LeaseRoom(0, None, 300), 0),
        (10, 10, LeaseRoom(-50, None, 300), 0),
    ],
)
def test_lease_follows_the_forecast_within_floor_and_cap(left: int, wanted: int, room: LeaseRoom, grown: int) -> None:
    assert compute_growth_nano(left, wanted, room) == grown


def test_home_reckons_from_when_the_word_came_and_the_holder_from_when_it_was_sent() -> None:
    word = Word(NOW + timedelta(hours=1), NOW + timedelta(hours=5), 3, 0)
    renewed = renew_lease(HOME, word, 20, TERMS)
    assert (renewed.ceiling_nano, renewed.number, renewed.epoch) == (120, 2, 3)
    assert renewed.expires_at == word.arrived_at + timedelta(seconds=TERMS.lease_s)
    assert renew_lease(renewed, replace(word, arrived_at=NOW), 0, TERMS).expires_at == renewed.expires_at
    held = take_lease(None, replace(LEASE, answers_at=word.sent_at), EMPTY)
    assert held.expires_at == word.sent_at + timedelta(seconds=TERMS.lease_s) < renewed.expires_at


def test_lease_is_taken_once_and_never_falls_back() -> None:
    held = take_lease(None, LEASE, EMPTY)
    assert (held.id, held.ceiling_nano, held.number, held.side) == (HOME.id, 100, 1, CreditSide.SERVING)
    later = take_lease(held, replace(LEASE, number=2, ceiling_nano=150, answers_at=NOW + timedelta(days=1)), EMPTY)
    assert later.ceiling_nano == 150
    for overtaken in (LEASE, replace(LEASE, number=2, ceiling_nano=900)):
        assert take_lease(later, overtaken, EMPTY) == later
    older = take_lease(later, replace(LEASE, number=3, ceiling_nano=150, answers_at=NOW), EMPTY)
    assert older.expires_at == later.expires_at
    closed = close_platform_ticket(later, NOW)
    assert take_lease(closed, replace(LEASE, number=9, ceiling_nano=900), EMPTY) == closed


@pytest.mark.parametrize(
    "changes",
    [{"ceiling_nano": 99}, {"epoch": 2}, {"prices": ()}, {"prices": (replace(PINNED, nano_per_million={}),)}],
)
def test_lease_that_takes_back_what_was_signed_is_refused(changes: dict[str, Any]) -> None:
    held = take_lease(None, LEASE, EMPTY)
    with pytest.raises(InvalidInput):
        take_lease(held, replace(LEASE, number=2, **changes), EMPTY)


def test_lease_of_this_very_epoch_is_taken_and_models_may_be_added() -> None:
    held = take_lease(None, LEASE, EMPTY)
    more = replace(PINNED, model_id=create_id(), model="large")  # type: ignore[arg-type]  # an id
    taken = take_lease(held, replace(LEASE, number=2, prices=(*LEASE.prices, more)), EMPTY)
    assert len(taken.prices) == 2
    assert list_changed_prices(taken.prices, LEASE.prices) == [more.model_id]


def test_ticket_that_is_asked_back_leases_nothing_more_and_is_not_prolonged() -> None:
    held = take_lease(None, LEASE, EMPTY)
    asked = replace(LEASE, number=2, is_asked_back=True, answers_at=NOW + timedelta(days=9))
    back = take_lease(held, asked, EMPTY)
    assert (back.state, back.expires_at) == (RETURNING, held.expires_at)
    again = take_lease(back, replace(LEASE, number=3, answers_at=NOW + timedelta(days=9)), EMPTY)
    assert (again.state, again.expires_at) == (RETURNING, held.expires_at)


def test_return_frees_what_was_neither_spent_there_nor_seen_here() -> None:
    assert take_return(HOME, 0, NOW).state is CLOSED
    half = take_return(HOME, 40, NOW)
    assert (half.state, half.returned_nano, half.left_nano) == (RETURNING, 60, 40), "40 are still to come"
    crossed = take_return(replace(HOME, ceiling_nano=150), 40, NOW)
    assert (crossed.returned_nano, crossed.left_nano) == (110, 40), "what was leased meanwhile is free too"
    seen = take_return(replace(HOME, spent_nano=30, waiting_nano=20), 0, NOW)
    assert (seen.returned_nano, seen.left_nano) == (50, 20)
    assert take_return(half, 90, NOW) == half, "what came back stays"
    assert take_return(half, 1_000, NOW) == half
    closed = close_platform_ticket(HOME, NOW)
    assert take_return(closed, 0, NOW) == closed
    assert take_return(replace(HOME, spent_nano=100), 100, NOW).state is CLOSED


def test_home_ends_what_is_settled_or_surely_over_and_nothing_by_silence() -> None:
    free_at = compute_free_at(HOME, TERMS)
    for now, step in [(HOME.expires_at, CreditStep.WAIT), (free_at, CreditStep.CLOSE)]:
        assert decide_home(HOME, now, TERMS) is step
    assert decide_home(replace(HOME, state=RETURNING, spent_nano=100), NOW, TERMS) is CreditStep.CLOSE
    assert decide_home(replace(HOME, state=CLOSED), free_at, TERMS) is CreditStep.WAIT


def test_serving_platform_speaks_in_time_and_returns_only_what_no_gateway_holds() -> None:
    held = replace(take_lease(None, LEASE, EMPTY), heard_at=NOW)
    soon, due = NOW + timedelta(seconds=TERMS.hurry_s), NOW + timedelta(seconds=TERMS.word_s)
    out = GatewayTickets(1, 10, 0)
    for ticket, gateways, now, step in [
        (held, NO_GATEWAYS, soon, CreditStep.WAIT),
        (held, NO_GATEWAYS, due, CreditStep.SPEAK),
        (held, replace(out, wanted_nano=1), soon, CreditStep.SPEAK),
        (held, replace(out, wanted_nano=1), NOW, CreditStep.WAIT),
        (held, replace(out, held_nano=75), soon, CreditStep.SPEAK),
        (held, replace(out, held_nano=74), soon, CreditStep.WAIT),
        (held, out, held.expires_at, CreditStep.STOP),
        (replace(held, state=RETURNING), out, held.expires_at, CreditStep.WAIT),
        (held, NO_GATEWAYS, held.expires_at, CreditStep.RETURN),
        (replace(held, state=RETURNING), NO_GATEWAYS, NOW, CreditStep.RETURN),
        (replace(held, state=CLOSED), NO_GATEWAYS, due, CreditStep.WAIT),
    ]:
        assert decide_serving(ticket, gateways, now, TERMS) is step
    given = give_return(replace(held, spent_nano=30), NOW)
    assert (given.state, given.returned_nano) == (CLOSED, 70)


class CreditPair(RuleBasedStateMachine):
    """Home and a serving platform, letters that are lost, repeated and overtaken, days of silence, and clocks that are off.

    `calls` were spent there and never reached home yet; each may arrive any number of times, at any time.
    """

    FILLED_NANO = 10**7

    def __init__(self) -> None:
        super().__init__()
        self.now, self.skew = NOW, timedelta(0)
        self.balance_nano = self.FILLED_NANO
        self.home: PlatformTicket | None = None
        self.held: PlatformTicket | None = None
        self.told: list[Lease] = []
        self.words: list[Word] = []
        self.returns: list[tuple[TicketId, int]] = []
        self.calls: list[CrossCall] = []
        self.charges: dict[Any, Any] = {}

    @property
    def free_nano(self) -> int:
        return self.balance_nano - (count_aside_nano(self.home) if self.home else 0)

    @rule(ahead_s=st.integers(-600, 600))
    def set_clock(self, ahead_s: int) -> None:
        self.skew = timedelta(seconds=ahead_s)

    @rule(hours=st.sampled_from([0, 1, 30, 72, 97, 200]))
    def wait(self, hours: int) -> None:
        before = self.free_nano
        self.now += timedelta(hours=hours)
        assert self.free_nano == before, "silence frees nothing"

    @rule(wanted=st.integers(0, 10**6))
    def speak(self, wanted: int) -> None:
        self.words.append(Word(self.now + self.skew, self.now, 0, wanted))

    @precondition(lambda self: self.words)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        word = replace(data.draw(st.sampled_from(self.words)), arrived_at=self.now)
        if self.home is None or self.home.state is CLOSED:
            self.home = create_platform_ticket(
                OWNER, ceiling_nano=0, number=0, epoch=0, rate_ppm=1_500_000, expires_at=self.now
            )
        elif self.home.state is RETURNING:
            return
        room = LeaseRoom(self.free_nano * 10**6 // self.home.rate_ppm, None, None)
        grown_nano = compute_growth_nano(self.home.left_nano, word.wanted_nano, room)
        self.home = renew_lease(self.home, word, grown_nano, TERMS)
        prices = (replace(PINNED, home_nano_per_million=None),)
        ceiling, number = self.home.ceiling_nano, self.home.number
        self.told.append(Lease(self.home.id, "", prices, ceiling, TERMS.lease_s, number, word.sent_at, 0, False))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.told))
        if self.held is not None and self.held.id != lease.ticket_id and self.held.state is not CLOSED:
            return
        own = self.held if self.held is not None and self.held.id == lease.ticket_id else None
        if own is None and any(each[0] == lease.ticket_id for each in self.returns):
            return
        empty = replace(EMPTY, epoch=0, expires_at=self.now + self.skew)
        self.held = take_lease(own, lease, empty)

    @precondition(lambda self: self.held is not None)
    @rule(output=st.integers(1, 100))
    def serve(self, output: int) -> None:
        assert self.held is not None
        amount_nano = 2_000 * output
        if can_spend(self.held, self.now + self.skew) and amount_nano <= self.held.left_nano:
            call = CrossCall(
                record_id=create_record_id(self.now),
                ticket_id=self.held.id,
                organization_id=OWNER,
                currency="CNY",
                price_id=PINNED.price_id,
                quantities={TokenClass.OUTPUT: output},
                amount_nano=amount_nano,
                admitted_at=self.now,
            )
            self.held = replace(self.held, spent_nano=self.held.spent_nano + amount_nano)
            self.calls.append(call)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def hand_in(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.calls))
        if call.record_id in self.charges:
            return
        own = self.home if self.home is not None and self.home.id == call.ticket_id else None
        was_free = self.free_nano
        draft = create_cross_charge(self.home or HOME, record_id=call.record_id, charged_nano=0, tax_nano=0)
        code = refuse_call(own, call, OTHER_ID)
        charge = suspend_charge(draft, code) if own is None or code else charge_call(own, call, 0, draft)
        if own is not None:
            self.home = apply_charge(own, charge, None)
        self.charges[call.record_id] = charge
        self.balance_nano -= charge.charged_nano
        assert self.free_nano >= was_free, "no record is paid by what was not set aside for it"

    @precondition(lambda self: self.held is not None)
    @rule(is_asked=st.booleans())
    def decide_there(self, is_asked: bool) -> None:  # drawn
        assert self.held is not None
        held = replace(self.held, state=RETURNING) if is_asked and self.held.state is not CLOSED else self.held
        if decide_serving(held, NO_GATEWAYS, self.now + self.skew, TERMS) is CreditStep.RETURN:
            self.held = give_return(held, self.now)
            self.returns.append((held.id, held.spent_nano))

    @precondition(lambda self: self.returns)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        ticket_id, spent_nano = data.draw(st.sampled_from(self.returns))
        if self.home is not None and self.home.id == ticket_id:
            self.home = take_return(self.home, spent_nano, self.now)

    @precondition(lambda self: self.home is not None)
    @rule()
    def decide_here(self) -> None:
        assert self.home is not None
        if decide_home(self.home, self.now, TERMS) is CreditStep.CLOSE:
            self.home = close_platform_ticket(self.home, self.now)

    @invariant()
    def customer_is_never_overspent_and_credit_is_conserved(self) -> None:
        assert self.free_nano >= 0
        tickets = [self.home] if self.home else []
        assert sum_credit(self.balance_nano, 0, tickets, self.FILLED_NANO - self.balance_nano).total_nano == (
            self.FILLED_NANO
        )
        for ticket in (self.home, self.held):
            assert ticket is None or find_broken(ticket) == ""

    @invariant()
    def what_the_other_may_still_spend_or_hand_in_is_set_aside(self) -> None:
        """Whatever home did not close by time, it holds what the other end may spend, and what that spent and did not tell."""
        if self.home is None or self.held is None or self.home.id != self.held.id or self.home.state is CLOSED:
            return
        untold_nano = sum(
            call.amount_nano
            for call in self.calls
            if call.ticket_id == self.home.id and call.record_id not in self.charges
        )
        may_spend_nano = self.held.left_nano
        assert self.home.left_nano >= untold_nano + may_spend_nano

    @invariant()
    def nothing_is_suspended_while_home_holds_it(self) -> None:
        for charge in self.charges.values():
            assert charge.state is CrossChargeState.POSTED or self.home is None or self.home_closed()

    def home_closed(self) -> bool:
        """Tell whether some ticket was ever over by time: only after that is a record the other platform's risk."""
        return self.now - NOW >= timedelta(seconds=TERMS.lease_s + TERMS.lateness_s + TERMS.skew_s)


def test_no_order_of_letters_cuts_and_repeats_overspends_or_frees_credit() -> None:
    run_state_machine_as_test(CreditPair, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))
