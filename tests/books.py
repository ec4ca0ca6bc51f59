"""The books of a platform without what differs from run to run: no ids, no times, no order.

Two runs *end in the same place* when their books are equal: the same balances, tickets, postings, records with who paid for
each, top-ups, budgets, statements, payouts and disputes.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar
from uuid import UUID

from keisan.domain.access import PlatformScope, Scope
from keisan.domain.account import AccountKind
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.ticket import TicketState
from keisan.domain.top_up import TopUpKind, TopUpState
from keisan.ledger.audit import audit_ledger
from keisan.ledger.paging import walk_pages
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.storage.schema import metadata
from tests.storage.rows import execute_unguarded

EVERYTHING = PlatformScope()
ENTRIES_MAX = 10_000
Item = TypeVar("Item")
Line = TypeVar("Line", bound=Hashable)
# Who works on what, and until when, is no part of what was done.
LEFT_OUT = frozenset({"outbox", "lease"})


class TicketLine(NamedTuple):
    """A ticket, by whose credit it has."""

    owner: str
    currency: str
    state: TicketState
    credit_nano: int
    returned_nano: int
    posted_nano: int


class RecordLine(NamedTuple):
    """A usage record; `code` says why suspense paid, and is empty where it did not."""

    amount_nano: int
    provider_nano: int
    tax_nano: int
    code: str


class TopUpLine(NamedTuple):
    """A top-up or a credit note."""

    kind: TopUpKind
    amount_nano: int
    state: TopUpState


@dataclass(frozen=True)
class Books:
    """What there is, by what it is; `balances` without those of 0."""

    balances: Mapping[tuple[str, str, str], int]
    tickets: Counter[TicketLine]
    postings: Counter[Hashable]
    records: Counter[RecordLine]
    top_ups: Counter[TopUpLine]
    budgets: Counter[Hashable]
    statements: Counter[Hashable]
    payouts: Counter[Hashable]
    disputes: Counter[Hashable]
    entries: Counter[Hashable]
    events: Counter[Hashable]

    def sum_kind(self, kind: AccountKind) -> int:
        """Return the sum of the balances of a kind."""
        return sum(balance_nano for (own, _, _), balance_nano in self.balances.items() if own == kind)


async def read_books(storage: Database) -> Books:
    """Return the books of one view."""
    async with storage.read() as view:
        return await _read_view(view)


async def _read_view(view: Transaction) -> Books:
    names = await _list_names(view)
    accounts = {each.id: each async for each in walk_pages(view.accounts.list)}
    labels = {
        each.id: (str(each.kind), _name(names, each.organization_id, each.provider_id), each.currency)
        for each in accounts.values()
    }
    entries = await view.entries.list(EVERYTHING, 0, ENTRIES_MAX)
    entry_ids = [entry.id for entry in entries]
    postings = await view.accounts.list_of_entries(EVERYTHING, entry_ids)
    records = await view.usage.list_entries(EVERYTHING, entry_ids)
    codes = await view.usage.find_suspended(EVERYTHING, [each.record.id for each in records])
    budgets = [each async for each in walk_pages(view.budgets.list)]
    spent = await view.budgets.list_spent(EVERYTHING, [budget.id for budget in budgets])
    return Books(
        balances={labels[each.id]: each.balance_nano for each in accounts.values() if each.balance_nano},
        tickets=await _count(
            view.tickets.list,
            lambda each: TicketLine(
                names[each.organization_id],
                each.currency,
                each.state,
                each.credit_nano,
                each.returned_nano,
                each.posted_nano,
            ),
        ),
        postings=Counter(
            (labels[each.debit_account_id], labels[each.credit_account_id], each.amount_nano, each.record_count)
            for each in postings
        ),
        records=Counter(
            RecordLine(
                each.record.amount_nano,
                each.charge.provider_nano,
                each.charge.tax_nano,
                codes.get(each.record.id, ""),
            )
            for each in records
        ),
        top_ups=await _count(view.top_ups.list, lambda each: TopUpLine(each.kind, each.amount_nano, each.state)),
        budgets=Counter((each.period, each.amount_nano, sum(spent.get(each.id, {}).values())) for each in budgets),
        statements=await _count(
            view.statements.list, lambda each: (names[each.holder.id], each.period.first_day, each.totals)
        ),
        payouts=await _count(view.payouts.list, lambda each: (names[each.provider_id], each.amount_nano)),
        disputes=await _count(view.disputes.list, lambda each: (names[each.holder.id], each.state, each.amount_nano)),
        entries=Counter(str(entry.kind) for entry in entries),
        events=Counter(event.action for event in await view.events.list(EVERYTHING, 0, ENTRIES_MAX)),
    )


async def _count(
    read: Callable[[Scope, PageRequest], Awaitable[PageOf[Item]]], describe: Callable[[Item], Line]
) -> Counter[Line]:
    return Counter([describe(each) async for each in walk_pages(read)])


async def _list_names(view: Transaction) -> dict[UUID | None, str]:
    names: dict[UUID | None, str] = {each.id: each.name for each in await view.organizations.list_all(EVERYTHING)}
    return names | {each.id: each.name async for each in walk_pages(view.providers.list)}


def _name(names: Mapping[UUID | None, str], organization_id: UUID | None, provider_id: UUID | None) -> str:
    return names.get(organization_id) or names.get(provider_id) or ""


async def dump(storage: Database) -> list[str]:
    """Return every row of every table, as text with the table's name: equal dumps are one state of the database."""
    async with storage._dialect.open_reader() as connection:
        found = await connection.exec_driver_sql(_write_dump(connection.dialect.name))
        return sorted(map(repr, found.all()))


@cache
def _write_dump(dialect: str) -> str:
    """Return one statement: asked of each table by itself, most of the time would go by between two of them."""
    parts = []
    for name, table in metadata.tables.items():
        if name not in LEFT_OUT:
            quoted = " || ',' || ".join(f'quote("{column.name}")' for column in table.columns)
            row = f'"{name}"::text' if dialect == "postgresql" else quoted
            parts.append(f"SELECT '{name}', {row} FROM \"{name}\"")
    return " UNION ALL ".join(parts)


async def check_whole(storage: Database) -> None:
    """Debits equal credits, and the audit derives every balance, ticket and root again from entries and raw records."""
    async with storage.read() as view:
        assert set((await view.accounts.sum_balances(EVERYTHING)).values()) <= {0}
        difference = (await audit_ledger(view, lambda _: None)).difference
    assert difference is None, difference


async def drop_settlement(storage: Database) -> None:
    """Take the stage's settlement away: it is made up, and an audit would say so."""
    made_up = ("dispute", "payout", "statement")
    await execute_unguarded(storage, made_up[1:], *(f"DELETE FROM {table}" for table in made_up))
