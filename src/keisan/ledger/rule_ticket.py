"""Ticket rules: how much is leased, what is asked back, and when a ticket ends. Values in, values out.

Nothing here can overspend: a lease never exceeds what is available, and what is available is what no ticket holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from keisan.domain.holder import Holder
from keisan.domain.ids import TicketId
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.wire.credit import CreditReport, TicketReport

# A call waits a few seconds for credit at most: a want that is older than this is no call's, and waits behind those.
FRESH_WANT_S = 5
# A lease is written down anew only when this part of it is over: a ticket that nobody calls on costs no write.
WRITES_PER_LEASE = 20


@dataclass(frozen=True, slots=True)
class Moment:
    """When and on what terms something is decided, and which incarnations have spoken lately."""

    now: datetime
    terms: CreditTerms
    speaking: frozenset[UUID] = frozenset()

    @property
    def gateway_count(self) -> int:
        """Return the number of gateways that speak, at least 1."""
        return max(1, len(self.speaking))

    def is_reachable(self, ticket: Ticket) -> bool:
        """Tell whether the process that holds the ticket spoke lately."""
        return ticket.incarnation in self.speaking

    def is_fresh(self, ticket: Ticket) -> bool:
        """Tell whether a call may be waiting for what the ticket wants."""
        return ticket.wanting_since is not None and self.now - ticket.wanting_since <= timedelta(seconds=FRESH_WANT_S)


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that the tickets of a holder, and of those below it, may hold: a wallet's, or a budget's that is left."""

    holder: Holder
    limit_nano: int
    is_wallet: bool = False


@dataclass(frozen=True, slots=True)
class Pot:
    """The bounds that bind one holder, the finest holder's first, and every open ticket under any of them."""

    bounds: Sequence[Bound]
    tickets: Mapping[TicketId, Ticket]

    @property
    def available_nano(self) -> int:
        """Return what may be leased: below zero if a bound was lowered, or more was posted than leased."""
        return min(self.count_available(bound) for bound in self.bounds)

    def list_under(self, bound: Bound) -> list[Ticket]:
        """Return the tickets that count against a bound."""
        return [ticket for ticket in self.tickets.values() if bound.holder.is_over(ticket.holder)]

    def count_held(self, bound: Bound) -> int:
        """Return what all tickets under a bound hold."""
        return sum(ticket.held_nano for ticket in self.list_under(bound))

    def count_available(self, bound: Bound) -> int:
        """Return what no ticket holds of a bound."""
        return bound.limit_nano - self.count_held(bound)

    def put(self, *tickets: Ticket) -> "Pot":
        """Return the pot with these tickets in place of what they were."""
        return replace(self, tickets={**self.tickets, **{ticket.id: ticket for ticket in tickets}})


def merge_report(ticket: Ticket, report: TicketReport) -> Ticket:
    """Return the ticket after its gateway's word. What only grows never falls, whatever order reports come in.

    No more is taken back than the ticket holds.
    """
    return replace(
        ticket,
        spent_nano=max(ticket.spent_nano, report.spent_nano),
        returned_nano=max(ticket.returned_nano, min(report.returned_nano, ticket.credit_nano - ticket.posted_nano)),
        reserved_nano=report.reserved_nano,
    )


def renew_ticket(ticket: Ticket, moment: Moment) -> Ticket:
    """Return the ticket leased anew from now, or as it is if that was written down a short while ago."""
    expires_at = moment.now + timedelta(seconds=moment.terms.lease_s)
    is_due = expires_at - ticket.expires_at >= _compute_unwritten(moment.terms)
    return replace(ticket, expires_at=expires_at) if is_due else ticket


def _compute_unwritten(terms: CreditTerms) -> timedelta:
    """Return by how much a gateway may spend for longer than is written down."""
    return timedelta(seconds=terms.lease_s) // WRITES_PER_LEASE


def compute_lease_nano(wanted_nano: int, available_nano: int, gateway_count: int) -> int:
    """Return how much to lease: what is wanted, or more while there is plenty, but never beyond what is available.

    With half of an equal part each time, leases shrink as the wallet nears zero, and something is left for the others.
    """
    plenty_nano = available_nano // (2 * gateway_count)
    return max(0, min(available_nano, max(wanted_nano, plenty_nano)))


def serve_want(pot: Pot, own_id: TicketId, wanted_nano: int, moment: Moment) -> tuple[Pot, Bound | None]:
    """Return the pot after the want of one of its tickets, and the bound within which nothing more can come, if any.

    What is missing is asked back from the other tickets under each bound that lacks it. Of two that want the same, the
    one that wanted first is served first: the other neither takes what is there nor what comes back.
    """
    own = _note_want(pot.tickets[own_id], wanted_nano, moment)
    queues = [_Queue(bound, _list_rivals(pot.list_under(bound), own, moment)) for bound in pot.bounds]
    room_nano = min(pot.count_available(queue.bound) - queue.wanted_nano for queue in queues)
    leased_nano = compute_lease_nano(wanted_nano, room_nano, moment.gateway_count)
    missing_nano = max(0, wanted_nano - leased_nano)
    # What was served in part is a new want: its calls may go on waiting.
    since = moment.now if leased_nano else own.wanting_since
    own = replace(own, credit_nano=own.credit_nano + leased_nano, wanted_nano=missing_nano, wanting_since=since)
    served = pot.put(own)
    refusing = _find_refusing(served, own, moment) if missing_nano else None
    if refusing is not None or not missing_nano:
        served = served.put(replace(own, wanted_nano=0, wanting_since=None))
    else:
        for queue in queues:
            served = _ask_within(served, queue, own, moment)
    return mark_contested(served, own.holder, moment), refusing


