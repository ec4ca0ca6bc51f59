"""Hands the spooled usage records in, oldest first (R8): read, upload, and only when all are answered, advance.

A record answered `differs` or `refused` is the platform's to quarantine; it is counted here and never blocks the others.
A batch that is not answered is handed in again smaller, so that a slow platform gets through it in the time it has.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from keisan.domain.errors import Failed, KeisanError
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.usage import IntakeOutcome
from keisan.gateway.link import UPLOAD_TIMEOUT_S, PlatformLink
from keisan.gateway.relay import Relay, UsageBatch
from keisan.kit.clock import Clock, wait_unless_stopped
from keisan.kit.observe import write_warning
from keisan.kit.retry import Backoff
from keisan.wire.usage import UsageAnswer

# A record is safe where it lies; an exchange costs as much for one as for hundreds.
IDLE_S = 1.0
# What is written is on disk, and can be read, about so much later.
SYNC_S = 0.005
# A platform that does not answer so few in time is away.
BATCH_RECORDS_MIN = 100
# A batch may grow to twice its size if it took no longer than this.
GROW_S = UPLOAD_TIMEOUT_S / 4
_SETTLED = frozenset({IntakeOutcome.CREATED, IntakeOutcome.EXISTS})


@dataclass(slots=True)
class UsageUpload:
    """`counts` is the number of records by the platform's answer since this process started.

    `backlog_records` is how many lay in the spool when the relay opened it: those of earlier incarnations.
    """

    link: PlatformLink
    relay: Relay
    clock: Clock
    backlog_records: int = 0
    passed_records: int = 0
    counts: Counter[IntakeOutcome] = field(default_factory=Counter)
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=10.0))
    random: Random = field(default_factory=Random)
    _batch_records_max: int = USAGE_BATCH_RECORDS_MAX
    _was_empty: bool = False

    @property
    def is_backlog_passed(self) -> bool:
        """Tell whether every record of earlier incarnations was uploaded and answered."""
        return self._was_empty or self.passed_records >= self.backlog_records

    async def run(self, finish: asyncio.Event) -> None:
        """Upload until `finish` is set and the spool is empty, also of what was not on disk yet when it was."""
        attempt = 0
        while True:
            pause_s, wanted = IDLE_S, self._batch_records_max
            try:
                is_last = finish.is_set() and await self._is_synced()
                uploaded = await self.upload_batch()
                attempt = 0
                if uploaded == 0 and is_last:
                    return
                if uploaded == wanted or (uploaded and finish.is_set()):
                    continue
                if finish.is_set():
                    pause_s = SYNC_S
            except KeisanError as fault:
                attempt += 1
                pause_s = self.backoff.compute_wait_s(attempt, self.random)
                write_warning("usage.not_uploaded", fault=str(fault)[:500], code=fault.code, retry_s=round(pause_s, 1))
            await self._pause(pause_s, finish)

    async def upload_batch(self) -> int:
        """Hand in one batch and return its size, 0 if the spool is empty.

        Raises KeisanError if the platform did not answer every record; the spool then stands as before.
        """
        try:
            batch = await asyncio.to_thread(self.relay.read_batch, self._batch_records_max)
        except RuntimeError as fault:
            raise Failed("the spool cannot be read", str(fault)) from fault
        if batch.count == 0:
            self._was_empty = True
            return 0
        answer = await self._hand_in(batch)
        _check_answer(answer, batch.count)
        self._note(answer)
        try:
            await asyncio.to_thread(self.relay.advance_spool, batch.cursor)
        except RuntimeError as fault:
            raise Failed("the spool's cursor cannot be written", str(fault)) from fault
        self.passed_records += batch.count
        return batch.count

    async def _hand_in(self, batch: UsageBatch) -> UsageAnswer:
        begin_s = self.clock.monotonic_s()
        try:
            answer = await self.link.upload_usage(batch)
        except KeisanError:
            self._batch_records_max = max(self._batch_records_max // 2, BATCH_RECORDS_MIN)
            raise
        if self.clock.monotonic_s() - begin_s < GROW_S:
            self._batch_records_max = min(self._batch_records_max * 2, USAGE_BATCH_RECORDS_MAX)
        return answer

    def _note(self, answer_of_all: UsageAnswer) -> None:
        self.counts[IntakeOutcome.CREATED] += answer_of_all.created_count
        for answer in answer_of_all.answers:
            self.counts[answer.outcome] += 1
            if answer.outcome not in _SETTLED:
                record_id = str(answer.record_id) if answer.record_id else None
                write_warning(f"usage.{answer.outcome}", record_id=record_id, code=answer.code)

    async def _is_synced(self) -> bool:
        """Tell whether all that is written is on disk: what is not cannot be read yet."""
        stats = await asyncio.to_thread(self.relay.stats)
        return read_spool_count(stats, "synced_records") >= read_spool_count(stats, "written_records")

    async def _pause(self, pause_s: float, finish: asyncio.Event) -> None:
        if finish.is_set():
            await self.clock.sleep(pause_s)
        else:
            await wait_unless_stopped(self.clock, pause_s, finish)


def read_spool_count(stats: str, name: str) -> int:
    """Return a count of records in the relay's spool by its name; raises Failed if its statistics do not say so."""
    try:
        return int(json.loads(stats)["spool"][name])
    except (ValueError, KeyError, TypeError) as fault:
        raise Failed("the relay's statistics cannot be read", str(fault)) from fault


def _check_answer(answer: UsageAnswer, count: int) -> None:
    named = {one.position for one in answer.answers if 0 <= one.position < count}
    answered = answer.created_count + len(named)
    if answered != count or len(named) != len(answer.answers):
        raise Failed(f"the platform answered {answered} of {count} usage records")
