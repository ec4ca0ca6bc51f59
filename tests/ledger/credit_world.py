"""Gateways as the platform meets them: they reserve, spend, spool, report, lose answers, die and start again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.account import Account, AccountKey, AccountKind, Posting, Transfer
from keisan.domain.entry import EntryKind
from keisan.domain.ids import EntryId, MachineId, OrganizationId
from keisan.domain.page import PageRequest
from keisan.domain.share import Share
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.ledger.credit import exchange_credit
from keisan.ledger.intake import accept_usage
from keisan.ledger.journal import EntryDraft
from keisan.storage.base import Storage
from keisan.storage.sqlite import open_sqlite
from keisan.wire.credit import CreditAnswer, CreditReport
from tests.domain.samples import create_record_id
from tests.factories import NOW, PLATFORM_ID, FixedClock, Side, World, build_journal, create_machine, plant_world
from tests.ledger.intake_world import IntakeWorld

EVERYTHING = PlatformScope()
TERMS = CreditTerms()
# A price in the world is 1,500 nano-units for each output token.
OUTPUT_NANO = 1_500


@dataclass
class LocalTicket:
    """A ticket as its gateway keeps it."""

    holder_id: UUID
    credit_nano: int = 0
    returned_nano: int = 0
    spent_nano: int = 0
    reserved_nano: int = 0
    expires_at: datetime = NOW

    @property
    def free_nano(self) -> int:
        return self.credit_nano - self.returned_nano - self.spent_nano - self.reserved_nano


@dataclass
class Gateway:
    """What a relay does with credit, without its bytes. `backlog_count` records in the spool are of earlier lives.

    `budgeted` is what its snapshot says of who has budgets, and `skew_s` by how much its clock is ahead.
    """

    gateway_id: MachineId
    ledger: IntakeWorld
    incarnation: UUID = field(default_factory=create_id)
    sequence: int = 0
    tickets: dict[UUID, LocalTicket] = field(default_factory=dict)
    calls: list[tuple[UUID, Side, int]] = field(default_factory=list)
    spool: list[bytes] = field(default_factory=list)
    backlog_count: int = 0
    refused: tuple[tuple[UUID, str], ...] = ()
    renew_s: int = 0
    budgeted: frozenset[UUID] = frozenset()
    skew_s: int = 0

    async def fetch_snapshot(self) -> None:
        """Hear who has budgets now."""
        async with self.ledger.storage.read() as view:
            self.budgeted = await view.budgets.list_budgeted(EVERYTHING)

    def choose_holder(self, side: Side) -> UUID:
        """Return whose credit a side's calls are taken from."""
        for each in (side.key, side.project):
            if each.id in self.budgeted:
                return each.id
        return side.organization.id

    def find_ticket(self, side: Side) -> tuple[UUID, LocalTicket] | None:
        """Return the ticket that a call of this side may reserve from now."""
        now = self.ledger.clock.now()
        fitting = [
            (ticket_id, ticket)
            for ticket_id, ticket in self.tickets.items()
            if ticket.holder_id == self.choose_holder(side) and now < ticket.expires_at
        ]
        return fitting[0] if fitting else None

    def count_free(self, side: Side) -> int:
        found = self.find_ticket(side)
        return found[1].free_nano if found else 0

    def begin_call(self, side: Side, reserved_nano: int) -> bool:
        """Admit a call if its reservation is covered."""
        found = self.find_ticket(side)
        if found is None or found[1].free_nano < reserved_nano:
            return False
        found[1].reserved_nano += reserved_nano
        self.calls.append((found[0], side, reserved_nano))
        return True

    def end_call(self, spent_part: int) -> None:
        """End the oldest call; it cost `spent_part` hundredths of its reservation, in whole tokens."""
        ticket_id, side, reserved_nano = self.calls.pop(0)
        token_count = reserved_nano * spent_part // 100 // OUTPUT_NANO
        ticket = self.tickets.get(ticket_id)
        if ticket is not None:
            ticket.reserved_nano -= reserved_nano
            ticket.spent_nano += token_count * OUTPUT_NANO
        self.spool.append(self.write_record(side, ticket_id, token_count))

    def write_record(self, side: Side, ticket_id: UUID | None, token_count: int) -> bytes:
        return self.ledger.write_record(
            create_record_id(self.find_admission() or NOW),
            side,
            gateway_id=str(self.gateway_id),
            quantities={"output": token_count},
            **self.write_admission(),
            ticket_id=str(ticket_id) if ticket_id else None,
        )

    def write_admission(self) -> dict[str, object]:
        """Return when a call is admitted now, by this gateway's clock; NOW as long as nobody sets it."""
        admitted_at = self.find_admission()
        if admitted_at is None:
            return {}
        return {"admitted_at_ms": to_milliseconds(admitted_at), "day": admitted_at.date().isoformat()}

    def find_admission(self) -> datetime | None:
        """Return the moment by this gateway's clock, None as long as nobody sets it; a record's id is made of it too."""
        if not self.skew_s and not self.budgeted:
            return None
        return self.ledger.clock.now() + timedelta(seconds=self.skew_s)

    def report(self, wants: Iterable[tuple[Side, int]] = (), **changes: object) -> CreditReport:
        """Return what relay and shell say together."""
        self.sequence += 1
        body: dict[str, object] = {
            "incarnation": self.incarnation,
            "sequence": self.sequence,
            "is_spool_passed": self.backlog_count == 0,
            "tickets": [
                {
                    "ticket_id": ticket_id,
                    "spent_nano": ticket.spent_nano,
                    "reserved_nano": ticket.reserved_nano,
                    "returned_nano": ticket.returned_nano,
                    "credit_nano": ticket.credit_nano,
                }
                for ticket_id, ticket in self.tickets.items()
            ],
            "wanted": [
                {"holder_id": self.choose_holder(side), "currency": "CNY", "wanted_nano": nano} for side, nano in wants
            ],
        }
        return CreditReport.model_validate(body | changes)

    def apply(self, answer: CreditAnswer) -> None:
        """Put an answer in force: what it leaves out is closed, what it asks back is returned as far as it is free."""
        expires_at = self.ledger.clock.now() + timedelta(seconds=answer.lease_s)
        kept: dict[UUID, LocalTicket] = {}
        for line in answer.tickets:
            ticket = self.tickets.get(line.ticket_id) or LocalTicket(line.holder_id)
            ticket.credit_nano = max(ticket.credit_nano, line.credit_nano)
            ticket.returned_nano += max(0, min(line.give_back_nano, ticket.free_nano))
            ticket.expires_at = expires_at
            kept[line.ticket_id] = ticket
        self.tickets, self.renew_s = kept, answer.renew_s
        self.refused = list_refused(answer)

    async def exchange(self, *wants: tuple[Side, int], is_answer_lost: bool = False, **changes: object) -> CreditAnswer:
        """Report, and apply the answer unless it is lost."""
        answer = await exchange_credit(
            self.ledger.storage, self.ledger.clock, TERMS, self.gateway_id, self.report(wants, **changes)
        )
        if not is_answer_lost:
            self.apply(answer)
        return answer

    async def upload(self, count: int = 1_000) -> list[str]:
        """Hand in the oldest records and return what the platform says of each."""
        lines, self.spool = self.spool[:count], self.spool[count:]
        answers = await accept_usage(self.ledger.storage, self.ledger.journal, self.gateway_id, lines) if lines else ()
        self.backlog_count = max(0, self.backlog_count - len(lines))
        return [answer.code or answer.outcome for answer in answers]

    def restart(self) -> None:
        """Die without a word and begin again: the spool is still there, open calls and tickets are not."""
        self.incarnation, self.sequence = create_id(), 0
        self.tickets, self.calls, self.backlog_count = {}, [], len(self.spool)


