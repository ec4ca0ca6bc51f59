"""Intake on both databases: the same batch in several requests at once is taken once, and nobody is sent away for it."""

import asyncio

from keisan.domain.page import PageRequest
from keisan.domain.usage import IntakeOutcome
from keisan.storage.database import Database
from tests.domain.samples import name_record_id
from tests.factories import FixedClock, plant_world
from tests.ledger.intake_world import SCOPE, IntakeWorld

REQUESTS, RECORDS = 6, 40


async def test_same_batch_from_many_requests_at_once_counts_once(storage: Database, clock: FixedClock) -> None:
    """A gateway that gave up waiting says its batch again while the first request is still at work."""
    ledger = IntakeWorld(storage, clock, await plant_world(storage))
    lines = [ledger.write_record(name_record_id(number)) for number in range(1, RECORDS + 1)]
    async with asyncio.TaskGroup() as group:
        requests = [group.create_task(ledger.hand_in(*lines)) for _ in range(REQUESTS)]
    outcomes = [{answer.outcome for answer in request.result()} for request in requests]
    assert sorted(outcomes, key=str) == [{IntakeOutcome.CREATED}] + [{IntakeOutcome.EXISTS}] * (REQUESTS - 1)
    async with storage.read() as view:
        entries = await view.entries.list(SCOPE, 0, 100)
        postings = await view.accounts.list_postings(SCOPE, ledger.world.left.wallet_id, PageRequest())
    assert [entry.record_count for entry in entries] == [RECORDS]
    assert {posting.record_count for posting in postings} == {RECORDS}
