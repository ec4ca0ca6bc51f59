"""Rules of leasing credit to platforms: how much, for how long, when it is renewed, returned, and over. Pure.

The serving platform speaks, home leases from what no ticket holds. The holder reckons its lease from when it sent its word,
the giver from when that came, so home never takes for over what the other end may still spend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import ModelId, PriceId, TicketId
from keisan.domain.platform_ticket import (
    PinnedPrice,
    PlatformCreditTerms,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.price import PARENT_CLASS, Price, TokenClass
from keisan.ledger.rule_platform_ticket import close_platform_ticket, is_ended_by_time, is_lease_over, is_settled
from keisan.ledger.rule_split import PPM

# Of what is free and what a ticket has left: the least and the most that it is filled up to, and what is leased unforecast.
FLOOR_PARTS, CAP_PARTS, START_PARTS = 16, 2, 8


class CreditStep(StrEnum):
    """What is to be done about a ticket now."""

    WAIT = "wait"
    SPEAK = "speak"
    STOP = "stop"
    RETURN = "return"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Word:
    """What the serving platform said of a ticket, with the moment of its own clock, and when that came."""

    sent_at: datetime
    arrived_at: datetime
    epoch: int
    wanted_nano: int


@dataclass(frozen=True, slots=True)
class Lease:
    """What home leased: a ticket as its signed letter says it."""

    ticket_id: TicketId
    policy: str
    prices: Sequence[PinnedPrice]
    ceiling_nano: int
    lease_s: int
    number: int
    answers_at: datetime
    epoch: int
    is_asked_back: bool


@dataclass(frozen=True, slots=True)
class GatewayTickets:
    """What own gateways have open under a platform ticket: how many, what they hold, and what they want and did not get."""

    count: int
    held_nano: int
    wanted_nano: int


@dataclass(frozen=True, slots=True)
class LeaseRoom:
    """What bounds a lease, at the wholesale price: what no ticket holds, and the most that one may have left, None for no such.

    `forecast_nano` is the upper end of what is expected to be spent within a lease, None without a forecast.
    """

    free_nano: int
    left_nano_max: int | None
    forecast_nano: int | None


def pin_prices(asked: Sequence[PinnedPrice], own: Mapping[str, Price], currency: str) -> tuple[PinnedPrice, ...]:
    """Return those prices of a serving platform that a ticket can pin: of models that home itself has a price for.

    For each class home's price must be bounded by a multiple of the wholesale one, or the money set aside could not cover it.
    """
    pinned = []
    for each in asked:
        home = own.get(each.model)
        if home is not None and home.currency == currency:
            candidate = replace(each, home_nano_per_million=dict(home.nano_per_million))
            if _find_rate(candidate) is not None:
                pinned.append(candidate)
    return tuple(pinned)


def compute_rate_ppm(prices: Sequence[PinnedPrice]) -> int:
    """Return how much home sets aside for each nano-unit of a ceiling, in millionths: the dearest class of the dearest model."""
    return max((_find_rate(each) or 0 for each in prices), default=PPM)


def compute_growth_nano(ticket_left_nano: int, wanted_nano: int, room: LeaseRoom) -> int:
    """Return by how much a ceiling grows: to the forecast, within a floor and a cap, and never beyond what is free.

    At most half of what is there goes to one platform at a time: what a cut one holds is missing everywhere else.
    """
    whole_nano = max(0, room.free_nano) + ticket_left_nano
    expected_nano = whole_nano // START_PARTS if room.forecast_nano is None else room.forecast_nano
    target_nano = max(expected_nano, whole_nano // FLOOR_PARTS, ticket_left_nano + wanted_nano)
    target_nano = min(target_nano, whole_nano // CAP_PARTS)
    if room.left_nano_max is not None:
        target_nano = min(target_nano, room.left_nano_max)
    return max(0, min(room.free_nano, target_nano - ticket_left_nano))


def renew_lease(ticket: PlatformTicket, word: Word, grown_nano: int, terms: PlatformCreditTerms) -> PlatformTicket:
    """Return home's ticket leased anew from when the word came; its ceiling and its end never fall."""
    return replace(
        ticket,
        number=ticket.number + 1,
        epoch=word.epoch,
        ceiling_nano=ticket.ceiling_nano + grown_nano,
        lease_s=terms.lease_s,
        expires_at=max(ticket.expires_at, word.arrived_at + timedelta(seconds=terms.lease_s)),
        heard_at=word.arrived_at,
    )


def take_lease(ticket: PlatformTicket | None, lease: Lease, empty: PlatformTicket) -> PlatformTicket:
    """Return the serving platform's ticket after a lease; `empty` is one with nothing in it.

    An overtaken lease changes nothing. Raises InvalidInput for a ceiling that falls, another price for a model, or a lease
    that answers another epoch's word.
    """
    before = ticket or replace(
        empty, id=lease.ticket_id, policy=lease.policy, prices=tuple(lease.prices), epoch=empty.epoch
    )
    if is_overtaken(before, lease):
        return before
    check_epoch(before, lease)
    if lease.ceiling_nano < before.ceiling_nano:
        raise InvalidInput("a ceiling only grows", "ceiling_nano")
    if list_changed_prices(before.prices, lease.prices):
        raise InvalidInput("a ticket's prices stay as they are", "prices")
    return replace(
        before,
        number=lease.number,
        policy=lease.policy,
        prices=tuple(lease.prices),
        ceiling_nano=lease.ceiling_nano,
        lease_s=lease.lease_s,
        expires_at=compute_holder_end(before, lease),
        state=PlatformTicketState.RETURNING if lease.is_asked_back else before.state,
    )


