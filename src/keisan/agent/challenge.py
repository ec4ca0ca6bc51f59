"""Challenges at a site: each is worked on in a thread of its own, all at once, and answered as soon as it is done."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import SystemRandom
from typing import TypeVar
from uuid import UUID

from keisan.agent.link import PlatformLink
from keisan.agent.supervisor import run_guarded
from keisan.devices.base import Benchmark
from keisan.domain.challenge import ChallengeWork
from keisan.domain.device import REMOTE_FACT
from keisan.domain.errors import Failed, KeisanError, PlatformUnreachable
from keisan.domain.limits import CHALLENGE_CHECK_WAIT_S, CHALLENGE_MESSAGE_CHARACTERS_MAX
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning
from keisan.kit.retry import Backoff
from keisan.wire.challenge import ChallengeAnswer, ChallengeCommit, ChallengeLeaf, ChallengeOrder
from keisan.wire.challenge_proof import Commitment
from keisan.wire.device import DeviceReport

SEND_WAIT_S = 0.2
SEND_WAIT_S_MAX = 5.0
# So long is asked at least, also when the challenge's time is over already.
SEND_S_MIN = 5.0
# Fewer than may wait at the platform, and half of the link's connections.
ANSWERS_AT_ONCE = 4
Result = TypeVar("Result")


class ChallengeDesk:
    """Takes orders for devices. Make it, then `start` it within a task group."""

    def __init__(self, benchmarks: Sequence[Benchmark], link: PlatformLink, clock: Clock) -> None:
        self._benchmarks = benchmarks
        self._link = link
        self._clock = clock
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._is_here = True
        self._turns = asyncio.Semaphore(ANSWERS_AT_ONCE)
        self._backoff = Backoff(first_s=SEND_WAIT_S, most_s=SEND_WAIT_S_MAX)
        self._random = SystemRandom()

    def start(self, group: asyncio.TaskGroup) -> None:
        """Work with tasks in `group`."""
        self._group = group

    def follow(self, orders: Sequence[ChallengeOrder], devices: Sequence[DeviceReport]) -> None:
        """Begin what is new of these orders, all at once; what is said again goes on."""
        assert self._group is not None
        named = {order.challenge_id for order in orders}
        self._tasks = {key: task for key, task in self._tasks.items() if key in named or not task.done()}
        by_hardware_id = {device.hardware_id: device for device in devices}
        for order in orders:
            if order.challenge_id not in self._tasks:
                work = self._answer(order, by_hardware_id.get(order.hardware_id))
                self._tasks[order.challenge_id] = self._group.create_task(run_guarded(work, "challenge.failed"))

    def leave(self) -> None:
        """Drop what is under way; a thread that computes ends soon."""
        self._is_here = False
        for task in self._tasks.values():
            task.cancel()

    async def _answer(self, order: ChallengeOrder, device: DeviceReport | None) -> None:
        begun_s = self._clock.monotonic_s()
        end_s = begun_s + order.due_s
        work = ChallengeWork(order.workload, order.width, order.count, order.seed)
        thread = ThreadPoolExecutor(1, "challenge")
        try:
            commitment = await asyncio.get_running_loop().run_in_executor(thread, self._work, device, work, end_s)
            told_us = round((self._clock.monotonic_s() - begun_s) * 1e6)
            commit = ChallengeCommit(commitment=commitment.build_root(), told_us=told_us)
            opening = await self._send(lambda: self._link.commit_challenge(order.challenge_id, commit), end_s)
            await self._open(order.challenge_id, commitment, opening.positions)
            write_log("challenge.answered", challenge=order.challenge_id, told_us=told_us)
        except Failed as failure:
            write_warning("challenge.unable", challenge=order.challenge_id, message=failure.outside)
            message = failure.outside[:CHALLENGE_MESSAGE_CHARACTERS_MAX]
            refusal = ChallengeCommit(commitment=None, told_us=0, message=message)
            await self._send(lambda: self._link.commit_challenge(order.challenge_id, refusal), end_s)
        except KeisanError as failure:
            write_warning("challenge.not_answered", challenge=order.challenge_id, fault=str(failure))
        finally:
            thread.shutdown(wait=False)

    def _work(self, device: DeviceReport | None, work: ChallengeWork, end_s: float) -> Commitment:
        if device is None:
            raise Failed("the device is not here any more")
        if REMOTE_FACT in device.facts:
            raise Failed("the device is on another node of the site, whose agent does no challenges")
        for benchmark in self._benchmarks:
            if benchmark.can_run(device, work.workload):
                return benchmark.run(device, work, lambda: self._is_here and self._clock.monotonic_s() < end_s)
        raise Failed(f"nothing here can do {work.workload} on this device")

    async def _open(self, challenge_id: UUID, commitment: Commitment, positions: Sequence[int]) -> None:
        answer = await asyncio.to_thread(open_parts, commitment, positions)
        await self._send_answer(lambda: self._link.answer_challenge(challenge_id, answer))

    async def _send_answer(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Ask at once, so that the platform notes when it came; then, some at a time, until it was checked.

        The platform takes few of a site's answers at a time, and checking one takes seconds.
        """
        end_s = self._clock.monotonic_s() + CHALLENGE_CHECK_WAIT_S
        with suppress(PlatformUnreachable):
            return await ask()
        async with self._turns:
            await self._clock.sleep(SEND_WAIT_S)
            return await self._send(ask, end_s)

    async def _send(self, ask: Callable[[], Awaitable[Result]], end_s: float) -> Result:
        """Ask until it is answered; raises what it raises, and PlatformUnreachable when nobody waits for it any more."""
        end_s, attempt = max(end_s, self._clock.monotonic_s() + SEND_S_MIN), 0
        while self._clock.monotonic_s() < end_s:
            with suppress(PlatformUnreachable):
                return await ask()
            attempt += 1
            await self._clock.sleep(self._backoff.compute_wait_s(attempt, self._random))
        return await ask()


def open_parts(commitment: Commitment, positions: Sequence[int]) -> ChallengeAnswer:
    """Return the parts of a result that are asked for, with their paths."""
    opened = [commitment.open(position) for position in positions]
    leaves = tuple(ChallengeLeaf(content=base64.b64encode(leaf).decode(), path=path) for leaf, path in opened)
    return ChallengeAnswer(leaves=leaves)
