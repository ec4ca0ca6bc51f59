"""Grants, terms and wants: seen by the platform alone. SQL has a word of its own for a grant, so the table is capacity_grant."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, Table, Text, select, update

from keisan.domain.access import Scope
from keisan.domain.errors import AlreadyExists, VersionMismatch
from keisan.domain.grant import (
    FINAL_STATES,
    HOLDING_STATES,
    Grant,
    GrantAnswer,
    GrantScope,
    GrantState,
    GrantTerms,
    GrantWant,
    GrantWork,
    OnExpiry,
    Sending,
    WantState,
)
from keisan.domain.ids import DeviceId, GrantId, GrantWantId, PlatformId
from keisan.kit.clock import from_microseconds, to_microseconds
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import (
    AnyColumn,
    AnyRow,
    EnumText,
    Instant,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)

SCOPE_COLUMNS = ("chip", "count", "duration_s", "on_expiry")


def encode_device_ids(device_ids: Sequence[DeviceId]) -> list[str]:
    """Return ids as texts."""
    return [str(device_id) for device_id in device_ids]


def decode_device_ids(stored: Sequence[str]) -> tuple[DeviceId, ...]:
    """Return what encode_device_ids was given."""
    return tuple(DeviceId(UUID(text)) for text in stored)


def decode_work(stored: Mapping[str, Any]) -> GrantWork:
    """Return stored work."""
    return GrantWork(**stored)


def encode_sendings(sendings: Mapping[int, Sending]) -> dict[str, list[int | None]]:
    """Return sendings as JSON keeps them, times as whole microseconds."""
    return {str(number): [sent.epoch, to_microseconds(sent.at), sent.offset_ms] for number, sent in sendings.items()}


def decode_sendings(stored: Mapping[str, Sequence[Any]]) -> dict[int, Sending]:
    """Return what encode_sendings was given."""
    return {
        int(number): Sending(epoch, from_microseconds(at), offset_ms)
        for number, (epoch, at, offset_ms) in stored.items()
    }


def decode_answer(stored: Mapping[str, Any]) -> GrantAnswer:
    """Return a stored answer."""
    return GrantAnswer(**{**stored, "state": GrantState(stored["state"])})


def build_scope_columns() -> tuple[AnyColumn, ...]:
    """Return the columns of what is granted."""
    return (
        build_column("chip", Text(), is_nullable=True),
        build_column("count", BigInteger()),
        build_column("duration_s", BigInteger()),
        build_column("on_expiry", EnumText(OnExpiry)),
    )


capacity_grant = Table(
    "capacity_grant",
    metadata,
    *build_noun_columns(),
    build_column("parent_id", Text()),
    build_id("want_id"),
    build_column("epoch", BigInteger()),
    build_column("number", BigInteger()),
    *build_scope_columns(),
    build_column("renewal", BigInteger()),
    build_column("reckoned_from", Instant()),
    build_column("offset_ms", BigInteger(), is_nullable=True),
    build_column("device_ids", Structure(encode_device_ids, decode_device_ids)),
    build_column("work", Structure(asdict, decode_work), is_nullable=True),
    build_id("deployment_id", is_nullable=True),
    build_column("state", EnumText(GrantState)),
    build_column("reason", Text()),
    Index(None, "want_id"),
    Index(None, "state"),
)
grant_terms = Table(
    "grant_terms",
    metadata,
    build_column("platform_id", Text()),
    build_column("epoch", BigInteger()),
    build_column("last_number", BigInteger()),
    build_column("automatic_count", BigInteger()),
    build_column("version", BigInteger()),
    PrimaryKeyConstraint("platform_id"),
)
grant_want = Table(
    "grant_want",
    metadata,
    *build_noun_columns(),
    build_column("child_id", Text()),
    build_column("epoch", BigInteger()),
    *build_scope_columns(),
    build_column("renewal", BigInteger()),
    build_column("sendings", Structure(encode_sendings, decode_sendings)),
    build_column("work", Structure(asdict, decode_work), is_nullable=True),
    build_column("state", EnumText(WantState)),
    build_column("answer", Structure(asdict, decode_answer), is_nullable=True),
    Index(None, "child_id"),
)


def write_scope(table: Table, noun: Grant | GrantWant) -> dict[str, object]:
    """Return a noun as a row."""
    own = (column.name for column in table.columns if column.name not in SCOPE_COLUMNS)
    return {name: getattr(noun, name) for name in own} | {name: getattr(noun.scope, name) for name in SCOPE_COLUMNS}


def read_scope(row: AnyRow) -> dict[str, Any]:
    """Return the fields of a noun from a row."""
    own = {name: value for name, value in row.items() if name not in SCOPE_COLUMNS}
    return own | {"scope": GrantScope(**{name: row[name] for name in SCOPE_COLUMNS})}


class GrantRepository(TableRepository[Grant, GrantId]):
    """Grants by id, by want, and those that hold devices."""

    table = capacity_grant
    noun_type = Grant
    visibility = Visibility()

    async def find_last(self, scope: Scope, parent_id: PlatformId, want_id: GrantWantId) -> Grant | None:
        """Return the newest grant that answers a want of a parent."""
        own = (capacity_grant.c.want_id == want_id) & (capacity_grant.c.parent_id == parent_id)
        found = await self._list_where(scope, own)
        return found[-1] if found else None

    async def list_holding(self, scope: Scope) -> Sequence[Grant]:
        """Return all grants that hold devices."""
        return await self._list_where(scope, capacity_grant.c.state.in_(sorted(HOLDING_STATES)))

    async def list_live(self, scope: Scope, parent_id: PlatformId) -> Sequence[Grant]:
        """Return a parent's grants that are not over."""
        is_live = capacity_grant.c.state.not_in(sorted(FINAL_STATES))
        return await self._list_where(scope, capacity_grant.c.parent_id == parent_id, is_live)

    def _to_row(self, noun: Grant) -> dict[str, object]:
        return write_scope(capacity_grant, noun)

    def _to_noun(self, row: AnyRow) -> Grant:
        return Grant(**read_scope(row))


