"""Accounts and the journal: balances move exactly, under the lock of their rows, with the postings that move them."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    or_,
    select,
    update,
)

from keisan.domain.access import Scope
from keisan.domain.account import Account, AccountKey, AccountKind, BalanceMove, Posting
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import AccountId, EntryId, OrganizationId, PlatformId
from keisan.domain.page import PageOf, PageRequest
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.storage.connection import GuardedConnection
from keisan.storage.entry import entry
from keisan.storage.organization import organization
from keisan.storage.platform import PlatformRepository
from keisan.storage.repository import (
    PARAMETERS_PER_STATEMENT_MAX,
    Condition,
    Visibility,
    cut_page,
    order_page,
    split_chunks,
)
from keisan.storage.schema import (
    AnyColumn,
    AnyRow,
    AnySelect,
    EnumText,
    ExactInteger,
    Instant,
    build_column,
    build_id,
    metadata,
)

account = Table(
    "account",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_column("kind", EnumText(AccountKind)),
    build_id("organization_id", ForeignKey("organization.id"), is_nullable=True),
    build_id("provider_id", ForeignKey("provider.id"), is_nullable=True),
    build_column("currency", Text()),
    build_column("balance_nano", ExactInteger()),
    build_column("created_at", Instant()),
    # Who holds it, as one text: nulls are never equal, so the two ids alone could not make an account unique.
    build_column("holder", Text()),
    build_column("counterparty_id", Text(), is_nullable=True),
    UniqueConstraint("holder", "kind", "currency"),
)

posting = Table(
    "posting",
    metadata,
    build_id("entry_id"),
    build_id("debit_account_id", ForeignKey("account.id")),
    build_id("credit_account_id", ForeignKey("account.id")),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("record_count", BigInteger()),
    build_column("created_at", Instant()),
    PrimaryKeyConstraint("entry_id", "debit_account_id", "credit_account_id"),
    Index(None, "debit_account_id", "entry_id"),
    Index(None, "credit_account_id", "entry_id"),
)


def limit_to_wallet(organization_id: UUID) -> Condition:
    """Return the condition of an organization: its wallets."""
    return (account.c.kind == AccountKind.WALLET) & (account.c.organization_id == organization_id)


def limit_to_payable(provider_id: UUID) -> Condition:
    """Return the condition of a provider: its payables."""
    return (account.c.kind == AccountKind.PROVIDER_PAYABLE) & (account.c.provider_id == provider_id)


# What the organization of a wallet is told below, by currency, read with the wallet: it costs a batch no query of its own.
FLOORS = (
    select(organization.c.wallet_low_nano)
    .where(organization.c.id == account.c.organization_id, account.c.kind == AccountKind.WALLET)
    .correlate(account)
    .scalar_subquery()
    .label("floors")
)

VISIBILITY = Visibility(organization=limit_to_wallet, provider=limit_to_payable)
PLATFORM_VISIBILITY = Visibility()


class AccountRepository:
    """Accounts by id and by key, and postings by account."""

    def __init__(self, connection: GuardedConnection, platform: PlatformRepository, clock: Clock) -> None:
        self._connection = connection
        self._platform = platform
        self._clock = clock
        # Those opened in this transaction: an account's id never changes.
        self._opened: dict[AccountKey, AccountId] = {}

    async def get(self, scope: Scope, account_id: AccountId) -> Account:
        """Return the account; raises NotFound, also for what lies outside the scope."""
        statement = select(*list_fields()).where(VISIBILITY.limit(scope), account.c.id == account_id)
        row = await self._connection.fetch_first(statement)
        if row is None:
            raise NotFound(f"there is no account {account_id}")
        return Account(**row)

    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Account]:
        """Return a page in order of id."""
        statement = order_page(select(*list_fields()).where(VISIBILITY.limit(scope)), account.c.id, page)
        rows = await self._connection.fetch_all(statement)
        return cut_page([Account(**row) for row in rows], page, lambda noun: noun.id)

    async def open(self, keys: Iterable[AccountKey]) -> Mapping[AccountKey, AccountId]:
        """Return the account of each key, opened with balance 0 where there is none."""
        asked = list(keys)
        wanted = {describe_key(key): key for key in asked if key not in self._opened}
        if wanted:
            self._opened |= await self._find_open(wanted)
        # In one order for all transactions, so that two that open the same accounts cannot wait for each other.
        missing = [key for described, key in sorted(wanted.items()) if key not in self._opened]
        if missing:
            platform_id = await self._platform.get_id()
            await self._connection.insert_missing(account, [self._build_row(key, platform_id) for key in missing])
            self._opened |= await self._find_open(wanted)
        return {key: self._opened[key] for key in asked}

    async def list_wallets(self, scope: Scope, organization_ids: Iterable[OrganizationId]) -> Sequence[Account]:
        """Return the wallets of these organizations, of each currency one."""
        found: list[Account] = []
        for chunk in split_chunks(sorted(set(organization_ids)), PARAMETERS_PER_STATEMENT_MAX):
            is_wanted = (account.c.kind == AccountKind.WALLET) & account.c.organization_id.in_(chunk)
            statement = select(*list_fields()).where(VISIBILITY.limit(scope), is_wanted).order_by(account.c.id)
            found += [Account(**row) for row in await self._connection.fetch_all(statement)]
        return found

    async def lock(self, ids: Iterable[AccountId]) -> Mapping[AccountId, Account]:
        """Return these accounts as they are, locked until commit in order of id."""
        locked: dict[AccountId, Account] = {}
        for chunk in split_chunks(sorted(set(ids)), PARAMETERS_PER_STATEMENT_MAX):
            is_wanted = self._connection.match_any(account.c.id, chunk)
            statement = select(*list_fields()).where(is_wanted).order_by(account.c.id)
            locked |= {row["id"]: Account(**row) for row in await self._connection.fetch_locked(statement)}
        return locked

    async def post(self, postings: Sequence[Posting]) -> Sequence[BalanceMove]:
        """Append postings and move the balances of both accounts, exactly, in this transaction; return what moved.

        Raises NotFound for an unknown account, InvariantBroken for an amount below 1 or a mix of currencies.
        """
        if not postings:
            return ()
        sums = _sum_moves(postings)
        # Rows are locked in order of id, so that two transactions with the same accounts cannot wait for each other.
        is_moved = self._connection.match_any(account.c.id, sorted(sums))
        wanted = select(*list_fields(), FLOORS).where(is_moved).order_by(account.c.id)
        locked = await self._connection.fetch_locked(wanted)
        _check_currencies(postings, locked)
        rows = [{column.name: getattr(line, column.name) for column in posting.columns} for line in postings]
        await self._connection.change(posting.insert(), rows)
        moved = update(account).where(account.c.id == bindparam("account_id")).values(balance_nano=bindparam("balance"))
        moves = [_describe_move(row, sums[row["id"]]) for row in locked]
        await self._connection.change(
            moved, [{"account_id": move.account_id, "balance": move.after_nano} for move in moves]
        )
        return moves

    async def list_postings(self, scope: Scope, account_id: AccountId, page: PageRequest) -> Sequence[Posting]:
        """Return postings of entries after `page.after`, the last entry whole; raises NotFound as get does."""
        await self.get(scope, account_id)
        own = select(posting).where(
            or_(posting.c.debit_account_id == account_id, posting.c.credit_account_id == account_id)
        )
        later = own if page.after is None else own.where(posting.c.entry_id > page.after)
        order = (posting.c.entry_id, posting.c.debit_account_id, posting.c.credit_account_id)
        found = await self._list_entries(later.order_by(*order).limit(page.limit))
        if len(found) < page.limit:
            return found
        last_id = found[-1].entry_id
        whole = await self._list_entries(own.where(posting.c.entry_id == last_id).order_by(*order))
        return [*(line for line in found if line.entry_id != last_id), *whole]

    async def list_of_entries(self, scope: Scope, entry_ids: Sequence[EntryId]) -> Sequence[Posting]:
        """Return all postings of these entries; nothing outside a platform's scope."""
        is_wanted = self._connection.match_any(posting.c.entry_id, entry_ids)
        return await self._list_entries(select(posting).where(PLATFORM_VISIBILITY.limit(scope), is_wanted))

    async def list_unsealed(self, scope: Scope) -> Sequence[Posting]:
        """Return the postings of before there was a journal; nothing outside a platform's scope."""
        unsealed = select(posting).outerjoin(entry, entry.c.id == posting.c.entry_id).where(entry.c.id.is_(None))
        return await self._list_entries(unsealed.where(PLATFORM_VISIBILITY.limit(scope)))

    async def sum_balances(self, scope: Scope) -> Mapping[str, int]:
        """Return the sum of all balances in scope by currency, added as Python integers."""
        statement = select(account.c.currency, account.c.balance_nano).where(VISIBILITY.limit(scope))
        sums: dict[str, int] = {}
        for row in await self._connection.fetch_all(statement):
            sums[row["currency"]] = sums.get(row["currency"], 0) + row["balance_nano"]
        return sums

    async def _find_open(self, wanted: Mapping[tuple[str, str, str], AccountKey]) -> dict[AccountKey, AccountId]:
        holders = sorted({holder for holder, _, _ in wanted})
        found: dict[AccountKey, AccountId] = {}
        for chunk in split_chunks(holders, PARAMETERS_PER_STATEMENT_MAX):
            statement = select(account.c.id, account.c.holder, account.c.kind, account.c.currency)
            is_wanted = self._connection.match_any(account.c.holder, chunk)
            for row in await self._connection.fetch_all(statement.where(is_wanted)):
                key = wanted.get((row["holder"], row["kind"], row["currency"]))
                if key is not None:
                    found[key] = AccountId(row["id"])
        return found

    async def _list_entries(self, statement: AnySelect) -> Sequence[Posting]:
        return [Posting(**row) for row in await self._connection.fetch_all(statement)]

    def _build_row(self, key: AccountKey, platform_id: PlatformId) -> dict[str, object]:
        return {
            "id": create_id(),
            "platform_id": platform_id,
            "kind": key.kind,
            "organization_id": key.organization_id,
            "provider_id": key.provider_id,
            "currency": key.currency,
            "balance_nano": 0,
            "created_at": self._clock.now(),
            "holder": describe_key(key)[0],
            "counterparty_id": key.counterparty_id,
        }


