"""What gateways are told of other platforms: made of links, of signed registers, and of tickets. Nothing is taken on trust.

A platform that is silent is unknown, and stays with all that it offered: its own word alone takes an offer back.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from keisan.control.context import Control
from keisan.control.key_book import load_key_book
from keisan.control.link_place import Neighbourhood, find_way, load_neighbourhood
from keisan.control.snapshot_tables import PlatformTables
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.limits import PLATFORM_SILENCE_S
from keisan.domain.link import Link
from keisan.domain.platform_ticket import CreditSide, PinnedPrice, PlatformTicket
from keisan.domain.price import Price
from keisan.domain.verdict import Verdict
from keisan.federation.key_book import KeyBook, KnownPlatform
from keisan.kit.clock import to_milliseconds
from keisan.storage.base import Transaction
from keisan.wire.name import PlatformBody, read_platform_body
from keisan.wire.offer_letter import PlatformOfferBody, list_known_facts, read_offer
from keisan.wire.snapshot import (
    SnapshotFact,
    SnapshotNeighbour,
    SnapshotPlatform,
    SnapshotPlatformOffer,
    SnapshotPlatformTicket,
    SnapshotPrice,
)

EVERYTHING = PlatformScope()
SILENCE = timedelta(seconds=PLATFORM_SILENCE_S)
_ADDRESS = re.compile(r"[^\s:/\[\]]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class _Known:
    """Another platform that may speak here, the link by which it is reached, and what it says of itself."""

    platform: KnownPlatform
    link: Link
    told: PlatformBody | None


async def load_platform_tables(view: Transaction, control: Control) -> PlatformTables:
    """Return what gateways are to know of other platforms now; nothing while this platform has no link."""
    around = await load_neighbourhood(view)
    if not around.links:
        return PlatformTables()
    now = control.clock.now()
    book = await load_key_book(view, control)
    known = await _list_known(view, book, around)
    offers, offered = _compile_offers(await view.registers.list_kind(EVERYTHING, LetterKind.OFFER), known)
    open_tickets = await view.platform_tickets.list_in_force(EVERYTHING)
    tickets = [each for each in open_tickets if each.counterparty_id in known]
    own = await view.prices.list_by_ids(EVERYTHING, {pinned.price_id for each in tickets for pinned in each.prices})
    ticket_rows = {str(each.id): compile_ticket(each, own) for each in tickets}
    pinned_prices = _compile_pinned(tickets, own)
    return PlatformTables(
        platforms={platform_id: _compile_platform(each, now) for platform_id, each in known.items()},
        neighbours={each.neighbour_id: SnapshotNeighbour(side=each.side.value) for each in around.links},
        offers=offers,
        tickets=ticket_rows,
        prices=pinned_prices | offered,
    )


def judge_link(link: Link, now: datetime) -> Verdict:
    """Return what is known of the platforms behind a link: of one that is silent, nothing."""
    is_heard = link.heard_at is not None and now - link.heard_at <= SILENCE
    return Verdict.OK if is_heard else Verdict.UNKNOWN


def name_price(platform_id: PlatformId, price_id: str) -> UUID:
    """Return the id of another platform's price in the snapshot, which nobody can choose so that it is one of ours."""
    return UUID(bytes=sha256(f"{platform_id}/{price_id}".encode()).digest()[:16])


async def _list_known(view: Transaction, book: KeyBook, around: Neighbourhood) -> dict[PlatformId, _Known]:
    """Return all platforms that may speak and that a link leads to."""
    told = {each.author: each for each in await view.registers.list_kind(EVERYTHING, LetterKind.PLATFORM)}
    found: dict[PlatformId, _Known] = {}
    for platform in book.platforms.values():
        if platform.id == book.own_id or platform.revoked_at_ms is not None:
            continue
        link = await find_way(view, around, platform.id)
        if link is not None:
            found[platform.id] = _Known(platform, link, _read_told(told.get(platform.id)))
    return found


def _read_told(letter: Letter | None) -> PlatformBody | None:
    try:
        return None if letter is None else read_platform_body(letter)
    except InvalidInput:
        return None


