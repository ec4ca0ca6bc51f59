"""The ledger's part of the storage contract: accounts, the journal, tickets, shares of limits, usage.

Kept apart from base.py for its length only; what is said there of scopes, errors and transactions holds here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from keisan.domain.access import Scope
from keisan.domain.account import Account, AccountKey, BalanceMove, Posting
from keisan.domain.budget import Budget
from keisan.domain.entry import ChainEnd, Entry
from keisan.domain.forecast import DaySum, LocalDay
from keisan.domain.holder import Holder
from keisan.domain.ids import (
    AccountId,
    BudgetId,
    EntryId,
    MachineId,
    OrganizationId,
    QuarantineId,
    RecordId,
    TicketId,
)
from keisan.domain.incarnation import Incarnation
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.quarantine import QuarantinedRecord, QuarantineState
from keisan.domain.share import Share
from keisan.domain.suspense import SuspendedRecord, SuspenseState
from keisan.domain.ticket import Ticket
from keisan.domain.usage import PostedRecord
from keisan.domain.usage_sum import UsageFilter, UsageSum
from keisan.storage.base_noun import Repository


class AccountRepository(Protocol):
    """Accounts and the journal. An organization sees its wallet, a provider its payable, a platform all."""

    async def get(self, scope: Scope, account_id: AccountId) -> Account: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Account]: ...
    async def open(self, keys: Iterable[AccountKey]) -> Mapping[AccountKey, AccountId]:
        """Return the account of each key, opened with balance 0 where there is none."""
        ...

    async def list_wallets(self, scope: Scope, organization_ids: Iterable[OrganizationId]) -> Sequence[Account]:
        """Return the wallets of these organizations: of each currency one."""
        ...

    async def lock(self, ids: Iterable[AccountId]) -> Mapping[AccountId, Account]:
        """Return these accounts as they are, locked until commit in order of id: before any ticket is locked."""
        ...

    async def post(self, postings: Sequence[Posting]) -> Sequence[BalanceMove]:
        """Append postings and move the balances of both accounts, exactly, in this transaction; return what moved."""
        ...

    async def list_postings(self, scope: Scope, account_id: AccountId, page: PageRequest) -> Sequence[Posting]:
        """Return postings of entries after `page.after`, an entry's id, by entry.

        An entry is never cut: the last one is whole even if that passes `page.limit`.
        """
        ...

    async def list_of_entries(self, scope: Scope, entry_ids: Sequence[EntryId]) -> Sequence[Posting]:
        """Return all postings of these entries; nothing outside a platform's scope."""
        ...

    async def list_unsealed(self, scope: Scope) -> Sequence[Posting]:
        """Return the postings of before there was a journal; nothing outside a platform's scope."""
        ...

    async def sum_balances(self, scope: Scope) -> Mapping[str, int]:
        """Return the sum of all balances in scope by currency: zero on a whole platform. Summed as Python integers."""
        ...


class BudgetRepository(Repository[Budget, BudgetId], Protocol):
    """Budgets, and what was spent of them by step; an organization sees its own.

    A transaction locks accounts first, tickets after, and budgets last, in order of id, or waits in a ring. It has locked
    those whose steps it changes; `changed` are written, `dropped` forgotten. `delete` raises VersionMismatch as update
    does; `list_budgeted` returns the ids of all holders that have one.
    """

    async def list_holders(self, scope: Scope, holder_ids: Iterable[UUID]) -> Sequence[Budget]: ...
    async def list_budgeted(self, scope: Scope) -> frozenset[UUID]: ...
    async def lock_holders(self, holder_ids: Iterable[UUID]) -> Sequence[Budget]: ...
    async def delete(self, noun: Budget) -> None: ...
    async def list_spent(self, scope: Scope, ids: Iterable[BudgetId]) -> Mapping[BudgetId, Mapping[int, int]]: ...
    async def change_spent(self, budget_id: BudgetId, changed: Mapping[int, int], dropped: Iterable[int]) -> None: ...


class TicketRepository(Protocol):
    """Tickets; an organization sees its own. A transaction locks accounts first and tickets after, or waits in a ring."""

    async def get(self, scope: Scope, ticket_id: TicketId) -> Ticket: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Ticket]: ...
    async def insert(self, ticket: Ticket) -> None: ...
    async def lock(self, ids: Iterable[TicketId]) -> Mapping[TicketId, Ticket]:
        """Return those that there are, closed ones too, locked until commit in order of id."""
        ...

    async def lock_open(
        self, gateway_id: MachineId, wallets: Iterable[tuple[OrganizationId, str]]
    ) -> Mapping[TicketId, Ticket]:
        """Return the open tickets of a gateway and those on wallets (owner and currency), locked as `lock` does.

        Whoever holds the lock of a wallet's account sees all that are open on it, for nobody opens one without.
        """
        ...

    async def list_open(self, scope: Scope, organization_ids: Iterable[OrganizationId]) -> Sequence[Ticket]: ...
    async def update_many(self, tickets: Sequence[Ticket]) -> None:
        """Write tickets that this transaction has locked."""
        ...


class ShareRepository(Protocol):
    """Shares of rate limits; the platform sees them. Whoever writes some has taken the lock."""

    async def lock(self) -> None:
        """Let no other transaction that takes this lock go on until this one ends."""
        ...

    async def list_limits(self, scope: Scope, limit_ids: Iterable[str]) -> Sequence[Share]:
        """Return all gateways' shares of these limits."""
        ...

    async def list_gateway(self, scope: Scope, gateway_id: MachineId) -> Sequence[Share]: ...
    async def put_many(self, shares: Sequence[Share]) -> None:
        """Write shares in place of those of the same limit and gateway."""
        ...

    async def delete_many(self, shares: Sequence[Share]) -> None: ...


