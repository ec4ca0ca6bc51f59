"""Retention of small things on both databases: what is old enough goes in pieces, with an event, and nothing else does."""

from datetime import timedelta

import pytest

from keisan.control.reconcilers import retention as module
from keisan.control.reconcilers.retention import RETENTION_ID, RetentionReconciler, start_retention
from keisan.domain.lease import WorkNoun
from keisan.domain.retention import RetentionTerms
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer
from keisan.storage.database import Database
from tests.factories import NOW, FixedClock, plant_world
from tests.settlement import EVERYTHING

ANSWER = StoredAnswer("digest", 200, "body", None)
PRINCIPAL = create_id()


async def run_round(storage: Database, terms: RetentionTerms, clock: FixedClock) -> bool:
    """Do one round and tell whether there is more."""
    reconciler = RetentionReconciler(terms)
    async with storage.read() as view:
        change = reconciler.decide(await reconciler.load(view, RETENTION_ID), clock.now())
    async with storage.write() as transaction:
        return await reconciler.apply(transaction, change, clock.now()) == clock.now()


async def list_details(storage: Database) -> list[dict[str, str]]:
    async with storage.read() as view:
        events = await view.events.list(EVERYTHING, 0, 500)
    return [dict(each.detail) for each in events if each.action == "retention.deleted"]


async def test_old_goes_in_pieces_and_leaves_events(
    storage: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETENTION_ROWS_MAX", 3)
    await plant_world(storage)
    async with storage.write() as transaction:
        for number in range(7):
            created_at = NOW - timedelta(days=1, microseconds=1) if number < 5 else NOW - timedelta(days=1)
            await transaction.idempotency.insert(PRINCIPAL, f"key-{number}", ANSWER, created_at)
    assert await run_round(storage, RetentionTerms(), clock)
    assert not await run_round(storage, RetentionTerms(), clock)
    assert not await run_round(storage, RetentionTerms(), clock)
    details = await list_details(storage)
    assert [each["count"] for each in details] == ["3", "2"]
    assert {(each["kind"], each["rule"]) for each in details} == {("answers", "platform.retention.answers_days = 1")}
    async with storage.read() as view:
        kept = [await view.idempotency.find(PRINCIPAL, f"key-{number}") for number in range(7)]
    assert [each is None for each in kept] == [True] * 5 + [False] * 2


async def test_what_is_kept_for_ever_stays(storage: Database, clock: FixedClock) -> None:
    await plant_world(storage)
    async with storage.write() as transaction:
        await transaction.idempotency.insert(PRINCIPAL, "key", ANSWER, NOW)
    clock.instant += timedelta(days=4000)
    assert not await run_round(storage, RetentionTerms(answers_days=0), clock)
    assert await list_details(storage) == []


async def test_work_is_due_at_each_start(storage: Database, clock: FixedClock) -> None:
    await start_retention(storage, clock.now())
    await start_retention(storage, clock.now())
    async with storage.write() as transaction:
        taken = await transaction.outbox.take(clock.now(), timedelta(seconds=9), 9)
    assert {each.noun for each in taken} == {WorkNoun.RETENTION, WorkNoun.RETENTION_DAY}
