"""Challenges at a site: real work by threads, all at once, answered over real HTTP; faults reach the platform as words."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from keisan.agent.challenge import ANSWERS_AT_ONCE, ChallengeDesk, open_parts
from keisan.agent.link import PlatformLink
from keisan.control.challenge_check import OpenedResult, check_opened
from keisan.devices.base import Benchmark
from keisan.devices.benchmark_numpy import NumpyBenchmark
from keisan.devices.cpu import CpuDriver
from keisan.devices.node import read_node
from keisan.domain.challenge import ChallengeWork, Workload
from keisan.domain.device import REMOTE_FACT
from keisan.domain.errors import Failed
from keisan.domain.key import Secret, digest_secret
from keisan.kit.clock import SystemClock
from keisan.wire.challenge import ChallengeOrder
from keisan.wire.challenge_proof import Commitment
from keisan.wire.device import DeviceReport
from keisan.wire.machine import MachineJoin
from tests.agent.small_platform import JOIN_TOKEN, SmallPlatform
from tests.deadline import wait_until_async

SECRET = Secret("mk-keisan-test")
POSITIONS = (0, 5, 63)


def name_challenge(number: int) -> UUID:
    return UUID(int=number)


def build_order(number: int = 1, hardware_id: str = "one", **changes: object) -> ChallengeOrder:
    values: dict[str, object] = {
        "challenge_id": name_challenge(number),
        "hardware_id": hardware_id,
        "workload": Workload.FP64,
        "width": 64,
        "count": 2,
        "seed": f"seed {number}",
        "due_s": 60.0,
    }
    return ChallengeOrder.model_validate(values | changes)


def build_devices(*hardware_ids: str) -> tuple[DeviceReport, ...]:
    [own] = CpuDriver().read_devices(read_node("made"))
    return tuple(own.model_copy(update={"hardware_id": hardware_id}) for hardware_id in hardware_ids)


@dataclass
class Together(NumpyBenchmark):
    """Does nothing before so many threads work at the same time."""

    barrier: threading.Barrier
    works: list[ChallengeWork] = field(default_factory=list)

    def run(self, device: DeviceReport, work: ChallengeWork, is_wanted: Callable[[], bool]) -> Commitment:
        self.works.append(work)
        self.barrier.wait(30)
        return super().run(device, work, is_wanted)


class Broken(NumpyBenchmark):
    """Breaks its contract."""

    def run(self, device: DeviceReport, work: ChallengeWork, is_wanted: Callable[[], bool]) -> Commitment:
        raise ZeroDivisionError(device.hardware_id, work.seed, is_wanted())


class Weak(NumpyBenchmark):
    """Cannot after all."""

    def run(self, device: DeviceReport, work: ChallengeWork, is_wanted: Callable[[], bool]) -> Commitment:
        raise Failed(f"not enough memory on {device.hardware_id} for {work.width}" if is_wanted() else "")


@pytest.fixture
async def link(platform: SmallPlatform) -> AsyncIterator[PlatformLink]:
    """A machine that has joined."""
    platform.positions = POSITIONS
    async with PlatformLink(platform.url, SECRET, None) as link:
        await link.join(MachineJoin(token=JOIN_TOKEN, name="m", secret_digest=digest_secret(SECRET)))
        yield link


async def work_with(
    link: PlatformLink, benchmark: Benchmark, act: Callable[[ChallengeDesk], None], is_done: Callable[[], bool]
) -> None:
    desk = ChallengeDesk([benchmark], link, SystemClock())
    async with asyncio.TaskGroup() as group:
        desk.start(group)
        act(desk)
        await wait_until_async(is_done, "it is answered")
        desk.leave()


def check_answer(platform: SmallPlatform, order: ChallengeOrder) -> int | None:
    commit, answer = platform.commits[order.challenge_id], platform.answers[order.challenge_id]
    assert commit.commitment is not None
    leaves = tuple((leaf.decode(), leaf.path) for leaf in answer.leaves)
    work = ChallengeWork(order.workload, order.width, order.count, order.seed)
    return check_opened(OpenedResult(commit.commitment, POSITIONS, leaves), [work])


async def test_all_are_worked_on_at_once_and_answered_rightly(platform: SmallPlatform, link: PlatformLink) -> None:
    orders = [build_order(number, f"device {number}") for number in range(8)]
    benchmark = Together(threading.Barrier(8))
    devices = build_devices(*(order.hardware_id for order in orders))
    await work_with(link, benchmark, lambda desk: desk.follow(orders, devices), lambda: len(platform.answers) == 8)
    assert [check_answer(platform, order) for order in orders] == [0] * 8
    assert all(0 < commit.told_us < 60_000_000 for commit in platform.commits.values())


async def test_order_that_is_said_again_is_done_once(platform: SmallPlatform, link: PlatformLink) -> None:
    first, second = build_order(1), build_order(2)
    benchmark = Together(threading.Barrier(2))

    def act(desk: ChallengeDesk) -> None:
        desk.follow([first], build_devices("one"))
        desk.follow([first, second], build_devices("one"))
        desk.follow([], build_devices("one"))
        desk.follow([first, second], build_devices("one"))

    await work_with(link, benchmark, act, lambda: len(platform.answers) == 2)
    assert len(benchmark.works) == 2


@pytest.mark.parametrize(
    ("benchmark", "order", "message"),
    [
        (NumpyBenchmark(), build_order(workload=Workload.FP16), "nothing here can do fp16 on this device"),
        (NumpyBenchmark(), build_order(hardware_id="gone"), "the device is not here any more"),
        (Weak(), build_order(), "not enough memory on one for 64"),
        (NumpyBenchmark(), build_order(due_s=0.0), "the challenge's time is over"),
    ],
)
async def test_what_cannot_be_done_is_told_in_words(
    platform: SmallPlatform, link: PlatformLink, benchmark: Benchmark, order: ChallengeOrder, message: str
) -> None:
    await work_with(
        link, benchmark, lambda desk: desk.follow([order], build_devices("one")), lambda: bool(platform.commits)
    )
    commit = platform.commits[order.challenge_id]
    assert (commit.commitment, commit.message) == (None, message)
    assert not platform.answers


async def test_device_of_another_node_is_not_measured_here(platform: SmallPlatform, link: PlatformLink) -> None:
    [device] = build_devices("far")
    far = device.model_copy(update={"facts": {REMOTE_FACT: "yes"}})
    order = build_order(1, "far")
    await work_with(link, NumpyBenchmark(), lambda desk: desk.follow([order], [far]), lambda: bool(platform.commits))
    commit = platform.commits[order.challenge_id]
    assert commit.commitment is None
    assert commit.message == "the device is on another node of the site, whose agent does no challenges"


async def test_benchmark_that_breaks_takes_nobody_with_it(platform: SmallPlatform, link: PlatformLink) -> None:
    """The tasks are in the agent's own group: an exception that got through would end it, and this test."""
    is_over = asyncio.Event()
    broken = Broken()

    def act(desk: ChallengeDesk) -> None:
        desk.follow([build_order()], build_devices("one"))
        for task in desk._tasks.values():
            task.add_done_callback(lambda _: is_over.set())

    await work_with(link, broken, act, is_over.is_set)
    assert not platform.commits


