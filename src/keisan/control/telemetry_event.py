"""Events of the live fleet on their way into the log: a bounded queue between the tick and the database.

Only the task that writes waits for the database. What there was no room for is in the process's log, counted by what it was,
and told as an event once writing works again.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.domain.errors import KeisanError, Unavailable
from keisan.domain.event import EventDraft
from keisan.domain.limits import FLEET_EVENTS_PER_SITE_MAX, FLEET_EVENTS_WAITING_MAX, FLEET_EVENTS_WRITTEN_MAX
from keisan.kit.observe import write_log, write_warning

# An event that waited for longer says when it happened.
PROMPT = timedelta(seconds=5)
# For how long the end of the process waits for the last of them.
END_S_MAX = 2.0


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event, and when it happened."""

    draft: EventDraft
    happened_at: datetime


@dataclass(slots=True)
class Losses:
    """Events that there was no room for: how many of each action, from when to when."""

    counts: Counter[str] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, lost: WaitingEvent) -> None:
        """Count one."""
        self.join(Losses(Counter([lost.draft.action]), lost.happened_at, lost.happened_at))

    def join(self, other: "Losses") -> None:
        """Count those of another too."""
        self.counts.update(other.counts)
        self.first_at = min((each for each in (self.first_at, other.first_at) if each), default=None)
        self.last_at = max((each for each in (self.last_at, other.last_at) if each), default=None)

    def describe(self) -> EventDraft | None:
        """Return the event that tells of them, None if there were none."""
        if self.first_at is None or self.last_at is None:
            return None
        span = {"first_at": self.first_at.isoformat(), "last_at": self.last_at.isoformat()}
        by_action = {action: str(count) for action, count in sorted(self.counts.items())}
        detail = {"count": str(self.counts.total()), **span, **by_action}
        return EventDraft(CONTROL_ACTOR, "telemetry.events_lost", None, detail)


@dataclass(slots=True)
class FleetEvents:
    """Beyond FLEET_EVENTS_PER_SITE_MAX of a site its oldest goes, beyond FLEET_EVENTS_WAITING_MAX the oldest of all."""

    control: Control
    losses: Losses = field(default_factory=Losses)
    is_closing: bool = False
    _waiting: OrderedDict[int, WaitingEvent] = field(default_factory=OrderedDict)
    _numbers: dict[UUID | None, deque[int]] = field(default_factory=dict)
    _next: int = 0
    _is_failing: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waiting_count(self) -> int:
        """How many are not written yet."""
        return len(self._waiting)

    def add(self, drafts: Iterable[EventDraft]) -> None:
        """Take events over, and have those that wait tried again; returns at once."""
        now = self.control.clock.now()
        for draft in drafts:
            own = self._numbers.setdefault(draft.noun_id, deque())
            if len(own) >= FLEET_EVENTS_PER_SITE_MAX:
                self._lose(self._remove(own[0]))
            elif len(self._waiting) >= FLEET_EVENTS_WAITING_MAX:
                self._lose(self._remove(next(iter(self._waiting))))
            self._numbers.setdefault(draft.noun_id, deque()).append(self._next)
            self._waiting[self._next] = WaitingEvent(draft, now)
            self._next += 1
        if self._waiting or self.losses.counts:
            self._wake.set()

    def close(self) -> None:
        """Have the writing end with what waits now."""
        self.is_closing = True
        self._wake.set()

    async def run(self) -> None:
        """Write what comes until `close`; what cannot be written is tried again when something is added."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while await self.write():
                pass
            if self.is_closing:
                return

    async def end(self, writing: asyncio.Task[None]) -> None:
        """Close, wait a little for the task that runs this, and log what it could not write."""
        self.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S_MAX):
                await writing
        for number in list(self._waiting):
            self._lose(self._remove(number))
        if (draft := self.losses.describe()) is not None:
            write_warning(draft.action, **draft.detail)

    async def write(self) -> bool:
        """Write the oldest, and tell whether they were and there are more."""
        batch, losses = self._take_oldest(), self.losses
        # Those that are lost from now on are told with the next.
        self.losses = Losses()
        told, is_written = losses.describe(), False
        try:
            async with self.control.storage.write() as transaction:
                # The wait may have been for this transaction.
                now = self.control.clock.now()
                for draft in ([told] if told else []) + [_stamp(each, now) for each in batch.values()]:
                    await transaction.events.append(draft)
            is_written = True
        except KeisanError as fault:
            self._note_failure(fault, batch)
        finally:
            if not is_written:
                self.losses.join(losses)
                self._put_back(batch)
        if is_written and self._is_failing:
            write_log("telemetry.events_written_again", count=len(batch), waiting=len(self._waiting))
            self._is_failing = False
        return is_written and bool(self._waiting)

    def _note_failure(self, fault: KeisanError, batch: dict[int, WaitingEvent]) -> None:
        if not self._is_failing:
            write_warning("telemetry.events_not_written", count=len(batch) + len(self._waiting), code=fault.code)
        self._is_failing = True
        if not isinstance(fault, Unavailable):
            # What the database will never take must not hold up the rest.
            for waiting in batch.values():
                self._lose(waiting)
            batch.clear()

    def _take_oldest(self) -> dict[int, WaitingEvent]:
        return {number: self._remove(number) for number in list(islice(self._waiting, FLEET_EVENTS_WRITTEN_MAX))}

    def _put_back(self, batch: dict[int, WaitingEvent]) -> None:
        for number, waiting in reversed(batch.items()):
            self._waiting[number] = waiting
            self._waiting.move_to_end(number, last=False)
            self._numbers.setdefault(waiting.draft.noun_id, deque()).appendleft(number)
        for number, waiting in batch.items():
            is_full = len(self._numbers[waiting.draft.noun_id]) > FLEET_EVENTS_PER_SITE_MAX
            if is_full or len(self._waiting) > FLEET_EVENTS_WAITING_MAX:
                self._lose(self._remove(number))

    def _lose(self, lost: WaitingEvent) -> None:
        self.losses.add(lost)
        write_log(lost.draft.action, site=str(lost.draft.noun_id), **lost.draft.detail)

    def _remove(self, number: int) -> WaitingEvent:
        found = self._waiting.pop(number)
        own = self._numbers[found.draft.noun_id]
        own.remove(number)
        if not own:
            del self._numbers[found.draft.noun_id]
        return found


def _stamp(waiting: WaitingEvent, now: datetime) -> EventDraft:
    """Return the event as it is written: one that comes late says when it was."""
    draft = waiting.draft
    if now - waiting.happened_at <= PROMPT:
        return draft
    detail = {**draft.detail, "happened_at": waiting.happened_at.isoformat()}
    return EventDraft(draft.actor, draft.action, draft.noun_id, detail)
