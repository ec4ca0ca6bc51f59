"""Credit between platforms as letters: words are answered with leases, leases are taken, and what is left is returned, signed.

The organization of a letter tells which end this platform is: home, if it is its own, or the serving one, if its author's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.letter import build_draft, put_register, send_letters
from keisan.control.office import Office
from keisan.domain.access import PlatformScope
from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.admission import Admission
from keisan.domain.errors import InvalidInput, NotFound, Refused
from keisan.domain.event import EventDraft
from keisan.domain.ids import OrganizationId, PlatformId, TicketId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.domain.organization import Organization
from keisan.domain.platform_ticket import (
    CreditSide,
    PinnedPrice,
    PlatformCreditTerms,
    PlatformTicket,
    PlatformTicketState,
)
from keisan.domain.price import Price
from keisan.domain.register import RegisterKey
from keisan.federation.rule_credit import (
    GatewayTickets,
    Lease,
    LeaseRoom,
    Word,
    compute_growth_nano,
    compute_rate_ppm,
    give_return,
    pin_prices,
    renew_lease,
    take_lease,
    take_return,
)
from keisan.kit.clock import from_milliseconds, to_milliseconds
from keisan.kit.ids import create_id
from keisan.ledger.cross_usage import void_waiting
from keisan.ledger.platform_credit import compute_lease_forecast, lock_credit
from keisan.ledger.rule_platform_ticket import close_platform_ticket, compute_free_at, count_aside_nano
from keisan.ledger.rule_split import PPM
from keisan.storage.base import Transaction
from keisan.wire.admission import PlatformTicketView
from keisan.wire.credit_letter import (
    LeaseBody,
    ReturnBody,
    WordBody,
    name_credit,
    read_lease,
    read_nano,
    read_owner,
    read_prices,
    read_return,
    read_word,
    write_body,
    write_prices,
)

EVERYTHING = PlatformScope()
TERMS = PlatformCreditTerms()
# How often home looks at what waits, and whether a ticket is over.
LOOK_HOME_S = 24 * 3600


async def apply_credit(transaction: Transaction, control: Control, arrival: Arrival, letter: Letter) -> None:
    """Answer another platform's word with a lease, or take its lease.

    Raises InvalidInput or Refused for what cannot be, and then changes nothing. A tombstone ends nothing: credit comes back by
    its signed return.
    """
    if letter.is_deleted:
        return
    if letter.audience != control.platform_id:
        raise InvalidInput("credit is for the platform that its letter names", "audience")
    owner_id = read_owner(letter.body)
    try:
        owner = await transaction.organizations.get(EVERYTHING, owner_id)
    except NotFound as fault:
        raise Refused("this organization is not known here", str(owner_id)) from fault
    if owner.platform_id == control.platform_id:
        await _answer_word(transaction, control, arrival, letter, owner)
    elif owner.platform_id == letter.author:
        await _take_lease(transaction, control, letter, owner)
    else:
        raise InvalidInput("this organization is a third platform's", "organization_id")


async def apply_credit_return(transaction: Transaction, office: Office, arrival: Arrival, letter: Letter) -> None:
    """Take back what another platform signed that it returns; a repeat changes nothing. Raises InvalidInput."""
    control = office.control
    body = read_return(letter.body)
    ticket_id, owner_id = TicketId(body.ticket_id), OrganizationId(body.organization_id)
    credit = await lock_credit(transaction, owner_id, body.currency, arrival.arrived_at)
    ticket = credit.tickets.get(ticket_id) or (await transaction.platform_tickets.lock([ticket_id])).get(ticket_id)
    named = (CreditSide.HOME, letter.author, owner_id, body.currency)
    if ticket is None or (ticket.side, ticket.counterparty_id, ticket.organization_id, ticket.currency) != named:
        raise InvalidInput("this platform has leased no such ticket to the letter's author", "ticket_id")
    returned = take_return(ticket, read_nano(body.spent_nano), control.clock.now())
    if returned == ticket:
        return
    if returned.state is PlatformTicketState.CLOSED:
        await void_waiting(transaction, ticket)
    await transaction.platform_tickets.update_many([returned])
    await note_freed(transaction, "platform_ticket.returned", ticket, returned)
    await _answer_again(transaction, control, arrival, letter, ticket)


async def send_word(
    transaction: Transaction, control: Control, owner: Organization, currency: str, ticket: PlatformTicket | None
) -> None:
    """Tell the home of a guest what this platform has of its credit and lacks, and at what prices it serves.

    The word is dated by this platform's own clock, from which its lease will count.
    """
    gateways = await count_gateway_tickets(transaction, owner.id, currency)
    body = WordBody(
        organization_id=owner.id,
        currency=currency,
        ticket_id=ticket.id if ticket else None,
        number=ticket.number if ticket else 0,
        spent_nano=str(ticket.spent_nano if ticket else 0),
        wanted_nano=str(gateways.wanted_nano),
        sent_at_ms=to_milliseconds(control.clock.now()),
        epoch=ticket.epoch if ticket else 0,
        prices=write_prices(await list_own_prices(transaction, control, currency)),
    )
    draft = build_draft(control, LetterKind.CREDIT, write_body(body), owner.platform_id)
    await put_register(transaction, control, replace(draft, name=name_credit(owner.id, currency, owner.platform_id)))


async def return_ticket(transaction: Transaction, control: Control, ticket: PlatformTicket) -> None:
    """Return what is left of a locked ticket to its home by a signed letter, and close it; the home hears of it in order."""
    returned = give_return(ticket, control.clock.now())
    body = ReturnBody(
        ticket_id=ticket.id,
        organization_id=ticket.organization_id,
        currency=ticket.currency,
        returned_nano=str(returned.returned_nano),
        spent_nano=str(returned.spent_nano),
    )
    draft = build_draft(control, LetterKind.CREDIT_RETURN, write_body(body), ticket.counterparty_id)
    await send_letters(transaction, control, [draft])
    await transaction.platform_tickets.update_many([returned])
    await note_freed(transaction, "platform_ticket.given_back", ticket, returned)


async def end_ticket(transaction: Transaction, control: Control, ticket: PlatformTicket) -> None:
    """Close a locked ticket of home's that is settled or surely over, and void what waits for it."""
    await void_waiting(transaction, ticket)
    closed = close_platform_ticket(ticket, control.clock.now())
    await transaction.platform_tickets.update_many([closed])
    await note_freed(transaction, "platform_ticket.closed", ticket, closed)


