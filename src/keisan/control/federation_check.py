"""`keisan federation check`: reads what this platform holds, asks each neighbour what it holds, and judges every invariant."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from keisan.control.context import Control
from keisan.control.letter_handler import RETRIED_CODES
from keisan.control.link_check import EVERYTHING, list_periods, read_answer, read_cursors, walk_tickets
from keisan.control.settlement_period import name_key
from keisan.domain.access import Principal, Right
from keisan.domain.cross_record import RecordEnd
from keisan.domain.deployment import DeploymentState
from keisan.domain.errors import Failed, InvalidInput, NeighbourUnreachable
from keisan.domain.event import FIRST_EVENT_HASH, Event, hash_event
from keisan.domain.federation_check import CheckState, Finding, Invariant
from keisan.domain.ids import PlatformId
from keisan.domain.link import OPEN_STATES, Link
from keisan.domain.link_log import LinkLog, LogCursor
from keisan.domain.page import PageRequest
from keisan.domain.platform_ticket import CreditSide
from keisan.domain.replica import ReplicaState
from keisan.federation.rule_check import (
    ASKED,
    LedgerReading,
    LifeCount,
    LogReading,
    TicketAmounts,
    find_unequal,
    judge_credit,
    judge_fencing,
    judge_ledgers,
    judge_life,
    judge_logs,
    judge_records,
    judge_registers,
    tell_unknown,
)
from keisan.ledger.paging import walk_pages
from keisan.ledger.rule_platform_ticket import find_broken
from keisan.storage.base import Transaction
from keisan.wire.credit_letter import read_nano
from keisan.wire.link import Cursor
from keisan.wire.link_check import (
    CHECK_SUBJECT,
    CheckAnswer,
    CheckQuestion,
    LedgerMark,
    TicketMark,
    encode_check,
    read_check_answer,
)

# A neighbour is given so long to answer, and so many rounds until what was under way when the check began has arrived.
ANSWER_S_MAX = 5.0
ROUNDS_MAX, ROUND_S = 10, 0.5
EVENTS_AT_ONCE = 500
REFUSED_MAX = 1000
MADE = frozenset({"key.created", "deployment.created", "replica.assigned"})
ENDED = frozenset({"key.revoked", "deployment.deleting", "replica.stopping"})


@dataclass(slots=True)
class _Round:
    """What both sides of a link say at one time, and what had been written when the check began."""

    own: CheckAnswer
    other: CheckAnswer
    own_cursors: Mapping[str, Cursor]
    first: "_Round | None" = None


async def check_federation(control: Control, principal: Principal) -> list[Finding]:
    """Return what was found of every invariant: of the platform itself, and of each neighbour.

    Changes nothing. Raises PermissionDenied or StorageUnavailable; a neighbour that does not answer makes its own unknown.
    """
    principal.require(Right.READ_EVENTS)
    async with control.storage.read() as view:
        links = await view.links.list_states(EVERYTHING, OPEN_STATES)
        findings = [
            await _check_life(view, control.platform_id),
            await _check_fencing(view, control),
            await _check_records(view),
        ]
    unequal: list[str] = []
    for link in links:
        findings += await _check_link(control, link, unequal)
    async with control.storage.read() as view:
        findings.append(await _check_credit(view, unequal))
    order = list(Invariant)
    return sorted(findings, key=lambda each: (order.index(each.invariant), each.neighbour))


async def _check_life(view: Transaction, own_id: PlatformId) -> Finding:
    told, previous, after = LifeCount(), FIRST_EVENT_HASH, 0
    while events := await view.events.list(EVERYTHING, after, EVENTS_AT_ONCE):
        for event in events:
            told.is_chained &= event.previous_hash == previous and event.hash == hash_event(event)
            _count_event(told, event)
            previous, after = event.hash, event.sequence
    keys = [key async for key in walk_pages(view.keys.list)]
    deployments = [deployment async for deployment in walk_pages(view.deployments.list)]
    replicas = [replica async for replica in walk_pages(view.replicas.list)]
    there: list[UUID] = [
        *(each.id for each in keys),
        *(each.id for each in deployments),
        *(each.id for each in replicas),
    ]
    gone: list[UUID] = [key.id for key in keys if key.revoked_at is not None and key.platform_id == own_id]
    gone += [each.id for each in deployments if each.state is not DeploymentState.ACTIVE]
    gone += [each.id for each in replicas if each.state in (ReplicaState.STOPPING, ReplicaState.STOPPED)]
    return judge_life(told, there, gone)


def _count_event(told: LifeCount, event: Event) -> None:
    told.events += 1
    if event.noun_id is not None and event.action in MADE:
        told.made.add(event.noun_id)
    if event.noun_id is not None and event.action in ENDED:
        told.ended.add(event.noun_id)


async def _check_fencing(view: Transaction, control: Control) -> Finding:
    grants = await view.grants.list_holding(EVERYTHING)
    granted = {device for grant in grants for device in grant.device_ids}
    running = [
        (replica.device_id, replica.deployment_id)
        for replica in await view.replicas.list_by_ids(EVERYTHING, None)
        if replica.device_id is not None and replica.device_id in granted
    ]
    served = [each async for each in _walk_served(view, control)]
    devices = [device for grant in grants for device in grant.device_ids]
    return judge_fencing(devices, running, served)


async def _walk_served(view: Transaction, control: Control) -> AsyncIterator[tuple[UUID, str]]:
    """Yield the calls across platforms of the last days with the platforms that say that they served them."""
    for period in list_periods(control):
        for settlement in await view.settlements.list_period(EVERYTHING, period):
            page: PageRequest | None = PageRequest(limit=EVENTS_AT_ONCE)
            while page is not None:
                found = await view.cross_records.list_page(EVERYTHING, name_key(settlement), page)
                for record in found.items:
                    if record.usage.end is RecordEnd.SERVING:
                        yield record.usage.record_id, record.usage.author
                page = PageRequest(found.next_after, EVENTS_AT_ONCE) if found.next_after is not None else None


async def _check_records(view: Transaction) -> Finding:
    refused = await view.refused_letters.list_link(EVERYTHING, None, REFUSED_MAX)
    return judge_records((each.code for each in refused), RETRIED_CODES)


async def _check_credit(view: Transaction, unequal: Iterable[str]) -> Finding:
    broken, tickets = list(unequal), 0
    async for ticket in walk_tickets(view, None):
        tickets += 1
        waiting = await view.cross_charges.list_waiting(EVERYTHING, ticket.id)
        waiting_nano = sum(each.wholesale_nano for each in waiting)
        if fault := find_broken(ticket):
            broken.append(f"ticket {ticket.id}: {fault}")
        elif ticket.side is CreditSide.HOME and waiting_nano != ticket.waiting_nano:
            broken.append(f"ticket {ticket.id}: {ticket.waiting_nano} wait, its records come to {waiting_nano}")
    return judge_credit(broken, tickets)


async def _check_link(control: Control, link: Link, unequal: list[str]) -> list[Finding]:
    """Ask one neighbour until all that was under way has arrived, at most ROUNDS_MAX times."""
    try:
        first = latest = await _ask(control, link)
        findings, differences = _judge_round(link, first)
        for _ in range(ROUNDS_MAX - 1):
            if not differences and all(each.state is CheckState.HELD for each in findings):
                break
            await control.clock.sleep(ROUND_S)
            latest = replace(await _ask(control, link), first=first)
            findings, differences = _judge_round(link, latest)
    except (NeighbourUnreachable, Failed, InvalidInput) as fault:
        return [tell_unknown(each, link.name, fault.outside) for each in ASKED]
    unequal += differences
    return findings


async def _ask(control: Control, link: Link) -> _Round:
    async with control.storage.read() as view:
        cursors = await read_cursors(view, link)
    body = encode_check(CheckQuestion(cursors=cursors))
    answer = read_check_answer(
        await control.link_board.ask(link.neighbour_id, CHECK_SUBJECT, body, wait_s=ANSWER_S_MAX)
    )
    # Read after the answer: whoever has applied a letter by now has it from what is on this disk.
    async with control.storage.read() as view:
        own = await read_answer(view, control, link, CheckQuestion(cursors=answer.cursors))
    return _Round(own, answer, cursors)


def _judge_round(link: Link, found: _Round) -> tuple[list[Finding], list[str]]:
    """Return what was found, and which tickets' ends do not fit."""
    own, other, first = found.own, found.other, found.first or found
    sent = [_read_log(log, own.ends, other.cursors, own.hashes, first.own.ends) for log in LinkLog]
    taken = [_read_log(log, other.ends, found.own_cursors, other.hashes, first.other.ends) for log in LinkLog]
    directions = {"offered": (own.offered, other.held), "taken": (other.offered, own.held)}
    findings = [
        judge_logs(link.name, sent, taken),
        judge_registers(link.name, directions),
        judge_ledgers(link.name, _read_ledgers(own.ledgers), _read_ledgers(other.ledgers)),
    ]
    return findings, _compare_tickets(own, other)