async def test_platform_that_is_away_for_a_moment_is_asked_again(platform: SmallPlatform, link: PlatformLink) -> None:
    order = build_order()
    platform.refusal = 503

    def act(desk: ChallengeDesk) -> None:
        desk.follow([order], build_devices("one"))

    async with asyncio.TaskGroup() as group:
        desk = ChallengeDesk([NumpyBenchmark()], link, SystemClock())
        desk.start(group)
        act(desk)
        await wait_until_async(lambda: platform.refused_count > 5, "it asks again and again")
        platform.refusal = None
        await wait_until_async(lambda: bool(platform.answers), "it is answered")
    assert check_answer(platform, order) == 0


async def test_answers_that_find_no_room_are_handed_in_again_a_few_at_a_time(
    platform: SmallPlatform, link: PlatformLink
) -> None:
    """Each comes once at once, so that its time is noted; the platform is asked again by no more than may wait there."""
    orders = [build_order(number, f"device {number}") for number in range(8)]
    devices = build_devices(*(order.hardware_id for order in orders))
    platform.answer_refusal = 429
    async with asyncio.TaskGroup() as group:
        desk = ChallengeDesk([NumpyBenchmark()], link, SystemClock())
        desk.start(group)
        desk.follow(orders, devices)
        await wait_until_async(lambda: len(platform.tries) == 8, "each came")
        await wait_until_async(lambda: len(list_repeated(platform)) == ANSWERS_AT_ONCE, "some come again")
        await wait_until_async(lambda: max(platform.tries.values()) > 3, "they come again and again")
        assert len(list_repeated(platform)) == ANSWERS_AT_ONCE
        platform.answer_refusal = None
        await wait_until_async(lambda: len(platform.answers) == 8, "all are answered")
    assert [check_answer(platform, order) for order in orders] == [0] * 8


def list_repeated(platform: SmallPlatform) -> list[UUID]:
    return [challenge_id for challenge_id, count in platform.tries.items() if count > 1]


async def test_platform_that_refuses_is_left_alone(platform: SmallPlatform, link: PlatformLink) -> None:
    platform.refusal = 409
    async with asyncio.TaskGroup() as group:
        desk = ChallengeDesk([NumpyBenchmark()], link, SystemClock())
        desk.start(group)
        desk.follow([build_order()], build_devices("one"))
    # The group has ended, so its one task has.
    assert platform.refused_count == 1


async def test_work_ends_soon_after_the_agent_leaves(link: PlatformLink) -> None:
    """Hours of work: the thread would outlive this test, and keep this process from its end."""
    thread_name = "challenge_0"
    async with asyncio.TaskGroup() as group:
        desk = ChallengeDesk([NumpyBenchmark()], link, SystemClock())
        desk.start(group)
        desk.follow([build_order(count=10**5, width=512, due_s=10.0**9)], build_devices("one"))
        await wait_until_async(lambda: is_thread_alive(thread_name), "it works")
        desk.leave()
    await wait_until_async(lambda: not is_thread_alive(thread_name), "its thread has ended")


def is_thread_alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_parts_are_opened_in_the_order_asked_for() -> None:
    parts = [bytes([number]) * 4 for number in range(8)]
    answer = open_parts(Commitment(8, parts.__getitem__), (5, 2))
    assert [leaf.decode() for leaf in answer.leaves] == [parts[5], parts[2]]