class IncarnationRepository(Protocol):
    """The newest incarnation of each gateway; the platform sees them."""

    async def lock(self, gateway_id: MachineId) -> Incarnation | None:
        """Return a gateway's newest, locked until commit; None if it never spoke."""
        ...

    async def list_all(self, scope: Scope) -> Sequence[Incarnation]: ...
    async def put(self, newest: Incarnation) -> None:
        """Write a gateway's newest in place of what was."""
        ...


class UsageRepository(Protocol):
    """Usage records, partitioned by day, unique by (day, id) (R12)."""

    async def lock_gateways(self, gateway_ids: Iterable[MachineId]) -> None:
        """Let no other transaction insert records of these gateways until this one ends."""
        ...

    async def find_digests(self, ids: Mapping[RecordId, date]) -> Mapping[RecordId, bytes]:
        """Return the content digests of those that are stored, each looked for on its day.

        For intake, which runs as the platform itself. Who holds the locks of the gateways that made the ids sees all.
        """
        ...

    async def insert_many(self, posted: Sequence[PostedRecord]) -> None:
        """Insert records that are new, set-based; raises AlreadyExists if one is not, and then inserts none."""
        ...

    async def quarantine_many(self, codes: Mapping[bytes, str], gateway_id: MachineId, now: datetime) -> None:
        """Keep refused records' bytes, each with its code, for a person to look at; the same bytes are kept once."""
        ...

    async def suspend_many(self, codes: Mapping[RecordId, str], posted: Sequence[PostedRecord], now: datetime) -> None:
        """Note of each record that has a code why suspense paid for it."""
        ...

    async def list(self, scope: Scope, wanted: UsageFilter, page: PageRequest) -> PageOf[PostedRecord]: ...
    async def get(self, scope: Scope, record_id: RecordId) -> PostedRecord: ...
    async def list_entry(self, scope: Scope, entry_id: EntryId) -> Sequence[PostedRecord]:
        """Return those records of a journal entry that are in scope, in order of id."""
        ...

    async def list_entries(self, scope: Scope, entry_ids: Sequence[EntryId]) -> Sequence[PostedRecord]:
        """Return those records of several journal entries that are in scope, in no order."""
        ...

    async def find_suspended(self, scope: Scope, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        """Return of those of these records that suspense paid for why; nothing outside a platform's scope."""
        ...

    async def count(self, scope: Scope, after: date | None = None) -> int:
        """Return how many records there are in scope, of days after one if it is named."""
        ...

    async def list_unsealed(self, scope: Scope, page: PageRequest) -> PageOf[PostedRecord]:
        """Return a page of the records in scope that were posted before there was a journal, in order of id."""
        ...

    async def sum(self, scope: Scope, wanted: UsageFilter) -> Sequence[UsageSum]: ...


class SuspenseRepository(Protocol):
    """What is noted of records that suspense paid for; the platform sees it. A state None lists all."""

    async def list(
        self, scope: Scope, page: PageRequest, state: SuspenseState | None = None
    ) -> PageOf[SuspendedRecord]: ...
    async def get(self, scope: Scope, record_id: RecordId) -> SuspendedRecord: ...
    async def lock(self, scope: Scope, record_id: RecordId) -> SuspendedRecord:
        """Return it as `get` does, locked until commit: before any account is locked."""
        ...

    async def judge(self, judged: SuspendedRecord) -> None:
        """Write what was judged of a record that this transaction has locked: all else stays."""
        ...


class QuarantineRepository(Protocol):
    """Records that intake refused; the platform sees them. A state None lists all."""

    async def list(
        self, scope: Scope, page: PageRequest, state: QuarantineState | None = None
    ) -> PageOf[QuarantinedRecord]: ...
    async def get(self, scope: Scope, quarantine_id: QuarantineId) -> QuarantinedRecord: ...
    async def lock(self, scope: Scope, quarantine_id: QuarantineId) -> QuarantinedRecord:
        """Return it as `get` does, locked until commit: before all that intake locks."""
        ...

    async def judge(self, judged: QuarantinedRecord) -> None:
        """Write what was judged of a record that this transaction has locked: all else stays."""
        ...


class EntryRepository(Protocol):
    """The journal: entries in one chain. Whoever appends has locked accounts and tickets before."""

    async def lock_end(self) -> ChainEnd:
        """Return the end of the chain, which stays locked until commit."""
        ...

    async def get_end(self, scope: Scope) -> ChainEnd:
        """Return the end of the chain as it stands; raises NotFound outside a platform's scope."""
        ...

    async def append(self, added: Entry) -> None:
        """Insert the next entry; raises InvariantBroken if another one is next."""
        ...

    async def get(self, scope: Scope, entry_id: EntryId) -> Entry: ...
    async def list(self, scope: Scope, after_sequence: int, limit: int) -> Sequence[Entry]:
        """Return entries in order of sequence, after the given one; an empty list outside a platform's scope."""
        ...


class ForecastRepository(Protocol):
    """What holders spent day by day. Outside the scope nothing was; a provider sees nothing."""

    async def sum_days(
        self, scope: Scope, organization_id: OrganizationId, holders: Sequence[Holder], days: Sequence[LocalDay]
    ) -> Sequence[DaySum]:
        """Return what an organization's holders spent on days that follow each other, in order of day for each currency.

        Days without spending are left out, and so are records that suspense paid for.
        """
        ...
