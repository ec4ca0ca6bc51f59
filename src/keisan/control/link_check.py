"""What a check of a link reads on either side: how far logs are, what of registers the neighbour has, ledgers and credit of both."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

from keisan.control.context import Control
from keisan.control.link_place import find_ways, is_offered, list_held, load_neighbourhood
from keisan.control.settlement_period import list_leaves, name_key
from keisan.domain.access import PlatformScope
from keisan.domain.ids import PlatformId
from keisan.domain.link import Link
from keisan.domain.link_log import LinkLog, LogCursor, LogEnd
from keisan.domain.platform_ticket import CreditSide, PlatformTicket
from keisan.domain.register import digest_buckets
from keisan.domain.settlement import Settlement
from keisan.federation.rule_comparison import digest_leaves
from keisan.ledger.paging import walk_pages
from keisan.storage.base import Transaction
from keisan.wire.link import Cursor
from keisan.wire.link_check import CheckAnswer, CheckQuestion, LedgerMark, TicketMark

EVERYTHING = PlatformScope()
# So many days of settlements are compared, and so many tickets: an answer is one message.
CHECK_DAYS = 8
CHECK_TICKETS_MAX = 2_000


async def read_cursors(view: Transaction, link: Link) -> dict[str, Cursor]:
    """Return how far the neighbour's logs are applied here."""
    found = {log: await view.incoming_logs.get_cursor(EVERYTHING, link.id, log) for log in LinkLog}
    return {log.value: tell_cursor(cursor) for log, cursor in found.items() if cursor is not None}


async def read_ends(view: Transaction, link: Link) -> dict[str, Cursor]:
    """Return where own logs to the neighbour are."""
    found = {log: await view.outgoing_logs.get_end(EVERYTHING, link.id, log) for log in LinkLog}
    return {log.value: tell_cursor(end) for log, end in found.items() if end is not None}


async def read_hashes(view: Transaction, link: Link, cursors: Mapping[str, Cursor]) -> dict[str, bytes]:
    """Return the hashes of own logs at a receiver's cursors, of those that are kept."""
    found: dict[str, bytes] = {}
    for log in LinkLog:
        cursor = cursors.get(log.value)
        if cursor is not None:
            kept = await view.outgoing_logs.find_hash(EVERYTHING, link.id, log, cursor.sequence)
            found |= {} if kept is None else {log.value: kept}
    return found


async def read_answer(view: Transaction, control: Control, link: Link, question: CheckQuestion) -> CheckAnswer:
    """Return what this side of a link has to say; the asker's own side says the same of itself."""
    places = await view.registers.list_places(EVERYTHING, 0)
    ways = await find_ways(view, await load_neighbourhood(view), places)
    offered = [
        each.line for each in places if is_offered(each, link, ways.get(each.audience) if each.audience else None)
    ]
    return CheckAnswer(
        ends=await read_ends(view, link),
        hashes=await read_hashes(view, link, question.cursors),
        cursors=await read_cursors(view, link),
        offered=digest_buckets(offered),
        held=digest_buckets([each.line for each in list_held(places, link)]),
        ledgers=tuple([each async for each in _walk_ledgers(view, control, link.neighbour_id)]),
        tickets=tuple([_tell_ticket(each) async for each in walk_tickets(view, link.neighbour_id)]),
    )


async def _walk_ledgers(view: Transaction, control: Control, neighbour_id: PlatformId) -> AsyncIterator[LedgerMark]:
    pair = {control.platform_id, neighbour_id}
    for period in list_periods(control):
        for settlement in await view.settlements.list_period(EVERYTHING, period):
            if {settlement.author, settlement.audience} == pair:
                leaves = await list_leaves(view, name_key(settlement))
                yield LedgerMark(
                    author=settlement.author,
                    period=period,
                    leaf_count=len(leaves),
                    digest=digest_leaves(sorted(leaves, key=lambda each: each.leaf_id)),
                    statement=_digest_statement(settlement),
                )


def list_periods(control: Control) -> list[str]:
    """Return the settlement periods that are looked at, the newest first."""
    today = control.clock.now().date()
    return [(today - timedelta(days=days)).isoformat() for days in range(CHECK_DAYS)]


async def walk_tickets(view: Transaction, neighbour_id: PlatformId | None) -> AsyncIterator[PlatformTicket]:
    """Yield the platform tickets with a neighbour, or with all for None; with one at most CHECK_TICKETS_MAX."""
    number = 0
    async for ticket in walk_pages(view.platform_tickets.list):
        if neighbour_id is None or (ticket.counterparty_id == neighbour_id and number < CHECK_TICKETS_MAX):
            number += 1
            yield ticket


def tell_cursor(place: LogEnd | LogCursor) -> Cursor:
    """Return a place in a log as the link's messages name it."""
    return Cursor(incarnation=place.incarnation, sequence=place.sequence, hash=place.hash)


def _tell_ticket(ticket: PlatformTicket) -> TicketMark:
    return TicketMark(
        id=ticket.id,
        is_home=ticket.side is CreditSide.HOME,
        ceiling_nano=str(ticket.ceiling_nano),
        returned_nano=str(ticket.returned_nano),
        spent_nano=str(ticket.spent_nano),
    )


def _digest_statement(settlement: Settlement) -> str:
    if settlement.countersignature is None or settlement.statement is None:
        return ""
    return hashlib.sha256(settlement.statement.content).hexdigest()