async def add_gateway(ledger: IntakeWorld) -> Gateway:
    """Join another gateway."""
    machine = create_machine()
    async with ledger.storage.write() as transaction:
        await transaction.machines.insert(machine)
    return Gateway(machine.id, ledger)


def list_refused(answer: CreditAnswer) -> tuple[tuple[UUID, str], ...]:
    return tuple((line.holder_id, line.currency) for line in answer.refused)


async def top_up(storage: Storage, organization_id: OrganizationId, amount_nano: int, currency: str = "CNY") -> None:
    """Put money from outside into a wallet."""
    outside = AccountKey(AccountKind.OUTSIDE, None, None, currency)
    wallet = AccountKey(AccountKind.WALLET, organization_id, None, currency)
    draft = EntryDraft(EntryKind.TOP_UP, [Transfer(outside, wallet, amount_nano)], organization_id)
    async with storage.write() as transaction:
        await build_journal(PLATFORM_ID, FixedClock()).write_entry(transaction, draft)


async def list_tickets(storage: Storage) -> tuple[Ticket, ...]:
    async with storage.read() as view:
        return (await view.tickets.list(EVERYTHING, PageRequest(limit=500))).items


async def list_balances(storage: Storage) -> dict[AccountKind, int]:
    """Return the sum of the balances of each kind of account."""
    async with storage.read() as view:
        accounts = (await view.accounts.list(EVERYTHING, PageRequest(limit=500))).items
    sums = dict.fromkeys(AccountKind, 0)
    for account in accounts:
        sums[account.kind] += account.balance_nano
    return sums


async def count_held(storage: Storage) -> int:
    return sum(ticket.held_nano for ticket in await list_tickets(storage))


def list_open(tickets: Iterable[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if ticket.state is TicketState.OPEN]


async def read_books(storage: Storage) -> tuple[tuple[Account, ...], tuple[Ticket, ...]]:
    """Return all accounts and tickets, from one view."""
    async with storage.read() as view:
        accounts = await view.accounts.list(EVERYTHING, PageRequest(limit=500))
        tickets = await view.tickets.list(EVERYTHING, PageRequest(limit=500))
    return accounts.items, tickets.items


async def list_shares(storage: Storage) -> list[Share]:
    """Return the shares of all gateways that ever spoke."""
    async with storage.read() as view:
        gateways = await view.incarnations.list_all(EVERYTHING)
        return [share for each in gateways for share in await view.shares.list_gateway(EVERYTHING, each.gateway_id)]


async def plant_books(path: Path) -> World:
    """Make a database file with a world whose two older records were posted, and paid for, before its journal was opened."""
    clock = FixedClock()
    storage = open_sqlite(path, clock)
    try:
        await storage.migrate()
        world = await plant_world(storage)
        async with storage.write() as transaction:
            for side in (world.left, world.right):
                paid = Posting(
                    EntryId(create_id()), side.wallet_id, side.payable_id, "CNY", side.record.amount_nano, 1, NOW
                )
                await transaction.accounts.post([paid])
            await IntakeWorld(storage, clock, world).journal.write_opening(transaction)
        for side in (world.left, world.right):
            await top_up(storage, side.organization.id, side.record.amount_nano)
        return world
    finally:
        await storage.close()
