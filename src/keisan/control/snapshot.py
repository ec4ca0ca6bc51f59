"""The feed of snapshots to gateways (R10): one compiled state per process, answers as deltas where the base is known.

A gateway asks with the version it serves, which acknowledges it, and waits until there is a newer one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from keisan.control.context import Control
from keisan.control.pulse import LOOK_EVERY_S, Pulse
from keisan.control.snapshot_platforms import load_platform_tables
from keisan.control.snapshot_tables import SnapshotRows, compile_tables
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.door import derive_secret
from keisan.domain.ids import MachineId
from keisan.domain.snapshot import SnapshotChange, SnapshotMark, SnapshotTable
from keisan.kit.clock import to_milliseconds
from keisan.storage.base import Transaction
from keisan.wire.snapshot import (
    SNAPSHOT_SCHEMA_VERSION,
    TABLE_NAMES,
    Snapshot,
    SnapshotAnswer,
    SnapshotDelta,
    SnapshotQuery,
    SnapshotTables,
    digest_tables,
)

ACKNOWLEDGE_EVERY_S = 5.0
ENGINES = "engines"
# What is told of other platforms is in these, beside own prices. Their rows are compared, since no transaction notes them.
ELSEWHERE = ("platforms", "neighbours", "platform_offers", "platform_tickets", "prices")
MOVED_MAX = 20_000


class SnapshotFeed:
    """Holds the newest compiled snapshot of this process; shared by all waiting gateways."""

    def __init__(self, control: Control, pulse: Pulse | None = None) -> None:
        self._control = control
        # Two looks after the change at the latest: revocation must act within 2 s.
        self._pulse = pulse or Pulse(control)
        self._current: Snapshot | None = None
        self._engines_version = 0
        self._full_before_version = 0
        self._moved: list[tuple[int, str, str]] = []
        self._lock = asyncio.Lock()
        self._acknowledged: dict[UUID, tuple[int, float]] = {}
        self._is_closing = False

    def close(self) -> None:
        """Let those that wait go: the process ends, and they must not hold it up."""
        self._is_closing = True

    async def answer(self, principal: Principal, query: SnapshotQuery) -> SnapshotAnswer | None:
        """Return what leads from what the asker serves to the newest, None if there is nothing new within its wait.

        Raises PermissionDenied for anybody but a gateway.
        """
        principal.require(Right.SERVE_GATEWAY)
        clock = self._control.clock
        give_up_at_s = clock.monotonic_s() + query.wait_s
        current = await self._refresh()
        await self._acknowledge(principal, current, query)
        while _is_served(current, query):
            if self._is_closing or clock.monotonic_s() >= give_up_at_s:
                return None
            await clock.sleep(LOOK_EVERY_S)
            current = await self._refresh()
        return await self._build_answer(current, query)

    async def _acknowledge(self, principal: Principal, current: Snapshot, query: SnapshotQuery) -> None:
        is_other = query.version == current.version and not _is_served(current, query)
        served = query.version if query.incarnation == current.incarnation and not is_other else 0
        now_s = self._control.clock.monotonic_s()
        last_version, last_at_s = self._acknowledged.get(principal.id, (-1, float("-inf")))
        if served == last_version and now_s - last_at_s < ACKNOWLEDGE_EVERY_S:
            return
        async with self._control.storage.write() as transaction:
            await transaction.machines.acknowledge(MachineId(principal.id), served, self._control.clock.now())
        self._acknowledged[principal.id] = (served, now_s)

    async def _refresh(self) -> Snapshot:
        async with self._lock:
            mark = (await self._pulse.look()).mark
            if self._current is not None and mark == SnapshotMark(self._current.incarnation, self._current.version):
                return self._current
            async with self._control.storage.read() as view:
                mark = await view.snapshot.get_mark()
                if self._current is None or mark != SnapshotMark(self._current.incarnation, self._current.version):
                    self._replace(await self._compile(view, mark))
            assert self._current is not None, "replaced above when it was None"
            return self._current

    def _replace(self, compiled: Snapshot) -> None:
        engines = compiled.tables.engines
        known = None if self._current is None else self._current.tables.engines
        if known != engines:
            self._engines_version = compiled.version
        # A delta puts engines and drops none: nothing notes which a site had before.
        if known is None or known.keys() - engines.keys():
            self._full_before_version = compiled.version
        self._note_moved(compiled)
        self._current = compiled

    def _note_moved(self, compiled: Snapshot) -> None:
        """Note which rows on other platforms are not as before; of very many only the later ones, and then all is sent."""
        if self._current is not None:
            moved = list_moved(self._current.tables, compiled.tables)
            self._moved += [(compiled.version, table, row_id) for table, row_id in moved]
        if len(self._moved) > MOVED_MAX:
            self._moved, self._full_before_version = [], compiled.version

    async def _compile(self, view: Transaction, mark: SnapshotMark) -> Snapshot:
        scope = PlatformScope()
        rows = SnapshotRows(
            organizations=await view.organizations.list_all(scope),
            projects=await view.projects.list_all(scope),
            keys=await view.keys.list_in_force(scope),
            models=await view.models.list_by_ids(scope, None),
            prices=await view.prices.list_current(scope, None, self._control.clock.now()),
            sites=await view.sites.list_all(scope),
            replicas=await view.replicas.list_by_ids(scope, None),
            chips=self._control.chips.values(),
            doors=[
                (door, derive_secret(self._control.get_door_root(), door.id, door.shown_salt))
                for door in await view.doors.list_all(scope)
                if door.is_told
            ],
            elsewhere=await load_platform_tables(view, self._control),
            budgeted=await view.budgets.list_budgeted(scope),
        )
        tables = compile_tables(rows)
        return Snapshot(
            schema_version=SNAPSHOT_SCHEMA_VERSION,
            platform_id=self._control.platform_id,
            incarnation=mark.incarnation,
            version=mark.version,
            compiled_at_ms=to_milliseconds(self._control.clock.now()),
            digest=digest_tables(tables),
            tables=tables,
        )

    async def _build_answer(self, current: Snapshot, query: SnapshotQuery) -> SnapshotAnswer:
        version = query.version
        # No delta leads from other rows of the same version, and none is needed from the same rows.
        is_base_known = (
            query.incarnation == current.incarnation and self._full_before_version <= version < current.version
        )
        if not is_base_known:
            return SnapshotAnswer(snapshot=current)
        async with self._control.storage.read() as view:
            changes = await view.snapshot.list_changes(version)
        if changes is None:
            return SnapshotAnswer(snapshot=current)
        moved = [(table, row_id) for moved_at, table, row_id in self._moved if moved_at > version]
        return SnapshotAnswer(
            delta=build_delta(current, version, changes, moved, is_engines_put=version < self._engines_version)
        )


def _is_served(current: Snapshot, query: SnapshotQuery) -> bool:
    """Tell whether the asker serves the newest; one that tells no digest is believed."""
    is_same_version = (query.incarnation, query.version) == (current.incarnation, current.version)
    return is_same_version and query.digest in (None, current.digest)


def list_moved(before: SnapshotTables, after: SnapshotTables) -> list[tuple[str, str]]:
    """Return the table and id of each row on other platforms that is not as it was."""
    found: list[tuple[str, str]] = []
    for table in ELSEWHERE:
        old, new = getattr(before, table), getattr(after, table)
        found += [(table, row_id) for row_id in old.keys() | new.keys() if old.get(row_id) != new.get(row_id)]
    return found


def build_delta(
    current: Snapshot,
    base_version: int,
    changes: Sequence[SnapshotChange],
    moved: Iterable[tuple[str, str]] = (),
    *,
    is_engines_put: bool,
) -> SnapshotDelta:
    """Return the delta from `base_version` to `current`: each changed row is put as it is now, or dropped if it is gone.

    Changes later than `current` do no harm: they put rows that the base has already, or drop rows it never had. `moved` are
    rows on other platforms, by table and id.
    """
    put: dict[str, dict[str, object]] = {name: {} for name in TABLE_NAMES}
    drop: dict[str, set[str]] = {}
    named = [(str(each.table), str(each.row_id)) for each in changes if each.table is not SnapshotTable.PLATFORMS]
    for table, row_id in (*named, *moved):
        rows = getattr(current.tables, table)
        if row_id in rows:
            put[table][row_id] = rows[row_id]
        else:
            drop.setdefault(table, set()).add(row_id)
    if is_engines_put:
        put[ENGINES] = dict(current.tables.engines)
    return SnapshotDelta(
        incarnation=current.incarnation,
        base_version=base_version,
        version=current.version,
        compiled_at_ms=current.compiled_at_ms,
        digest=current.digest,
        put=SnapshotTables.model_construct(None, **put),
        drop={table: tuple(sorted(ids)) for table, ids in drop.items()},
    )
