"""Machines and the one-time tokens they join with. A provider sees the agents of its own sites."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Table, Text, UniqueConstraint, select, update

from keisan.domain.access import MachineKind, PlatformScope, Scope
from keisan.domain.errors import AlreadyExists, NotFound, StateConflict
from keisan.domain.ids import JoinTokenId, MachineId
from keisan.domain.machine import JoinToken, Machine
from keisan.storage.connection import GuardedConnection
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import EnumText, Instant, build_column, build_id, build_noun_columns, metadata
from keisan.storage.site import limit_to_sites

machine = Table(
    "machine",
    metadata,
    *build_noun_columns(),
    build_column("kind", EnumText(MachineKind)),
    build_id("site_id", ForeignKey("site.id"), is_nullable=True),
    build_column("name", Text()),
    build_column("digest", Text()),
    build_column("acknowledged_version", BigInteger()),
    build_column("seen_at", Instant(), is_nullable=True),
    build_column("revoked_at", Instant(), is_nullable=True),
    UniqueConstraint("digest"),
)

join_token = Table(
    "join_token",
    metadata,
    build_id("id", is_primary=True),
    build_column("platform_id", Text()),
    build_column("kind", EnumText(MachineKind)),
    build_id("site_id", ForeignKey("site.id"), is_nullable=True),
    build_column("digest", Text()),
    build_column("created_at", Instant()),
    build_column("expires_at", Instant()),
    # Without a foreign key: the token is used before its machine is written.
    build_id("used_by", is_nullable=True),
    UniqueConstraint("digest"),
)


class MachineRepository(TableRepository[Machine, MachineId]):
    """Joined gateways and site agents."""

    table = machine
    noun_type = Machine
    unique = "digest"
    visibility = Visibility(provider=limit_to_sites(machine.c.site_id))
    unwritten = frozenset({"acknowledged_version", "seen_at"})

    async def find_by_digest(self, digest: str) -> Machine | None:
        """Return the machine with this digest, revoked or not."""
        return await self._find(PlatformScope(), machine.c.digest == digest)

    async def list_kind(self, scope: Scope, kind: MachineKind) -> Sequence[Machine]:
        """Return all machines of a kind that are not revoked."""
        return await self._list_where(scope, machine.c.kind == kind, machine.c.revoked_at.is_(None))

    async def acknowledge(self, machine_id: MachineId, version: int, seen_at: datetime) -> None:
        """Note what snapshot version a gateway serves; raises NotFound for an unknown machine."""
        values = {"acknowledged_version": version, "seen_at": seen_at}
        if await self._connection.change(update(machine).where(machine.c.id == machine_id), values) != 1:
            raise NotFound(f"there is no machine {machine_id}")


class JoinTokenRepository:
    """One-time tokens, found by digest only."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection

    async def find_by_digest(self, digest: str) -> JoinToken | None:
        """Return the token with this digest, used or not."""
        row = await self._connection.fetch_first(select(join_token).where(join_token.c.digest == digest))
        return None if row is None else JoinToken(**row)

    async def insert(self, token: JoinToken) -> None:
        """Insert a token; raises AlreadyExists if its digest is taken."""
        row = {column.name: getattr(token, column.name) for column in join_token.columns}
        if not await self._connection.insert_or_ignore(join_token, row):
            raise AlreadyExists("there is a join token with this digest already")

    async def use(self, token_id: JoinTokenId, machine_id: MachineId) -> None:
        """Mark the token as used; raises StateConflict if another machine has used it, NotFound if there is none."""
        query = select(join_token.c.used_by).where(join_token.c.id == token_id)
        rows = await self._connection.fetch_locked(query)
        if not rows:
            raise NotFound(f"there is no join token {token_id}")
        if rows[0]["used_by"] not in (None, machine_id):
            raise StateConflict("this join token has been used")
        statement = update(join_token).where(join_token.c.id == token_id).values(used_by=machine_id)
        await self._connection.change(statement)
