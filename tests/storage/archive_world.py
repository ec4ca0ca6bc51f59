"""A journal of random records over some days, organizations and providers, and the archive's work on it step by step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from keisan.control.reconcilers.archive import ARCHIVE_ID, ArchiveChange, ArchiveReconciler
from keisan.domain.archive import ArchivedRecord, ArchiveFile
from keisan.domain.entry import EntryKind
from keisan.domain.ids import EntryId, KeyId, ModelId, OrganizationId, ProjectId, ProviderId, SiteId
from keisan.domain.model import Surface
from keisan.domain.price import TokenClass
from keisan.domain.usage import CallOutcome, PostedRecord, UsageSource
from keisan.kit.ids import create_id
from keisan.ledger.journal import EntryDraft
from keisan.ledger.receipt import hash_leaves, order_records
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.database import Database
from tests.domain.samples import NOW, build_posted, build_record, create_record_id, name_id
from tests.factories import PLATFORM_ID, FixedClock, build_journal, create_platform

DAYS = 3
FIRST_DAY, LAST_DAY = (NOW - timedelta(days=DAYS)).date(), NOW.date()
ORGANIZATION_IDS = [OrganizationId(name_id(101, number)) for number in range(3)]
PROVIDER_IDS = [ProviderId(name_id(102, number)) for number in range(3)]
# The world's price has none for pictures and sound.
PRICED = [each for each in TokenClass if each not in (TokenClass.IMAGE, TokenClass.AUDIO_SECOND)]


def create_posted(random: Random, entry_id: EntryId | None, **changes: Any) -> PostedRecord:
    """Return a record of some day and owner; amounts are beyond 64 bits now and then."""
    admitted_at = NOW - timedelta(microseconds=random.randrange(DAYS * 86_400 * 10**6))
    classes = random.sample(PRICED, random.randrange(len(PRICED)))
    own: dict[str, Any] = {
        "id": create_record_id(admitted_at),
        "day": admitted_at.date(),
        "admitted_at": admitted_at,
        "organization_id": random.choice(ORGANIZATION_IDS),
        "project_id": ProjectId(name_id(103, random.randrange(4))),
        "key_id": KeyId(name_id(104, random.randrange(4))),
        "model_id": ModelId(name_id(105, random.randrange(4))),
        "provider_id": random.choice(PROVIDER_IDS),
        "site_id": SiteId(name_id(106, random.randrange(4))),
        "surface": random.choice(list(Surface)),
        "is_stream": random.random() < 0.5,
        "outcome": random.choice(list(CallOutcome)),
        "usage_source": random.choice(list(UsageSource)),
        "first_byte_us": random.choice([None, 5]),
        "quantities": {each: random.randrange(2**40) for each in classes},
        "amount_nano": random.choice([0, random.randrange(10**9), random.randrange(10**24)]),
        "content_digest": random.randbytes(32),
    }
    charge = {"entry_id": entry_id, "chip": random.choice(["a", "b"]), "currency": random.choice(["CNY", "JPY"])}
    return build_posted(build_record(**own | changes), **charge)


@dataclass
class ArchiveWorld:
    """A database, the archive beside it, and every record that was posted."""

    storage: Database
    clock: FixedClock
    root: Path
    random: Random

    def __post_init__(self) -> None:
        self.folder = ArchiveFolder(self.root, self.clock)
        self.reconciler = ArchiveReconciler(self.storage, self.folder, self.clock)
        self.posted: list[PostedRecord] = []

    async def prepare(self) -> None:
        """Insert the platform, in whose name entries are written."""
        async with self.storage.write() as transaction:
            await transaction.platform.insert(create_platform())

    async def post(self, count: int, **changes: Any) -> None:
        """Append an entry with so many records; they move no money here."""
        entry_id = EntryId(create_id())
        posted = [create_posted(self.random, entry_id, **changes) for _ in range(count)]
        leaf_hashes = hash_leaves(order_records(posted))
        async with self.storage.write() as transaction:
            await transaction.usage.insert_many(posted)
            draft = EntryDraft(EntryKind.USAGE, (), leaf_hashes=leaf_hashes, id=entry_id)
            await build_journal(PLATFORM_ID, self.clock).write_entry(transaction, draft)
        self.posted += posted

    async def post_before(self, count: int) -> None:
        """Insert records as they were before there was a journal."""
        posted = [create_posted(self.random, None) for _ in range(count)]
        async with self.storage.write() as transaction:
            await transaction.usage.insert_many(posted)
        self.posted += posted

    async def decide(self) -> ArchiveChange:
        """Return what the next round would do."""
        async with self.storage.read() as view:
            state = await self.reconciler.load(view, ARCHIVE_ID)
        return self.reconciler.decide(state, self.clock.now())

    async def run_round(self) -> ArchiveChange:
        """Do one thing, whole."""
        change = await self.reconciler.perform(await self.decide())
        async with self.storage.write() as transaction:
            await self.reconciler.apply(transaction, change, self.clock.now())
        return change

    async def run(self) -> None:
        """Do all there is to do, minute after minute."""
        is_behind = True
        while is_behind:
            self.clock.instant += timedelta(minutes=1)
            while not (await self.run_round()).is_idle:
                pass
            async with self.storage.read() as view:
                cursor = await view.archive.get_cursor()
                is_behind = bool(await view.archive.list_pending(cursor.last_sequence, 1))

    async def list_files(self) -> Sequence[ArchiveFile]:
        """Return all listed files."""
        async with self.storage.read() as view:
            return await view.archive.list_files(FIRST_DAY - timedelta(days=99), LAST_DAY + timedelta(days=99))

    async def read_all(self) -> list[ArchivedRecord]:
        """Return every record of every listed file."""
        return list(self.folder.read_records(await self.list_files(), 0, 2**62))

    async def check_each_once(self, *, is_whole: bool = True) -> None:
        """Assert that files and cursor give each record through the cursor once, as it was posted, and no other."""
        async with self.storage.read() as view:
            cursor = await view.archive.get_cursor()
            entries = await view.archive.list_pending(0, 10_000)
        archived_ids = {each.id for each in entries if each.sequence <= cursor.last_sequence}
        if is_whole:
            assert cursor.is_before_done
            assert [each.sequence for each in entries][-1:] in ([], [cursor.last_sequence])
        expected = [each for each in self.posted if each.charge.entry_id in archived_ids]
        if cursor.is_before_done:
            expected += [each for each in self.posted if each.charge.entry_id is None]
        found = await self.read_all()
        assert sort_posted(each.posted for each in found) == sort_posted(expected)
        sequences = {each.id: each.sequence for each in entries}
        assert all(
            each.sequence == (each.posted.charge.entry_id and sequences[each.posted.charge.entry_id]) for each in found
        )


def sort_posted(posted: Iterable[PostedRecord]) -> list[PostedRecord]:
    """Return records in order of id."""
    return sorted(posted, key=lambda each: each.record.id)
