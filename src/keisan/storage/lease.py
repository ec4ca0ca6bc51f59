"""Due work and the leases on it: the outbox says what is due, the lease row who does it now.

Two rows, so that making work due never waits for whoever does it. All transactions lock lease rows first and outbox
rows last (at commit, in one order), so none waits for another in a ring.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Table,
    and_,
    bindparam,
    case,
    delete,
    literal,
    or_,
    select,
    update,
)

from keisan.domain.errors import LeaseLost
from keisan.domain.lease import Lease, WorkNoun
from keisan.kit.ids import create_id
from keisan.storage.connection import GuardedConnection
from keisan.storage.dialect import Excluded
from keisan.storage.repository import Condition
from keisan.storage.schema import AnySelect, EnumText, Instant, build_column, build_id, metadata

Work = tuple[WorkNoun, UUID]

outbox = Table(
    "outbox",
    metadata,
    build_column("noun", EnumText(WorkNoun)),
    build_id("noun_id"),
    build_column("due_at", Instant()),
    build_column("generation", BigInteger()),
    # Times it was taken since it was last put or done.
    build_column("attempt", BigInteger()),
    PrimaryKeyConstraint("noun", "noun_id"),
    Index(None, "due_at"),
)

lease = Table(
    "lease",
    metadata,
    build_column("noun", EnumText(WorkNoun)),
    build_id("noun_id"),
    # Null while nobody holds it.
    build_id("token", is_nullable=True),
    build_column("expires_at", Instant(), is_nullable=True),
    PrimaryKeyConstraint("noun", "noun_id"),
)


class OutboxRepository:
    """Puts, leases and finishes work; what changes outbox rows waits for `flush`."""

    def __init__(self, connection: GuardedConnection) -> None:
        self._connection = connection
        self._puts: dict[Work, datetime] = {}
        self._finished: dict[Work, tuple[Lease, datetime | None]] = {}
        self._checked: set[UUID] = set()

    async def put(self, noun: WorkNoun, noun_id: UUID, due_at: datetime) -> None:
        """Make the work due at the earlier of `due_at` and what is stored, and raise its generation, at commit."""
        self._connection.require_writable()
        work = (noun, noun_id)
        self._puts[work] = min(due_at, self._puts.get(work, due_at))

    async def take(
        self, now: datetime, life: timedelta, most: int, nouns: Iterable[WorkNoun] | None = None
    ) -> Sequence[Lease]:
        """Lease up to `most` rows that are due and not under another's live lease: of these nouns, or of all for None."""
        await self.flush()
        due = _list_due(select(outbox), now)
        if nouns is not None:
            due = due.where(outbox.c.noun.in_(sorted(nouns)))
        rows = await self._connection.fetch_locked(
            due.order_by(outbox.c.due_at, outbox.c.noun_id).limit(most), is_skipping=True
        )
        taken = [
            Lease(row["noun"], row["noun_id"], row["generation"], create_id(), row["attempt"] + 1, now + life)
            for row in rows
        ]
        if taken:
            await self._write_taken(taken)
        return taken

    async def collect_due_nouns(self, now: datetime) -> frozenset[WorkNoun]:
        """Return the nouns of what `take` would lease now."""
        rows = await self._connection.fetch_all(_list_due(select(outbox.c.noun).distinct(), now))
        return frozenset(row["noun"] for row in rows)

    async def check(self, lease: Lease, now: datetime) -> None:
        """Raise LeaseLost unless the lease is still held; its row stays locked until commit."""
        await self._require_held(lease, now)
        self._checked.add(lease.token)

    async def finish(self, lease: Lease, due_again_at: datetime | None) -> None:
        """End the lease at commit: the row goes, or is due again then, or at once if it was put meanwhile.

        Raises LeaseLost.
        """
        await self._require_held(lease, None)
        self._finished[(lease.noun, lease.noun_id)] = (lease, due_again_at)

    async def flush(self) -> None:
        """Write what was put and finished, in one order; the database's transaction calls it before it commits."""
        finished, self._finished = self._finished, {}
        puts, self._puts = self._puts, {}
        for work in sorted({*finished, *puts}):
            # A put of the same transaction comes first, so that its work is not lost with the row.
            if work in puts:
                await self._write_put(work, puts[work])
            if work in finished:
                await self._write_finished(*finished[work])

    async def _require_held(self, held: Lease, now: datetime | None) -> None:
        rows = await self._connection.fetch_locked(
            select(lease).where(_match(lease, (held.noun, held.noun_id)), lease.c.token == held.token)
        )
        is_expired = bool(rows) and now is not None and rows[0]["expires_at"] <= now
        if not rows or is_expired:
            raise LeaseLost(f"the lease on {held.noun} {held.noun_id} is lost")

    async def _write_taken(self, taken: Sequence[Lease]) -> None:
        rows = [
            {"work_noun": held.noun, "work_id": held.noun_id, "new_token": held.token, "until": held.expires_at}
            for held in taken
        ]
        is_work = and_(lease.c.noun == bindparam("work_noun"), lease.c.noun_id == bindparam("work_id"))
        held_by = update(lease).where(is_work).values(token=bindparam("new_token"), expires_at=bindparam("until"))
        await self._connection.change(held_by, rows)
        for held in taken:
            counted = update(outbox).where(_match(outbox, (held.noun, held.noun_id))).values(attempt=held.attempt)
            await self._connection.change(counted)

    async def _write_put(self, work: Work, due_at: datetime) -> None:
        row = {"noun": work[0], "noun_id": work[1], "due_at": due_at, "generation": 1, "attempt": 0}
        await self._connection.change(self._connection.upsert(outbox, _raise_generation), row)
        await self._connection.insert_or_ignore(lease, {"noun": work[0], "noun_id": work[1]})

    async def _write_finished(self, held: Lease, due_again_at: datetime | None) -> None:
        work = (held.noun, held.noun_id)
        row = await self._connection.fetch_locked(select(outbox.c.generation).where(_match(outbox, work)))
        is_put_meanwhile = bool(row) and row[0]["generation"] != held.generation
        if not is_put_meanwhile and due_again_at is None:
            await self._connection.change(delete(outbox).where(_match(outbox, work)))
            await self._connection.change(delete(lease).where(_match(lease, work)))
            return
        if not is_put_meanwhile:
            again: dict[str, object] = {"due_at": due_again_at}
            if held.token in self._checked:
                again["attempt"] = 0
            await self._connection.change(update(outbox).where(_match(outbox, work)).values(again))
        await self._connection.change(update(lease).where(_match(lease, work)).values(token=None, expires_at=None))


def _list_due(rows: AnySelect, now: datetime) -> AnySelect:
    is_same = and_(outbox.c.noun == lease.c.noun, outbox.c.noun_id == lease.c.noun_id)
    is_free = or_(lease.c.token.is_(None), lease.c.expires_at <= now)
    return rows.join(lease, is_same).where(outbox.c.due_at <= now, is_free)


def _match(table: Table, work: Work) -> Condition:
    return and_(table.c.noun == work[0], table.c.noun_id == work[1])


def _raise_generation(excluded: Excluded) -> dict[str, ColumnElement[Any]]:
    earlier = case((excluded.due_at < outbox.c.due_at, excluded.due_at), else_=outbox.c.due_at)
    return {"due_at": earlier, "generation": outbox.c.generation + 1, "attempt": literal(0)}
