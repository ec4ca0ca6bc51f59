"""What all repositories of nouns share: get, list, insert and update within a scope.

A noun's file names its table, its type and who may see its rows; columns are named as the noun's fields.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Table, false, select, true, update

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.errors import AlreadyExists, NotFound, VersionMismatch
from keisan.domain.page import PageOf, PageRequest
from keisan.storage.connection import GuardedConnection
from keisan.storage.schema import AnyColumn, AnyRow, AnySelect, Values

# PostgreSQL takes 32,767 parameters in a statement and SQLite 32,766.
PARAMETERS_PER_STATEMENT_MAX = 30_000
# PostgreSQL parses a list of pairs as nested ors, and its stack of 2 MiB ends within 15,000 of them.
PAIRS_PER_STATEMENT_MAX = 1_000
# Set once, at birth: an update never writes them.
FIXED_COLUMNS = frozenset({"id", "platform_id", "created_at"})

Condition = ColumnElement[bool]
Limit = Callable[[UUID], Condition]
Item = TypeVar("Item")


class Identified(Protocol):
    """A noun with an id."""

    @property
    def id(self) -> UUID: ...


class Versioned(Identified, Protocol):
    """A noun with an id and the version of its row."""

    @property
    def version(self) -> int: ...


Noun = TypeVar("Noun", bound=Identified)
VersionedNoun = TypeVar("VersionedNoun", bound=Versioned)
NounId = TypeVar("NounId", bound=UUID)


def limit_to_none(_owner_id: UUID) -> Condition:
    """Return the condition of those who see nothing."""
    return false()


def limit_to_all(_owner_id: UUID) -> Condition:
    """Return the condition of those who see everything on the platform."""
    return true()


def limit_to_owner(column: AnyColumn) -> Limit:
    """Return the limit of those who see the rows whose column is their id."""
    return lambda owner_id: column == owner_id


@dataclass(frozen=True, slots=True)
class Visibility:
    """What an organization and a provider see of a table; a platform sees all of it."""

    organization: Limit = limit_to_none
    provider: Limit = limit_to_none

    def limit(self, scope: Scope) -> Condition:
        """Return the condition on the rows that a scope sees."""
        match scope:
            case PlatformScope():
                return true()
            case OrganizationScope(organization_id):
                return self.organization(organization_id)
            case ProviderScope(provider_id):
                return self.provider(provider_id)


def split_chunks(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """Yield items in lists of at most `most`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, most)):
        yield chunk


def order_page(statement: AnySelect, id_column: AnyColumn, page: PageRequest) -> AnySelect:
    """Return the statement for one page and one row more, which tells whether another page follows."""
    if page.after is not None:
        statement = statement.where(id_column > page.after)
    return statement.order_by(id_column).limit(page.limit + 1)


def cut_page(items: Sequence[Item], page: PageRequest, read_id: Callable[[Item], UUID]) -> PageOf[Item]:
    """Return the page of what `order_page` asked for."""
    kept = tuple(items[: page.limit])
    has_more = len(items) > page.limit
    return PageOf(kept, read_id(kept[-1]) if has_more else None)


class FixedRepository(Generic[Noun, NounId]):
    """Get, list and insert of one noun."""

    table: ClassVar[Table]
    noun_type: Callable[..., Noun]
    visibility: ClassVar[Visibility] = Visibility()
    # What may be taken, in words.
    unique: ClassVar[str] = "id"

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    def _to_row(self, noun: Noun) -> dict[str, object]:
        return {column.name: getattr(noun, column.name) for column in self._columns()}

    def _to_noun(self, row: AnyRow) -> Noun:
        return self.noun_type(**row)

    def _columns(self) -> Sequence[AnyColumn]:
        """Return the columns that hold the noun's fields."""
        return tuple(self.table.columns)

    def _select(self, scope: Scope) -> AnySelect:
        return select(*self._columns()).where(self.visibility.limit(scope))

    async def get(self, scope: Scope, noun_id: NounId) -> Noun:
        """Return the noun; raises NotFound, also for what lies outside the scope."""
        row = await self._connection.fetch_first(self._select(scope).where(self.table.c.id == noun_id))
        if row is None:
            raise NotFound(f"there is no {self._word()} {noun_id}")
        return self._to_noun(row)

    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Noun]:
        """Return a page in order of id."""
        rows = await self._connection.fetch_all(order_page(self._select(scope), self.table.c.id, page))
        return cut_page([self._to_noun(row) for row in rows], page, lambda noun: noun.id)

    async def insert(self, noun: Noun) -> None:
        """Insert the noun; raises AlreadyExists when a unique name or id is taken."""
        await self._insert(self._to_row(noun))

    async def _insert(self, row: Values) -> None:
        if not await self._connection.insert_or_ignore(self.table, row):
            raise AlreadyExists(f"there is a {self._word()} with this {self.unique} already")

    async def _find(self, scope: Scope, *conditions: Condition) -> Noun | None:
        row = await self._connection.fetch_first(self._select(scope).where(*conditions))
        return None if row is None else self._to_noun(row)

    async def _list_where(self, scope: Scope, *conditions: Condition) -> tuple[Noun, ...]:
        statement = self._select(scope).where(*conditions).order_by(self.table.c.id)
        return tuple(self._to_noun(row) for row in await self._connection.fetch_all(statement))

    async def _list_ids(self, scope: Scope, ids: Iterable[UUID]) -> tuple[Noun, ...]:
        found: tuple[Noun, ...] = ()
        for chunk in split_chunks(sorted(set(ids)), PARAMETERS_PER_STATEMENT_MAX):
            found += await self._list_where(scope, self._connection.match_any(self.table.c.id, chunk))
        return found

    def _word(self) -> str:
        return self.table.name.replace("_", " ")


class TableRepository(FixedRepository[VersionedNoun, NounId]):
    """The same, and update under the row's version."""

    # Columns that other methods than update write, so that a stale noun cannot turn them back.
    unwritten: ClassVar[frozenset[str]] = frozenset()

    async def update(self, noun: VersionedNoun) -> None:
        """Write the row whose stored version is one less; raises VersionMismatch otherwise."""
        values = {
            name: value
            for name, value in self._to_row(noun).items()
            if name not in FIXED_COLUMNS and name not in self.unwritten
        }
        is_expected = (self.table.c.id == noun.id) & (self.table.c.version == noun.version - 1)
        if await self._connection.change(update(self.table).where(is_expected), values) != 1:
            raise VersionMismatch(f"the {self._word()} {noun.id} is not at version {noun.version - 1}")