async def count_gateway_tickets(
    transaction: Transaction, organization_id: OrganizationId, currency: str
) -> GatewayTickets:
    """Return what own gateways hold and want for an organization in a currency."""
    found = await transaction.tickets.list_open(EVERYTHING, [organization_id])
    own = [each for each in found if each.currency == currency]
    return GatewayTickets(len(own), sum(each.held_nano for each in own), sum(each.wanted_nano for each in own))


async def list_own_prices(transaction: Transaction, control: Control, currency: str) -> list[PinnedPrice]:
    """Return this platform's prices in force as others may pin them."""
    models = {each.id: each for each in await transaction.models.list_by_ids(EVERYTHING, None)}
    prices = await transaction.prices.list_current(EVERYTHING, None, control.clock.now())
    return [
        PinnedPrice(model_id, models[model_id].facts.name, price.id, price.nano_per_million)
        for model_id, price in sorted(prices.items())
        if price.currency == currency and model_id in models
    ]


async def note_freed(transaction: Transaction, name: str, before: PlatformTicket, after: PlatformTicket) -> None:
    """Write an event of what came back of a ticket."""
    detail = {
        "organization_id": str(after.organization_id),
        "counterparty_id": after.counterparty_id,
        "currency": after.currency,
        "ceiling_nano": str(after.ceiling_nano),
        "spent_nano": str(after.spent_nano),
        "returned_nano": str(after.returned_nano),
        "freed_nano": str(count_aside_nano(before) - count_aside_nano(after)),
    }
    await transaction.events.append(EventDraft(CONTROL_ACTOR, name, after.id, detail))


