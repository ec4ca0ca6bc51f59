"""Keeps the relay's snapshot current (R10): ask, check, keep on disk, hand to the relay, acknowledge by asking again.

A gap, another incarnation or a wrong digest leads to a full fetch; within an incarnation it never goes backwards.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from keisan.domain.errors import Failed, InvalidInput, KeisanError
from keisan.domain.ids import PlatformId
from keisan.gateway.link import PlatformLink
from keisan.gateway.relay import Relay
from keisan.gateway.snapshot_file import write_snapshot
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_log, write_warning
from keisan.kit.retry import Backoff
from keisan.wire.snapshot import Snapshot, SnapshotAnswer, apply_delta, check_snapshot, encode_snapshot

POLL_WAIT_S = 20.0
# A platform that answers at once with nothing, as one that is ending does, must not be asked in a busy loop.
STEP_PAUSE_S = 0.05


@dataclass(slots=True)
class SnapshotFeed:
    """`current` is what the relay serves and what stands at `path`; None until the first one came."""

    link: PlatformLink
    relay: Relay
    clock: Clock
    path: Path
    platform_id: PlatformId
    current: Snapshot | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=10.0))
    random: Random = field(default_factory=Random)
    _is_full_wanted: bool = False

    async def run(self) -> None:
        """Follow the platform until cancelled."""
        while True:
            await self.step_until_answered(POLL_WAIT_S)
            await self.clock.sleep(STEP_PAUSE_S)

    async def step_until_answered(self, wait_s: float) -> None:
        """Make one exchange, repeated with backoff while it fails."""
        attempt = 0
        while True:
            try:
                await self.step(wait_s)
                return
            except KeisanError as fault:
                attempt += 1
                pause_s = self.backoff.compute_wait_s(attempt, self.random)
                write_warning(
                    "snapshot.not_fetched", fault=str(fault)[:500], code=fault.code, retry_s=round(pause_s, 1)
                )
            await self.clock.sleep(pause_s)

    async def step(self, wait_s: float) -> None:
        """Make one exchange; raises KeisanError if it brought nothing usable, and `current` stays."""
        base = None if self._is_full_wanted else self.current
        answer = await self.link.fetch_snapshot(base, wait_s if base else 0.0)
        if answer is None:
            if base is not None:
                await self._confirm(base)
            return
        try:
            snapshot = self._read_answer(answer)
        except InvalidInput:
            self._is_full_wanted = True
            raise
        if snapshot is not None:
            await self._adopt(snapshot)
        self._is_full_wanted = False

    def _read_answer(self, answer: SnapshotAnswer) -> Snapshot | None:
        current = self.current
        if answer.delta is not None:
            if current is None:
                raise InvalidInput("a delta came without a base", "delta")
            return apply_delta(current, answer.delta)
        snapshot = answer.snapshot
        if snapshot is None:
            return None
        check_snapshot(snapshot)
        if snapshot.platform_id != self.platform_id:
            raise InvalidInput(f"the snapshot is of another platform, {snapshot.platform_id}", "platform_id")
        if current is not None and (snapshot.incarnation, True) == (
            current.incarnation,
            snapshot.version < current.version,
        ):
            raise InvalidInput(f"the snapshot steps back from {current.version} to {snapshot.version}", "version")
        return snapshot

    async def _confirm(self, snapshot: Snapshot) -> None:
        """Let the relay know that this is still the newest: the age it shows is the time since the platform last spoke."""
        confirmed = snapshot.model_copy(update={"compiled_at_ms": to_milliseconds(self.clock.now())})
        await self._adopt(confirmed)

    async def _adopt(self, snapshot: Snapshot) -> None:
        content = encode_snapshot(snapshot)
        previous = self.current
        # By its digest too: a database that went back comes to the same version again with other rows.
        is_new = previous is None or _name(previous) != _name(snapshot)
        # On disk before it is served: after a crash the gateway must not serve a key again that was already revoked here.
        # An unchanged version is only a sign of life; it goes to the relay for its age, and no disk is worn for it.
        if is_new:
            await self._keep(content)
        try:
            await asyncio.to_thread(self.relay.load_snapshot, content)
        except ValueError as fault:
            if is_new and previous is not None:
                await self._keep(encode_snapshot(previous))
            self._is_full_wanted = True
            raise Failed("the relay refuses the snapshot", str(fault)) from fault
        self.current = snapshot
        if is_new:
            write_log("snapshot.adopted", incarnation=str(snapshot.incarnation), version=snapshot.version)

    async def _keep(self, content: bytes) -> None:
        try:
            await asyncio.to_thread(write_snapshot, self.path, content)
        except OSError as fault:
            raise Failed(f"the snapshot cannot be kept at {self.path}", str(fault)) from fault


def _name(snapshot: Snapshot) -> tuple[UUID, int, str]:
    return snapshot.incarnation, snapshot.version, snapshot.digest