def is_overtaken(ticket: PlatformTicket, lease: Lease) -> bool:
    """Tell whether a later lease of a ticket has come already, or it is over for good."""
    return lease.number <= ticket.number or ticket.state is PlatformTicketState.CLOSED


def check_epoch(ticket: PlatformTicket, lease: Lease) -> None:
    """Raise InvalidInput for a lease that answers what was said before the last join, move or restore."""
    if lease.epoch < ticket.epoch:
        raise InvalidInput("this lease answers a word of an earlier epoch", "epoch")


def compute_holder_end(ticket: PlatformTicket, lease: Lease) -> datetime:
    """Return when the serving platform stops: its lease from when it sent the word, by its own clock. No clock but its own counts.

    A returning ticket is not prolonged.
    """
    if ticket.state is not PlatformTicketState.OPEN or lease.is_asked_back:
        return ticket.expires_at
    return max(ticket.expires_at, lease.answers_at + timedelta(seconds=lease.lease_s))


def list_changed_prices(before: Sequence[PinnedPrice], after: Sequence[PinnedPrice]) -> list[ModelId]:
    """Return the models whose pinned price is another one: models may be added."""
    kept: dict[ModelId, tuple[PriceId, Mapping[TokenClass, int]]] = {
        each.model_id: (each.price_id, each.nano_per_million) for each in after
    }
    return [each.model_id for each in before if kept.get(each.model_id) != (each.price_id, each.nano_per_million)]


def take_return(ticket: PlatformTicket, spent_nano: int, now: datetime) -> PlatformTicket:
    """Return home's ticket after a signed return, which says that nothing but `spent_nano` was spent of it, ever.

    All else is free, also what was leased meanwhile and crossed the return. What was spent and has not come yet, or waits here for
    the other end, stays set aside until its records come, or until the ticket ends by time.
    """
    if ticket.state is PlatformTicketState.CLOSED:
        return ticket
    free_nano = ticket.ceiling_nano - max(spent_nano, ticket.spent_nano + ticket.waiting_nano)
    taken_nano = max(ticket.returned_nano, free_nano)
    returned = replace(ticket, state=PlatformTicketState.RETURNING, returned_nano=taken_nano)
    return close_platform_ticket(returned, now) if is_settled(returned) else returned


def give_return(ticket: PlatformTicket, now: datetime) -> PlatformTicket:
    """Return the serving platform's ticket after its signed return: closed, with all that was left of it returned."""
    returned = replace(ticket, returned_nano=ticket.ceiling_nano - ticket.spent_nano)
    return close_platform_ticket(returned, now)


def decide_home(ticket: PlatformTicket, now: datetime, terms: PlatformCreditTerms) -> CreditStep:
    """Return what home does about a ticket by itself: it ends what is settled, and what has surely ended; by silence nothing."""
    if ticket.state is PlatformTicketState.CLOSED:
        return CreditStep.WAIT
    if is_settled(ticket) or is_ended_by_time(ticket, now, terms):
        return CreditStep.CLOSE
    return CreditStep.WAIT


def decide_serving(
    ticket: PlatformTicket, gateways: GatewayTickets, now: datetime, terms: PlatformCreditTerms
) -> CreditStep:
    """Return what the serving platform does about a ticket: speak, stop, or return it once no gateway holds any of it.

    At its end nothing is refunded by itself: the other platform hears of it by the signed return.
    """
    if ticket.state is PlatformTicketState.CLOSED:
        return CreditStep.WAIT
    if ticket.state is PlatformTicketState.RETURNING or is_lease_over(ticket, now):
        if not gateways.count:
            return CreditStep.RETURN
        return CreditStep.STOP if ticket.state is PlatformTicketState.OPEN else CreditStep.WAIT
    silence_s = (now - ticket.heard_at).total_seconds()
    is_short = bool(gateways.wanted_nano) or 4 * (ticket.left_nano - gateways.held_nano) <= ticket.left_nano
    if silence_s >= terms.word_s or (is_short and silence_s >= terms.hurry_s):
        return CreditStep.SPEAK
    return CreditStep.WAIT


def _find_rate(price: PinnedPrice) -> int | None:
    """Return home's price as millionths of the wholesale one, of the dearest class; None if no multiple covers it."""
    home, rate_ppm = price.home_nano_per_million or {}, 1
    for token_class in TokenClass:
        wholesale_nano = _find_nano(price.nano_per_million, token_class)
        home_nano = _find_nano(home, token_class)
        if wholesale_nano is None:
            # Nobody can be owed for what the serving platform has no price for.
            continue
        if home_nano is None or (home_nano and not wholesale_nano):
            return None
        if home_nano:
            rate_ppm = max(rate_ppm, -(-home_nano * PPM // wholesale_nano))
    return rate_ppm


def _find_nano(prices: Mapping[TokenClass, int], token_class: TokenClass) -> int | None:
    own = prices.get(token_class)
    parent = PARENT_CLASS.get(token_class)
    return own if own is not None or parent is None else prices.get(parent)