async def _answer_word(
    transaction: Transaction, control: Control, arrival: Arrival, letter: Letter, owner: Organization
) -> None:
    told = read_word(letter.body)
    admission = await transaction.admissions.find(EVERYTHING, owner.id, letter.author)
    if admission is None or admission.ended_at is not None or admission.currency != told.currency:
        raise Refused("this organization is not admitted at the letter's author", f"{owner.id} {letter.author}")
    word = Word(from_milliseconds(told.sent_at_ms), arrival.arrived_at, told.epoch, read_nano(told.wanted_nano))
    asked, now = read_prices(told.prices), control.clock.now()
    credit = await lock_credit(transaction, owner.id, told.currency, now)
    known = _find_open(credit.tickets.values(), admission)
    if known is not None and word.epoch < known.epoch:
        raise InvalidInput("this word is of an earlier epoch", "epoch")
    if known is not None and told.ticket_id != known.id:
        # Its first lease is on its way there, or its return on the way here: what was told is told.
        return
    pinned = pin_prices(asked, await _list_by_model(transaction, control), told.currency)
    ticket = _add_models(known, pinned) if known else _open_ticket(admission, pinned, word)
    growth_nano = await _compute_growth(transaction, admission, ticket, word, credit.free_nano)
    renewed = renew_lease(ticket, word, growth_nano, TERMS)
    if known is None:
        await transaction.platform_tickets.insert(renewed)
    else:
        await transaction.platform_tickets.update_many([renewed])
    await transaction.outbox.put(WorkNoun.PLATFORM_TICKET, renewed.id, now + timedelta(seconds=LOOK_HOME_S))
    await tell_lease(transaction, control, renewed, word.sent_at)


async def _answer_again(
    transaction: Transaction, control: Control, arrival: Arrival, returned: Letter, ticket: PlatformTicket
) -> None:
    """Answer a word that asks for another ticket, and came before the return of the one before: state goes ahead of logs."""
    name = name_credit(ticket.organization_id, ticket.currency, control.platform_id)
    word = await transaction.registers.find(EVERYTHING, RegisterKey(returned.author, LetterKind.CREDIT, name))
    owner = await transaction.organizations.get(EVERYTHING, ticket.organization_id)
    admission = await transaction.admissions.find(EVERYTHING, owner.id, returned.author)
    # What it said before the return was answered by the ticket that has come back: both are dated by its own clock.
    is_newer = word is not None and word.made_at_ms >= returned.made_at_ms
    if word is not None and is_newer and admission is not None and admission.ended_at is None:
        await _answer_word(transaction, control, arrival, word, owner)


async def tell_lease(
    transaction: Transaction,
    control: Control,
    ticket: PlatformTicket,
    answers_at: datetime,
    *,
    is_asked_back: bool = False,
) -> None:
    """Sign a lease as it is now, for the platform that holds it."""
    body = LeaseBody(
        ticket_id=ticket.id,
        organization_id=ticket.organization_id,
        currency=ticket.currency,
        policy=ticket.policy,
        prices=write_prices(ticket.prices),
        ceiling_nano=str(ticket.ceiling_nano),
        lease_s=ticket.lease_s,
        number=ticket.number,
        answers_at_ms=to_milliseconds(answers_at),
        epoch=ticket.epoch,
        is_asked_back=is_asked_back,
    )
    draft = build_draft(control, LetterKind.CREDIT, write_body(body), ticket.counterparty_id)
    name = name_credit(ticket.organization_id, ticket.currency, ticket.counterparty_id)
    await put_register(transaction, control, replace(draft, name=name))


async def _compute_growth(
    transaction: Transaction, admission: Admission, ticket: PlatformTicket, word: Word, free_nano: int | None
) -> int:
    """Return by how much the ceiling grows: what is free at home's price, at the rate of the ticket."""
    bound_nano = admission.credit_nano_max
    if free_nano is None:
        # Whoever pays afterwards is bounded by what its admission says, or has nothing elsewhere.
        room_nano = max(0, (bound_nano or 0) - ticket.left_nano)
    else:
        room_nano = free_nano * PPM // ticket.rate_ppm
    forecast_nano = await compute_lease_forecast(
        transaction, admission.organization_id, admission.counterparty_id, TERMS.lease_s, word.arrived_at
    )
    return compute_growth_nano(ticket.left_nano, word.wanted_nano, LeaseRoom(room_nano, bound_nano, forecast_nano))