def _read_log(
    log: LinkLog,
    ends: Mapping[str, Cursor],
    cursors: Mapping[str, Cursor],
    hashes: Mapping[str, bytes],
    first_ends: Mapping[str, Cursor],
) -> LogReading:
    end, cursor, first = ends.get(log), cursors.get(log), first_ends.get(log)
    is_same = first is not None and end is not None and first.incarnation == end.incarnation
    reached = first if is_same else end
    return LogReading(
        log, _read_place(end), _read_place(cursor), hashes.get(log), reached.sequence if reached is not None else 0
    )


def _read_place(place: Cursor | None) -> LogCursor | None:
    return None if place is None else LogCursor(place.incarnation, place.sequence, place.hash)


def _read_ledgers(marks: Iterable[LedgerMark]) -> dict[tuple[str, str], LedgerReading]:
    return {(each.author, each.period): LedgerReading(each.leaf_count, each.digest, each.statement) for each in marks}


def _compare_tickets(own: CheckAnswer, other: CheckAnswer) -> list[str]:
    """Return what does not fit of tickets that both ends name."""
    here = {each.id: each for each in own.tickets}
    faults = []
    for theirs in other.tickets:
        ours = here.get(theirs.id)
        if ours is None:
            continue
        if ours.is_home == theirs.is_home:
            faults.append(f"ticket {ours.id}: both ends believe to be the same one")
            continue
        home, serving = (ours, theirs) if ours.is_home else (theirs, ours)
        faults.append(find_unequal(str(ours.id), _read_ticket(home), _read_ticket(serving)))
    return [fault for fault in faults if fault]


def _read_ticket(mark: TicketMark) -> TicketAmounts:
    """Raises InvalidInput for what a neighbour told that is no amount."""
    return TicketAmounts(read_nano(mark.ceiling_nano), read_nano(mark.returned_nano), read_nano(mark.spent_nano))
