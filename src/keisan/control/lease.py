"""The one lease loop: takes due outbox rows, runs the noun's reconciler, applies under the lease, finishes the row.

A failed piece of work is due again after a backoff; a lost lease writes nothing. One of the three places that may
catch everything: a fault in one piece of work must not stop the others.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from keisan.control.context import Control
from keisan.control.pulse import Pulse
from keisan.control.reconcilers.base import Performer, Reconciler
from keisan.domain.errors import KeisanError, LeaseLost, StorageUnavailable
from keisan.domain.lease import Lease, WorkNoun
from keisan.domain.limits import LEASE_LIFE_S, LEASES_TAKEN_MAX
from keisan.kit.clock import wait_unless_stopped
from keisan.kit.observe import write_failure, write_warning
from keisan.kit.retry import Backoff

Reconcilers = Mapping[WorkNoun, Reconciler[Any, Any]]
LEASE_LIFE = timedelta(seconds=LEASE_LIFE_S)


@dataclass(frozen=True, slots=True)
class LeaseLoop:
    """Works on the nouns it has reconcilers for, up to `leases_max` pieces a round, one after the other.

    `idle_s` is the wait after a round that found nothing due; `backoff` spaces the tries of failing work. What waits for
    others, outside the platform, has loops of its own, so that it holds up nothing here. `pulse` tells whether anything is due;
    without one each round asks the database.
    """

    control: Control
    reconcilers: Reconcilers
    idle_s: float = 0.25
    backoff: Backoff = field(default_factory=Backoff)
    random: Random = field(default_factory=Random)
    leases_max: int = LEASES_TAKEN_MAX
    pulse: Pulse | None = None
    # What failed, and when it is due again, as long as the database was not there to be told.
    untold: deque[tuple[Lease, datetime]] = field(default_factory=deque, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; the round under way is finished first."""
        worked = 0
        while not stop.is_set():
            try:
                # After work there is often more, sooner than a pulse tells.
                worked = await self.run_round() if worked or await self._is_due() else 0
            except Exception as failure:
                write_failure("lease.round_failed", failure)
                worked = 0
            if not worked:
                await wait_unless_stopped(self.control.clock, self.idle_s, stop)

    async def _is_due(self) -> bool:
        return self.pulse is None or bool(self.untold) or await self.pulse.is_due(self.reconcilers)

    async def run_round(self) -> int:
        """Tell what is untold, take what is due, work on it, and return how many pieces that were. Raises StorageUnavailable."""
        await self._tell_untold()
        now = self.control.clock.now()
        async with self.control.storage.write() as transaction:
            leases = await transaction.outbox.take(now, LEASE_LIFE, self.leases_max, self.reconcilers)
        for lease in leases:
            await self._work(lease)
        return len(leases)

    async def _work(self, lease: Lease) -> None:
        try:
            await self._reconcile(lease)
        except LeaseLost:
            write_warning("lease.lost", noun=lease.noun, noun_id=lease.noun_id)
        except KeisanError as fault:
            write_warning("lease.work_failed", noun=lease.noun, noun_id=lease.noun_id, fault=str(fault))
            await self._postpone(lease)
        except Exception as failure:
            write_failure("lease.work_failed", failure, noun=lease.noun, noun_id=lease.noun_id)
            await self._postpone(lease)

    async def _reconcile(self, lease: Lease) -> None:
        reconciler = self.reconcilers[lease.noun]
        async with self.control.storage.read() as view:
            state = await reconciler.load(view, lease.noun_id)
        change = None if state is None else reconciler.decide(state, self.control.clock.now())
        if state is not None and isinstance(reconciler, Performer):
            change = await reconciler.perform(change)
        async with self.control.storage.write() as transaction:
            now = self.control.clock.now()
            await transaction.outbox.check(lease, now)
            due_again_at = None if state is None else await reconciler.apply(transaction, change, now)
            await transaction.outbox.finish(lease, due_again_at)

    async def _postpone(self, lease: Lease) -> None:
        wait_s = self.backoff.compute_wait_s(lease.attempt, self.random)
        self.untold.append((lease, self.control.clock.now() + timedelta(seconds=wait_s)))
        try:
            await self._tell_untold()
        except StorageUnavailable as fault:
            # The next round does, or the lease runs out by itself.
            write_warning("lease.postpone_failed", noun=lease.noun, noun_id=lease.noun_id, fault=str(fault))

    async def _tell_untold(self) -> None:
        while self.untold:
            lease, due_again_at = self.untold.popleft()
            try:
                async with self.control.storage.write() as transaction:
                    await transaction.outbox.finish(lease, due_again_at)
            except StorageUnavailable:
                self.untold.appendleft((lease, due_again_at))
                raise
            except KeisanError as fault:
                # Another's now, or over.
                write_warning("lease.postpone_failed", noun=lease.noun, noun_id=lease.noun_id, fault=str(fault))