def _compile_platform(known: _Known, now: datetime) -> SnapshotPlatform:
    platform, link, told = known.platform, known.link, known.told
    is_neighbour = link.neighbour_id == platform.id
    address = told.gateway_address if told is not None else ""
    return SnapshotPlatform(
        name=told.title if told is not None and told.title else platform.prefix or platform.id[:12],
        region=platform.region,
        verdict=judge_link(link, now),
        next_hop=None if is_neighbour else link.neighbour_id,
        address=address if _ADDRESS.fullmatch(address) else None,
    )


def _compile_offers(
    letters: Iterable[Letter], known: dict[PlatformId, _Known]
) -> tuple[dict[str, SnapshotPlatformOffer], dict[str, SnapshotPrice]]:
    offers: dict[str, SnapshotPlatformOffer] = {}
    prices: dict[str, SnapshotPrice] = {}
    for letter in letters:
        try:
            body = read_offer(letter)
        except InvalidInput:
            continue
        if letter.author in known:
            price_id = name_price(letter.author, body.price_id)
            offers[f"{letter.author}/{letter.name}"] = _compile_offer(letter.author, body, price_id)
            prices[str(price_id)] = SnapshotPrice(
                model_id=price_id,
                version=body.price_version,
                currency=body.currency,
                nano_per_million=dict(sorted(body.nano_per_million.items())),
            )
    return offers, prices


def _compile_offer(author: PlatformId, body: PlatformOfferBody, price_id: UUID) -> SnapshotPlatformOffer:
    facts = {name: SnapshotFact(values=values, grade=grade) for name, (values, grade) in list_known_facts(body).items()}
    return SnapshotPlatformOffer(
        platform_id=author,
        model=body.model,
        model_digest=body.model_digest,
        region=body.region,
        chip=body.chip,
        facts=facts,
        verdict=body.known_verdict,
        slots=body.slots,
        price_id=price_id,
        attested_at_ms=body.attested_at_ms,
    )


def compile_ticket(ticket: PlatformTicket, own: Mapping[UUID, Price]) -> SnapshotPlatformTicket:
    """Return a ticket's row. Where this platform serves on it, it sells at prices that are really its own."""
    is_home = ticket.side is CreditSide.HOME
    home_id, audience_id = ticket.platform_id, ticket.counterparty_id
    if not is_home:
        home_id, audience_id = audience_id, home_id
    pinned = [each for each in ticket.prices if is_home or _is_own(each, own)]
    return SnapshotPlatformTicket(
        organization_id=ticket.organization_id,
        home_platform_id=home_id,
        audience_platform_id=audience_id,
        policy=ticket.policy,
        currency=ticket.currency,
        price_ids={
            each.model: name_price(ticket.counterparty_id, str(each.price_id)) if is_home else each.price_id
            for each in pinned
        },
        ends_at_ms=to_milliseconds(ticket.expires_at),
    )


def _compile_pinned(tickets: Sequence[PlatformTicket], own: Mapping[UUID, Price]) -> dict[str, SnapshotPrice]:
    """Return the prices that tickets name: own ones as they were made, of which some are not in force any more."""
    rows: dict[str, SnapshotPrice] = {}
    for ticket in tickets:
        for each in ticket.prices:
            is_home = ticket.side is CreditSide.HOME
            if not is_home and not _is_own(each, own):
                continue
            price_id = name_price(ticket.counterparty_id, str(each.price_id)) if is_home else each.price_id
            rows[str(price_id)] = SnapshotPrice(
                model_id=each.model_id,
                version=0 if is_home else own[each.price_id].version,
                currency=ticket.currency,
                nano_per_million={str(name): str(nano) for name, nano in sorted(each.nano_per_million.items())},
            )
    return rows


def _is_own(pinned: PinnedPrice, own: Mapping[UUID, Price]) -> bool:
    """Tell whether a pinned price is one that this platform made, to the last number."""
    made = own.get(pinned.price_id)
    return made is not None and dict(made.nano_per_million) == dict(pinned.nano_per_million)
