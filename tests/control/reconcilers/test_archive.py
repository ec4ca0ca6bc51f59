"""The archive's rounds: whatever fails in whichever step, files and cursor give each record once."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers import archive as reconcilers
from keisan.control.reconcilers.archive import ArchiveChange, ArchiveReconciler, start_archiving
from keisan.domain.errors import AlreadyExists, InvariantBroken, StorageUnavailable
from keisan.domain.lease import WorkNoun
from keisan.ledger import archive as decisions
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from tests.factories import PLATFORM_ID, FixedClock, build_journal
from tests.storage.archive_world import ArchiveWorld

# What a writer does to the disk, in its order; each is made to fail at each of its calls.
STEPS = ("open", "fsync", "rename", "sync_folder")


class Crash(BaseException):
    """The end of the process, as far as a test can have it: nothing catches it."""


@pytest.fixture
async def archive_world(storage: Database, clock: FixedClock, tmp_path: Path) -> ArchiveWorld:
    world = ArchiveWorld(storage, clock, tmp_path / "archive", Random(7))
    await world.prepare()
    return world


@pytest.fixture
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and files of few records, so that there are many of them."""
    for module in (reconcilers, decisions):
        monkeypatch.setattr(module, "ARCHIVE_RUN_RECORDS_MAX", 12)
    monkeypatch.setattr(reconcilers, "ARCHIVE_READ_RECORDS_MAX", 5)
    monkeypatch.setattr(decisions, "ARCHIVE_MERGE_FILES", 3)
    monkeypatch.setattr("keisan.storage.archive.ARCHIVE_MERGE_FILES", 3)


async def test_entries_are_archived_whole_in_order_and_once(archive_world: ArchiveWorld, small_runs: None) -> None:
    await archive_world.post_before(17)
    for count in (3, 0, 9, 1, 20, 4):
        await archive_world.post(count)
    await archive_world.run()
    await archive_world.check_each_once()
    assert len({each.day for each in await archive_world.list_files()}) > 1
    await archive_world.post(6)
    await archive_world.run()
    await archive_world.check_each_once()


async def test_opening_of_the_journal_counts_records_that_are_archived_before_it(archive_world: ArchiveWorld) -> None:
    await archive_world.post_before(3)
    async with archive_world.storage.write() as transaction:
        await build_journal(PLATFORM_ID, archive_world.clock).write_opening(transaction)
    await archive_world.post(4)
    await archive_world.run()
    await archive_world.check_each_once()


async def test_nothing_is_archived_before_a_minute_is_over_or_a_run_is_full(
    archive_world: ArchiveWorld, small_runs: None
) -> None:
    await archive_world.post(1)
    await archive_world.run()
    await archive_world.post(2)
    assert (await archive_world.decide()).is_idle
    await archive_world.post(11)
    assert len((await archive_world.decide()).entries) == 1
    archive_world.clock.instant += timedelta(minutes=1)
    assert (await archive_world.decide()).entries


async def test_small_files_become_few_and_the_old_ones_go_later(archive_world: ArchiveWorld, small_runs: None) -> None:
    for _ in range(12):
        await archive_world.post(4)
        await archive_world.run()
    await archive_world.check_each_once()
    listed = await archive_world.list_files()
    days = {each.day for each in listed}
    assert len(listed) < 12 * len(days) / 2
    on_disk = set(archive_world.root.glob("usage/*/*"))
    assert len(on_disk) > len(listed)
    archive_world.clock.instant += timedelta(hours=3)
    await archive_world.run()
    assert {archive_world.root / each.name for each in listed} == set(archive_world.root.glob("usage/*/*"))
    await archive_world.check_each_once()
    async with archive_world.storage.read() as view:
        assert await view.archive.list_replaced() == []