async def _take_lease(transaction: Transaction, control: Control, letter: Letter, owner: Organization) -> None:
    body, now = read_lease(letter.body), control.clock.now()
    lease = Lease(
        ticket_id=TicketId(body.ticket_id),
        policy=body.policy,
        prices=read_prices(body.prices),
        ceiling_nano=read_nano(body.ceiling_nano),
        lease_s=body.lease_s,
        number=body.number,
        answers_at=from_milliseconds(body.answers_at_ms),
        epoch=body.epoch,
        is_asked_back=body.is_asked_back,
    )
    wallet = AccountKey(AccountKind.WALLET, owner.id, None, body.currency)
    opened = await transaction.accounts.open([wallet])
    await transaction.accounts.lock(opened.values())
    known = (await transaction.platform_tickets.lock([lease.ticket_id])).get(lease.ticket_id)
    named = (CreditSide.SERVING, letter.author, owner.id, body.currency)
    if known and (known.side, known.counterparty_id, known.organization_id, known.currency) != named:
        raise InvalidInput("this ticket is another one", "ticket_id")
    taken = take_lease(known, lease, _build_empty(control, owner, lease.ticket_id, body.currency))
    if known is None:
        await transaction.platform_tickets.insert(taken)
    elif taken != known:
        await transaction.platform_tickets.update_many([taken])
    await transaction.outbox.put(WorkNoun.PLATFORM_TICKET, taken.id, now + timedelta(seconds=TERMS.hurry_s))


def _find_open(tickets: Iterable[PlatformTicket], admission: Admission) -> PlatformTicket | None:
    named = (CreditSide.HOME, admission.counterparty_id, PlatformTicketState.OPEN)
    return next((each for each in tickets if (each.side, each.counterparty_id, each.state) == named), None)


def _add_models(ticket: PlatformTicket, pinned: Sequence[PinnedPrice]) -> PlatformTicket:
    """Return the ticket with models that it has no price for yet, as far as what is set aside covers them."""
    known = {each.model_id for each in ticket.prices}
    added = [each for each in pinned if each.model_id not in known and compute_rate_ppm([each]) <= ticket.rate_ppm]
    return replace(ticket, prices=(*ticket.prices, *added)) if added else ticket


async def _list_by_model(transaction: Transaction, control: Control) -> dict[str, Price]:
    models = await transaction.models.list_by_ids(EVERYTHING, None)
    prices = await transaction.prices.list_current(EVERYTHING, None, control.clock.now())
    return {model.facts.name: prices[model.id] for model in models if model.id in prices}


def _open_ticket(admission: Admission, pinned: Sequence[PinnedPrice], word: Word) -> PlatformTicket:
    return PlatformTicket(
        id=TicketId(create_id()),
        platform_id=admission.platform_id,
        counterparty_id=admission.counterparty_id,
        side=CreditSide.HOME,
        organization_id=admission.organization_id,
        currency=admission.currency,
        state=PlatformTicketState.OPEN,
        policy=admission.policy,
        prices=tuple(pinned),
        rate_ppm=compute_rate_ppm(pinned),
        epoch=word.epoch,
        number=0,
        ceiling_nano=0,
        returned_nano=0,
        spent_nano=0,
        waiting_nano=0,
        charged_nano=0,
        lease_s=TERMS.lease_s,
        expires_at=word.arrived_at,
        heard_at=word.arrived_at,
        created_at=word.arrived_at,
    )


def _build_empty(control: Control, owner: Organization, ticket_id: TicketId, currency: str) -> PlatformTicket:
    now = control.clock.now()
    return PlatformTicket(
        id=ticket_id,
        platform_id=control.platform_id,
        counterparty_id=PlatformId(owner.platform_id),
        side=CreditSide.SERVING,
        organization_id=owner.id,
        currency=currency,
        state=PlatformTicketState.OPEN,
        policy="",
        prices=(),
        rate_ppm=PPM,
        epoch=0,
        number=0,
        ceiling_nano=0,
        returned_nano=0,
        spent_nano=0,
        waiting_nano=0,
        charged_nano=0,
        lease_s=0,
        expires_at=now,
        heard_at=now,
        created_at=now,
    )


def show_ticket(ticket: PlatformTicket) -> PlatformTicketView:
    """Return a platform ticket as it is shown, with what a cut platform can still spend, and until when."""
    return PlatformTicketView(
        **{name: getattr(ticket, name) for name in PlatformTicketView.model_fields if hasattr(ticket, name)},
        aside_nano=count_aside_nano(ticket),
        free_at=compute_free_at(ticket, TERMS),
    )
