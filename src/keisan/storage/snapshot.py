"""The snapshot's versions and which rows changed at each (R10)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import BigInteger, PrimaryKeyConstraint, Table, delete, select

from keisan.domain.limits import SNAPSHOT_CHANGES_KEPT_MAX
from keisan.domain.snapshot import SnapshotChange, SnapshotMark, SnapshotTable
from keisan.storage.connection import GuardedConnection
from keisan.storage.head import Head, HeadRow
from keisan.storage.schema import EnumText, build_column, build_id, metadata

# Trimmed to half, so that not every touch of a long-lived platform has to trim.
CHANGES_LEFT = SNAPSHOT_CHANGES_KEPT_MAX // 2

snapshot_change = Table(
    "snapshot_change",
    metadata,
    build_column("version", BigInteger()),
    build_column("table", EnumText(SnapshotTable)),
    build_id("row_id"),
    PrimaryKeyConstraint("version", "table", "row_id"),
)


class SnapshotRepository:
    """Raises the version once per transaction and keeps what changed."""

    def __init__(self, connection: GuardedConnection, head: HeadRow) -> None:
        self._connection = connection
        self._head = head
        self._version: int | None = None
        self._touched: set[tuple[SnapshotTable, UUID]] = set()

    async def get_mark(self) -> SnapshotMark:
        """Return where the state stands."""
        head = await self._head.read()
        return SnapshotMark(head.snapshot_incarnation, head.snapshot_version)

    async def touch(self, table: SnapshotTable, row_ids: Iterable[UUID]) -> int:
        """Note that rows changed and return the version of this transaction; no rows raise nothing."""
        new = {(table, row_id) for row_id in row_ids} - self._touched
        if not new:
            return self._version if self._version is not None else (await self._head.read()).snapshot_version
        head = await self._head.lock()
        # The head's lock is held until commit, so versions rise in the order of commits.
        self._version = self._version if self._version is not None else head.snapshot_version + 1
        self._touched |= new
        rows = [{"version": self._version, "table": name, "row_id": row_id} for name, row_id in sorted(new)]
        await self._connection.change(snapshot_change.insert(), rows)
        moved = replace(
            head, snapshot_version=self._version, snapshot_change_count=head.snapshot_change_count + len(rows)
        )
        await self._head.move(await self._trim(moved))
        return self._version

    async def list_changes(self, after_version: int) -> Sequence[SnapshotChange] | None:
        """Return changes after a version; None if they are no longer all kept."""
        head = await self._head.read()
        if after_version < head.snapshot_kept_after:
            return None
        statement = select(snapshot_change).where(snapshot_change.c.version > after_version)
        rows = await self._connection.fetch_all(statement.order_by(*snapshot_change.columns))
        return [SnapshotChange(row["version"], row["table"], row["row_id"]) for row in rows]

    async def _trim(self, head: Head) -> Head:
        """Drop whole versions, oldest first, once there are too many changes."""
        if head.snapshot_change_count <= SNAPSHOT_CHANGES_KEPT_MAX:
            return head
        newest = select(snapshot_change.c.version).order_by(snapshot_change.c.version.desc())
        first_dropped = await self._connection.fetch_first(newest.offset(CHANGES_LEFT).limit(1))
        # More are kept than are left, so there is one to drop.
        assert first_dropped is not None
        dropped = delete(snapshot_change).where(snapshot_change.c.version <= first_dropped["version"])
        count = await self._connection.change(dropped)
        return replace(
            head,
            snapshot_kept_after=first_dropped["version"],
            snapshot_change_count=head.snapshot_change_count - count,
        )