def fail_at(monkeypatch: pytest.MonkeyPatch, step: str, nth: int, *, is_before: bool) -> Callable[[], bool]:
    """Crash at the nth call of a step, before or after it is done; return a function that tells whether it happened."""
    target = {
        "open": (Path, "open"),
        "fsync": (os, "fsync"),
        "rename": (Path, "rename"),
        "sync_folder": ("keisan.storage.archive_file", "sync_folder"),
    }[step]
    holder: Any = target[0]
    if isinstance(holder, str):
        holder = __import__(holder, fromlist=["_"])
    real, calls = getattr(holder, target[1]), 0

    def crash(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and is_before:
            raise Crash
        result = real(*arguments, **options)
        if calls == nth:
            if step == "open":
                result.close()
            raise Crash
        return result

    monkeypatch.setattr(holder, target[1], crash)
    return lambda: calls >= nth


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("step", STEPS)
async def test_crash_at_any_step_of_writing_leaves_each_record_once(
    archive_world: ArchiveWorld, small_runs: None, step: str, is_before: bool
) -> None:
    crashes = 0
    await archive_world.post_before(5)
    for nth in (1, 2, 4, 3):
        for _ in range(3):
            await archive_world.post(4)
        archive_world.clock.instant += timedelta(minutes=1)
        with pytest.MonkeyPatch.context() as patch:
            has_crashed = fail_at(patch, step, nth, is_before=is_before)
            try:
                while not (await archive_world.run_round()).is_idle:
                    pass
            except Crash:
                crashes += has_crashed()
        await archive_world.check_each_once(is_whole=False)
    assert crashes >= 3
    await archive_world.run()
    await archive_world.check_each_once()


@pytest.mark.parametrize("step", ["mark_replaced", "add_files", "delete_files", "put_cursor"])
async def test_crash_before_the_commit_leaves_each_record_once(
    archive_world: ArchiveWorld, small_runs: None, step: str
) -> None:
    real = ArchiveReconciler.apply

    async def fall(*_: object) -> None:
        raise Crash

    async def crash(self: ArchiveReconciler, transaction: Transaction, change: ArchiveChange, now: datetime) -> object:
        setattr(transaction.archive, step, fall)
        return await real(self, transaction, change, now)

    for number in range(6):
        await archive_world.post(4)
        archive_world.clock.instant += timedelta(minutes=1)
        if number % 2:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ArchiveReconciler, "apply", crash)
                with pytest.raises(Crash):
                    await archive_world.run_round()
        await archive_world.check_each_once(is_whole=False)
        await archive_world.run()
        await archive_world.check_each_once()


async def test_who_lost_the_lease_writes_nothing_that_counts(archive_world: ArchiveWorld, small_runs: None) -> None:
    await archive_world.run()
    await archive_world.post(4)
    archive_world.clock.instant += timedelta(minutes=1)
    late = await archive_world.reconciler.perform(await archive_world.decide())
    await archive_world.post(4)
    await archive_world.run()
    await archive_world.check_each_once()
    # Its files lie there, longer ranges beside them, and are in no list.
    assert {each.name for each in late.added}.isdisjoint(each.name for each in await archive_world.list_files())
    os.utime(archive_world.root / late.added[0].name, (0, 0))
    archive_world.clock.instant += timedelta(hours=3)
    await archive_world.run()
    assert not (archive_world.root / late.added[0].name).exists()
    await archive_world.check_each_once()


async def test_same_files_are_never_listed_twice(archive_world: ArchiveWorld) -> None:
    await archive_world.post(4)
    await archive_world.run()
    (file, *_) = await archive_world.list_files()
    with pytest.raises(AlreadyExists):
        async with archive_world.storage.write() as transaction:
            await transaction.archive.add_files([file])
    with pytest.raises(InvariantBroken):
        async with archive_world.storage.write() as transaction:
            await transaction.archive.mark_replaced([replace(file, name="other")], archive_world.clock.now())


async def test_disk_that_refuses_is_told_and_tried_again(archive_world: ArchiveWorld) -> None:
    await archive_world.post(4)
    archive_world.root.write_text("in the way")
    with pytest.raises(StorageUnavailable):
        await archive_world.run()
    archive_world.root.unlink()
    await archive_world.run()
    await archive_world.check_each_once()


async def test_lease_loop_does_the_work_between_load_and_apply(archive_world: ArchiveWorld) -> None:
    await archive_world.post(4)
    await start_archiving(archive_world.storage, archive_world.clock.now())
    control = Control(archive_world.storage, archive_world.clock, PLATFORM_ID)
    loop = LeaseLoop(control, {WorkNoun.ARCHIVE: archive_world.reconciler})
    for _ in range(4):
        await loop.run_round()
    await archive_world.check_each_once()
    # It stays due for ever.
    archive_world.clock.instant += timedelta(minutes=1)
    await archive_world.post(2)
    assert await loop.run_round() == 1
    await archive_world.check_each_once()


async def test_run_on_a_slow_machine_archives_what_it_read_in_time(
    archive_world: ArchiveWorld, small_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive_world.run()
    for _ in range(3):
        await archive_world.post(4)
    archive_world.clock.instant += timedelta(minutes=1)
    change = await archive_world.decide()
    real = archive_world.reconciler.clock.monotonic_s
    times_s = iter([0.0, 1.0, 9.0])
    monkeypatch.setattr(archive_world.clock, "monotonic_s", lambda: next(times_s, real()))
    change = await archive_world.reconciler.perform(change)
    assert change.cursor.last_sequence == 2
    async with archive_world.storage.write() as transaction:
        await archive_world.reconciler.apply(transaction, change, archive_world.clock.now())
    await archive_world.check_each_once(is_whole=False)
    monkeypatch.undo()
    await archive_world.run()
    await archive_world.check_each_once()