@dataclass(frozen=True, slots=True)
class _Queue:
    """A bound, and the tickets under it whose wants are served first."""

    bound: Bound
    rivals: Sequence[Ticket]

    @property
    def wanted_nano(self) -> int:
        return sum(rival.wanted_nano for rival in self.rivals)


def _list_others(pot: Pot, bound: Bound, own: Ticket, moment: Moment) -> list[Ticket]:
    """Return the other tickets under a bound that something could come back from."""
    return [other for other in pot.list_under(bound) if other.id != own.id and moment.is_reachable(other)]


def _find_refusing(pot: Pot, own: Ticket, moment: Moment) -> Bound | None:
    for bound in pot.bounds:
        others = _list_others(pot, bound, own, moment)
        if pot.count_available(bound) <= 0 and not any(other.unspent_nano for other in others):
            return bound
    return None


def _ask_within(pot: Pot, queue: _Queue, own: Ticket, moment: Moment) -> Pot:
    """Return the pot after what a bound lacks was asked back, beside what is asked back already."""
    others = _list_others(pot, queue.bound, own, moment)
    ahead = {rival.id for rival in queue.rivals}
    asked_nano = sum(other.give_back_nano for other in others)
    needed_nano = own.wanted_nano + queue.wanted_nano - pot.count_available(queue.bound) - asked_nano
    return pot.put(*_ask_back([other for other in others if other.id not in ahead], needed_nano))


def _note_want(own: Ticket, wanted_nano: int, moment: Moment) -> Ticket:
    since = own.wanting_since if own.wanted_nano else None
    return replace(own, wanted_nano=wanted_nano, wanting_since=since or moment.now)


def _list_rivals(tickets: Iterable[Ticket], own: Ticket, moment: Moment) -> list[Ticket]:
    """Return those tickets whose wants go before the own one: those of calls that wait, by how long they do."""

    def rank(ticket: Ticket) -> tuple[bool, datetime, TicketId]:
        return (not moment.is_fresh(ticket), ticket.wanting_since or moment.now, ticket.id)

    wanting = [other for other in tickets if other.wanted_nano and other.id != own.id]
    waiting = [other for other in wanting if moment.is_fresh(other) and moment.is_reachable(other)]
    return [other for other in waiting if rank(other) < rank(own)]


def _ask_back(givers: Iterable[Ticket], needed_nano: int) -> list[Ticket]:
    """Return the givers that are asked: first for what was free when they last spoke, then for what calls held then."""
    asked = {giver.id: giver for giver in sorted(givers, key=lambda giver: (-giver.free_nano, giver.id))}
    for measure in (attrgetter("free_nano"), attrgetter("unspent_nano")):
        for giver in list(asked.values()):
            more_nano = max(0, min(needed_nano, measure(giver) - giver.give_back_nano))
            asked[giver.id] = replace(giver, give_back_nano=giver.give_back_nano + more_nano)
            needed_nano -= more_nano
    return list(asked.values())


def mark_contested(pot: Pot, holder: Holder, moment: Moment) -> Pot:
    """Return the pot with the tickets marked of which, within a bound, more is held than left, and several hold some.

    Their gateways then speak more often, so that what one needs comes back from another while a call waits. Other
    holders' tickets stay marked: they may be bound by more than this pot knows.
    """
    contested: set[TicketId] = set()
    for bound in pot.bounds:
        under = pot.list_under(bound)
        holders = [ticket for ticket in under if ticket.unspent_nano and moment.is_reachable(ticket)]
        if len(holders) > 1 and pot.count_available(bound) < pot.count_held(bound):
            contested |= {ticket.id for ticket in under}
    return pot.put(
        *(
            replace(ticket, is_contested=ticket.id in contested or (ticket.is_contested and ticket.holder != holder))
            for ticket in pot.tickets.values()
        )
    )


def recall_ticket(ticket: Ticket, now: datetime) -> Ticket:
    """Return the ticket of a holder from whom nothing is leased any more: asked back whole, and closed once it is empty."""
    if not ticket.held_nano and not ticket.reserved_nano:
        return close_ticket(ticket, now)
    return replace(ticket, give_back_nano=ticket.unspent_nano, wanted_nano=0, wanting_since=None)


def is_ended_by(ticket: Ticket, report: CreditReport) -> bool:
    """Tell whether a gateway's report says that nothing will be posted against one of its tickets any more."""
    if ticket.incarnation == report.incarnation:
        return report.is_last
    return ticket.incarnation < report.incarnation and report.is_spool_passed


def is_expired(ticket: Ticket, moment: Moment) -> bool:
    """Tell whether the gateway has been silent for so long that its records are not awaited any more."""
    return moment.now >= compute_end(ticket, moment.terms)


def compute_end(ticket: Ticket, terms: CreditTerms) -> datetime:
    """Return when a ticket ends without another word of its gateway: then its lease and the window are surely over."""
    return ticket.expires_at + _compute_unwritten(terms) + timedelta(seconds=terms.lateness_s)


def close_ticket(ticket: Ticket, now: datetime) -> Ticket:
    """Return the ticket closed: what it held is free again."""
    return replace(
        ticket,
        state=TicketState.CLOSED,
        closed_at=now,
        reserved_nano=0,
        give_back_nano=0,
        wanted_nano=0,
        wanting_since=None,
        is_contested=False,
    )