def list_fields() -> tuple[AnyColumn, ...]:
    """Return the columns that hold an account's fields."""
    return tuple(column for column in account.columns if column.name != "holder")


def describe_key(key: AccountKey) -> tuple[str, str, str]:
    """Return holder, kind and currency: what the unique key compares."""
    holder = f"{key.organization_id or '-'}/{key.provider_id or '-'}"
    # Accounts of before there were links keep the text that they have.
    return f"{holder}/{key.counterparty_id}" if key.counterparty_id else holder, str(key.kind), key.currency


def _sum_moves(postings: Sequence[Posting]) -> dict[UUID, int]:
    """Return by how much each account's balance changes: credits less debits."""
    moves: dict[UUID, int] = {}
    for line in postings:
        if line.amount_nano <= 0:
            raise InvariantBroken("a posting moves a positive amount")
        moves[line.debit_account_id] = moves.get(line.debit_account_id, 0) - line.amount_nano
        moves[line.credit_account_id] = moves.get(line.credit_account_id, 0) + line.amount_nano
    return moves


def _describe_move(row: AnyRow, sum_nano: int) -> BalanceMove:
    return BalanceMove(
        account_id=row["id"],
        kind=row["kind"],
        organization_id=row["organization_id"],
        currency=row["currency"],
        before_nano=row["balance_nano"],
        after_nano=row["balance_nano"] + sum_nano,
        floor_nano=(row["floors"] or {}).get(row["currency"]),
    )


def _check_currencies(postings: Sequence[Posting], locked: Sequence[AnyRow]) -> None:
    currencies = {row["id"]: row["currency"] for row in locked}
    for line in postings:
        for account_id in (line.debit_account_id, line.credit_account_id):
            if account_id not in currencies:
                raise NotFound(f"there is no account {account_id}")
            if currencies[account_id] != line.currency:
                raise InvariantBroken("a posting stays within one currency", f"account {account_id}")