class GrantTermsRepository:
    """The one row of terms."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find(self, scope: Scope, platform_id: PlatformId) -> GrantTerms | None:
        """Return the terms; None before the first join, and outside the platform's scope."""
        wanted = select(grant_terms).where(grant_terms.c.platform_id == platform_id, Visibility().limit(scope))
        row = await self._connection.fetch_first(wanted)
        return None if row is None else GrantTerms(**row)

    async def lock(self, platform_id: PlatformId) -> GrantTerms | None:
        """Return the terms, locked until commit."""
        rows = await self._connection.fetch_locked(select(grant_terms).where(grant_terms.c.platform_id == platform_id))
        return GrantTerms(**rows[0]) if rows else None

    async def insert(self, terms: GrantTerms) -> None:
        """Insert the terms; raises AlreadyExists if there are some."""
        if not await self._connection.insert_or_ignore(grant_terms, asdict(terms)):
            raise AlreadyExists("there are terms of grants already")

    async def update(self, terms: GrantTerms) -> None:
        """Write the terms; raises VersionMismatch unless the stored version is one less."""
        is_expected = (grant_terms.c.platform_id == terms.platform_id) & (grant_terms.c.version == terms.version - 1)
        if await self._connection.change(update(grant_terms).where(is_expected), asdict(terms)) != 1:
            raise VersionMismatch(f"the terms of grants are not at version {terms.version - 1}")


class GrantWantRepository(TableRepository[GrantWant, GrantWantId]):
    """Wants by id and by child."""

    table = grant_want
    noun_type = GrantWant
    visibility = Visibility()

    async def list_child(self, scope: Scope, child_id: PlatformId) -> Sequence[GrantWant]:
        """Return all wants to a child, ended ones too."""
        return await self._list_where(scope, grant_want.c.child_id == child_id)

    def _to_row(self, noun: GrantWant) -> dict[str, object]:
        return write_scope(grant_want, noun)

    def _to_noun(self, row: AnyRow) -> GrantWant:
        return GrantWant(**read_scope(row))
