"""The steps of retention, cut off at each of them, on both databases."""

from datetime import datetime
from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers import retention_day
from keisan.control.reconcilers.retention import start_retention
from keisan.control.reconcilers.retention_day import DayChange, RetentionDayReconciler
from keisan.domain.lease import WorkNoun
from keisan.ledger.rule_retention import RetentionStep
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from tests.factories import PLATFORM_ID, FixedClock
from tests.retention_world import GRACE, YESTERDAY, RetentionWorld, open_retention_world, read_all

PLACES = ("before the transaction", "within it", "nowhere", "nowhere")


class Crash(BaseException):
    """The end of the process, as far as a test can have it: nothing catches it."""


@pytest.fixture
async def world(storage: Database, clock: FixedClock, tmp_path: Path) -> RetentionWorld:
    return await open_retention_world(storage, clock, tmp_path / "archive")


async def run_cut_round(world: RetentionWorld, place: str) -> DayChange | None:
    """Do one step, cut off at a place; return what was done, None if it was cut off."""
    real_apply, real_perform = RetentionDayReconciler.apply, RetentionDayReconciler.perform

    async def apply(
        self: RetentionDayReconciler, transaction: Transaction, change: DayChange, now: datetime
    ) -> datetime:
        next_at = await real_apply(self, transaction, change, now)
        if place == "within it":
            raise Crash
        return next_at

    async def perform(self: RetentionDayReconciler, change: DayChange) -> DayChange:
        done = await real_perform(self, change)
        if place == "before the transaction":
            raise Crash
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RetentionDayReconciler, "perform", perform)
        patch.setattr(RetentionDayReconciler, "apply", apply)
        try:
            return await world.run_round()
        except Crash:
            return None


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_crash_at_every_step_ends_in_the_same_place(
    world: RetentionWorld, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Of four rounds two are cut off, so that each step is, before its transaction and at its end."""
    ids = await world.fill()
    before = await read_all(world, ids)
    await world.settle()
    monkeypatch.setattr(retention_day, "RETENTION_ROWS_MAX", 3)
    seen: set[RetentionStep] = set()
    for number in range(200):
        change = await run_cut_round(world, PLACES[(number + first) % len(PLACES)])
        if number % 7 == 0:
            assert (await world.audit()).difference is None
            assert await read_all(world, ids) == before
        if change is None:
            continue
        seen.add(change.step)
        if change.is_idle:
            if await world.count_stored() == 0:
                break
            world.clock.instant += GRACE
    assert await world.count_stored() == 0
    assert seen == set(RetentionStep)
    assert await read_all(world, ids) == before
    assert (await world.audit()).difference is None
    assert len(await world.list_events("retention.deleted")) == 2
    assert len(await world.list_events("retention.day_closed")) == 2


async def test_lease_loop_takes_the_days_out(world: RetentionWorld) -> None:
    await world.fill()
    await world.settle()
    await start_retention(world.storage, world.clock.now())
    loop = LeaseLoop(
        Control(world.storage, world.clock, PLATFORM_ID), {WorkNoun.RETENTION_DAY: world.reconciler}, leases_max=1
    )
    for _ in range(6):
        while await loop.run_round():
            pass
        # It stays due for ever, and is not due before there is something to do.
        world.clock.instant += GRACE
    assert await world.count_stored() == 0
    assert await loop.run_round() == 1


async def test_files_that_are_merged_meanwhile_are_compared_anew(
    world: RetentionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.fill()
    await world.settle()
    steps = [(await world.run_round()).step for _ in range(3)]
    assert steps == [RetentionStep.CLOSE, RetentionStep.BEGIN_CHECK, RetentionStep.CHECK]
    files = [each for each in await world.list_files() if each.day == YESTERDAY and each.first_sequence]
    merged = await world.folder.merge(files, world.clock.now())
    async with world.storage.write() as transaction:
        await transaction.archive.mark_replaced(files, world.clock.now())
        await transaction.archive.add_files([merged])
    await world.run_round()
    assert (await world.get_mark()).check is None
    await world.run()
    assert await world.count_stored() == 0
    assert (await world.audit()).difference is None
