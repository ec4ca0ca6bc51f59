"""Hands the spooled usage records in, oldest first (R8): read, upload, and only when all are answered, advance.

A record answered `differs` or `refused` is the platform's to quarantine; it is counted here and never blocks the others.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from keisan.domain.errors import Failed, KeisanError
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.usage import IntakeOutcome
from keisan.gateway.link import PlatformLink
from keisan.gateway.relay import Relay
from keisan.kit.clock import Clock
from keisan.kit.observe import write_warning
from keisan.kit.retry import Backoff
from keisan.wire.usage import RecordAnswer, UsageAnswer

IDLE_S = 0.25
_SETTLED = frozenset({IntakeOutcome.CREATED, IntakeOutcome.EXISTS})


@dataclass(slots=True)
class UsageUpload:
    """`counts` is the number of records by the platform's answer since this process started."""

    link: PlatformLink
    relay: Relay
    clock: Clock
    counts: Counter[IntakeOutcome] = field(default_factory=Counter)
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=10.0))
    random: Random = field(default_factory=Random)

    async def run(self, finish: asyncio.Event) -> None:
        """Upload until `finish` is set and the spool is empty."""
        attempt = 0
        while True:
            pause_s = IDLE_S
            try:
                uploaded = await self.upload_batch()
                attempt = 0
                if uploaded == 0 and finish.is_set():
                    return
                if uploaded == USAGE_BATCH_RECORDS_MAX:
                    continue
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
            payloads, cursor = await asyncio.to_thread(self.relay.read_spool, USAGE_BATCH_RECORDS_MAX)
        except RuntimeError as fault:
            raise Failed("the spool cannot be read", str(fault)) from fault
        if not payloads:
            return 0
        # Bytes that are no text cannot stand in JSON: they go as a text that no record parses from, and are refused.
        texts = [payload.decode(errors="replace") for payload in payloads]
        self._note(_match_answers(await self.link.upload_usage(texts), len(texts)))
        try:
            await asyncio.to_thread(self.relay.advance_spool, cursor)
        except RuntimeError as fault:
            raise Failed("the spool's cursor cannot be written", str(fault)) from fault
        return len(payloads)

    def _note(self, answers: tuple[RecordAnswer, ...]) -> None:
        for answer in answers:
            self.counts[answer.outcome] += 1
            if answer.outcome not in _SETTLED:
                record_id = str(answer.record_id) if answer.record_id else None
                write_warning(f"usage.{answer.outcome}", record_id=record_id, code=answer.code)

    async def _pause(self, pause_s: float, finish: asyncio.Event) -> None:
        end_s = self.clock.monotonic_s() + pause_s
        is_finishing = finish.is_set()
        while (left_s := end_s - self.clock.monotonic_s()) > 0:
            await self.clock.sleep(min(IDLE_S, left_s))
            if finish.is_set() and not is_finishing:
                return


def _match_answers(answer: UsageAnswer, count: int) -> tuple[RecordAnswer, ...]:
    if sorted(one.position for one in answer.answers) != list(range(count)):
        raise Failed(f"the platform answered {len(answer.answers)} of {count} usage records")
    return answer.answers
