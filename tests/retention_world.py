"""A platform that settles, archives, and deletes what is old: its work step by step, on a clock that is moved by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from keisan.control.journal import open_journal
from keisan.control.reconcilers.archive import ARCHIVE_ID, ArchiveReconciler
from keisan.control.reconcilers.retention import RETENTION_ID
from keisan.control.reconcilers.retention_day import DayChange, RetentionDayReconciler
from keisan.control.retention import RetentionPlan, plan_retention
from keisan.domain.access import OrganizationScope, ProviderScope
from keisan.domain.archive import ArchiveFile
from keisan.domain.errors import NotFound
from keisan.domain.event import Event
from keisan.domain.ids import RecordId
from keisan.domain.retention import RetentionMark, RetentionTerms
from keisan.domain.usage_sum import UsageFilter
from keisan.ledger.audit import Audit, audit_ledger
from keisan.ledger.receipt import find_receipt
from keisan.ledger.record_source import open_records
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.database import Database
from keisan.wire.receipt import show_receipt
from tests.factories import NOW, FixedClock, Side
from tests.settlement import EVERYTHING, Settlement, open_settlement

TERMS = RetentionTerms(usage_days=60)
# The statements of November are closed on 8 December and may be disputed until 7 January; 60 days after the 23rd is later.
CLOSED_AT = NOW + timedelta(days=16)
OLD_AT = NOW + timedelta(days=62)
GRACE = timedelta(hours=2)
YESTERDAY, TODAY = (NOW - timedelta(days=1)).date(), NOW.date()
ALL_DAYS = UsageFilter(date(2026, 1, 1), date(2027, 12, 31))


@dataclass
class RetentionWorld:
    """`lines` are what was handed in, by record id."""

    settlement: Settlement
    folder: ArchiveFolder
    terms: RetentionTerms = TERMS
    lines: dict[RecordId, tuple[Side, Side, datetime]] = field(default_factory=dict)

    @property
    def storage(self) -> Database:
        return self.settlement.ledger.storage

    @property
    def clock(self) -> FixedClock:
        return self.settlement.clock

    @property
    def reconciler(self) -> RetentionDayReconciler:
        return RetentionDayReconciler(self.storage, self.folder, self.clock, self.terms)

    async def hand_in(self, payer: Side, payee: Side, admitted_at: datetime) -> RecordId:
        record_id = await self.settlement.hand_in(payer, payee, admitted_at)
        self.lines[record_id] = (payer, payee, admitted_at)
        return record_id

    async def fill(self) -> list[RecordId]:
        """Hand in records of two days of both organizations; each day comes to two files."""
        left, right = self.settlement.world.left, self.settlement.world.right
        ids = []
        for number in range(2):
            for day in (NOW - timedelta(days=1), NOW):
                for payer, payee in ((left, right), (right, left)):
                    ids.append(await self.hand_in(payer, payee, day + timedelta(seconds=number)))
            if number == 0:
                await self.archive()
        return ids

    async def archive(self) -> None:
        """Archive all that there is."""
        reconciler = ArchiveReconciler(self.storage, self.folder, self.clock)
        for _ in range(50):
            async with self.storage.read() as view:
                state = await reconciler.load(view, ARCHIVE_ID)
            change = await reconciler.perform(reconciler.decide(state, self.clock.now()))
            async with self.storage.write() as transaction:
                await reconciler.apply(transaction, change, self.clock.now())
            if change.is_idle:
                async with self.storage.read() as view:
                    cursor = await view.archive.get_cursor()
                    if not await view.archive.list_pending(cursor.last_sequence, 1):
                        return
                self.clock.instant += timedelta(minutes=2)
        raise AssertionError("the archive does not come to an end")

    async def run_round(self) -> DayChange:
        """Do one step, whole."""
        reconciler = self.reconciler
        async with self.storage.read() as view:
            state = await reconciler.load(view, RETENTION_ID)
        change = await reconciler.perform(reconciler.decide(state, self.clock.now()))
        async with self.storage.write() as transaction:
            await reconciler.apply(transaction, change, self.clock.now())
        return change

    async def rest(self) -> None:
        """Do all there is to do at this moment."""
        for _ in range(200):
            if (await self.run_round()).is_idle:
                return
        raise AssertionError("retention does not come to an end")

    async def run(self) -> None:
        """Do all there is to do, waiting as long as readers are given; a day takes two waits at most."""
        for _ in range(6):
            await self.rest()
            self.clock.instant += GRACE

    async def settle(self) -> None:
        """Archive, close the month, and let the dispute window pass."""
        await self.archive()
        self.clock.instant = CLOSED_AT
        await self.settlement.close("2026-11")
        self.clock.instant = OLD_AT

    async def get_mark(self) -> RetentionMark:
        async with self.storage.read() as view:
            return await view.retention.get_mark(EVERYTHING)

    async def count_stored(self) -> int:
        async with self.storage.read() as view:
            return await view.usage.count(EVERYTHING)

    async def audit(self) -> Audit:
        async with self.storage.read() as view:
            return await audit_ledger(view, lambda _: None, self.folder)

    async def plan(self) -> RetentionPlan:
        async with self.storage.read() as view:
            return await plan_retention(view, self.terms, self.clock.now())

    async def list_files(self) -> Sequence[ArchiveFile]:
        async with self.storage.read() as view:
            return await view.archive.list_files(date.min, date.max)

    async def list_events(self, action: str) -> list[Event]:
        async with self.storage.read() as view:
            return [each for each in await view.events.list(EVERYTHING, 0, 500) if each.action == action]


async def open_retention_world(storage: Database, clock: FixedClock, root: Path) -> RetentionWorld:
    """Plant a platform with an open journal in empty storage."""
    settlement = await open_settlement(storage, clock)
    folder = ArchiveFolder(root, clock)
    await open_journal(settlement.control)
    return RetentionWorld(replace(settlement, control=replace(settlement.control, archive=folder)), folder)


async def read_all(world: RetentionWorld, ids: Sequence[RecordId]) -> tuple[object, ...]:
    """Return everything that anybody may ask of these records."""
    left = world.settlement.world.left
    scopes = (EVERYTHING, OrganizationScope(left.organization.id), ProviderScope(left.provider.id))
    told: list[object] = []
    async with world.storage.read() as view:
        source = await open_records(view, world.folder)
        for scope in scopes:
            told.append(await source.sum(scope, ALL_DAYS))
            told.append(await source.sum(scope, replace(ALL_DAYS, project_id=left.project.id, key_id=left.key.id)))
            told.append(await source.sum(scope, replace(ALL_DAYS, since=TODAY)))
            told.append(await source.sum(scope, replace(ALL_DAYS, until=YESTERDAY)))
            for record_id in ids:
                try:
                    told.append(await source.get(scope, record_id))
                    told.append(show_receipt(await find_receipt(source, scope, record_id)))
                except NotFound as fault:
                    told.append(str(fault))
        told.append(await source.count())
    return tuple(told)
