"""The keeper: its steps on a site in memory."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.agent.keeper import ReplicaKeeper
from keisan.agent.replica import DEAF_READY_S
from keisan.agent.state import Launch, ReplicaRecord
from keisan.domain.errors import WeightsInvalid
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.engines.base import Health
from keisan.executors.base import ProcessIdentity, ProcessPlan
from keisan.weights.base import Progress, WeightsRequest
from keisan.wire.site import OrderAction, ReplicaOrder
from tests.agent.site_fakes import SHA256, FakeSite, build_order
from tests.deadline import wait_until_async

RUN, STOP = OrderAction.RUN, OrderAction.STOP


@pytest.fixture
def keeper(site: FakeSite) -> ReplicaKeeper:
    return site.keep(ReplicaRecord(build_order()))


async def take_steps(keeper: ReplicaKeeper, count: int) -> None:
    for _ in range(count):
        await keeper.take_step()


async def test_order_becomes_a_ready_replica(site: FakeSite, keeper: ReplicaKeeper) -> None:
    assert keeper.build_report().state is ReplicaState.STARTING
    await take_steps(keeper, 2)
    report = keeper.build_report()
    assert (report.state, report.model_digest, report.slots) == (ReplicaState.READY, f"sha256:{SHA256}", 4)
    assert report.endpoint is not None
    assert report.endpoint.path == str(site.workplace.folder.locate_socket(keeper.replica_id))


async def test_start_is_saved_before_anything_relies_on_it(site: FakeSite, keeper: ReplicaKeeper) -> None:
    await keeper.take_step()
    (saved,) = site.saves
    assert saved.launch is not None
    assert saved.launch.process in site.executor.alive
    config_path = site.workplace.folder.locate_config(keeper.replica_id)
    assert config_path.stat().st_mode & 0o777 == 0o600


async def test_dead_process_is_started_again_at_once_then_later(site: FakeSite, keeper: ReplicaKeeper) -> None:
    await take_steps(keeper, 2)
    site.executor.alive.clear()
    assert await keeper.take_step() == 0
    assert keeper.build_report().state is ReplicaState.FAILED
    await keeper.take_step()
    site.executor.alive.clear()
    wait_s = await keeper.take_step()
    assert wait_s > 0
    await keeper.take_step()
    assert len(site.executor.started) == 2
    await site.clock.advance(wait_s)
    await keeper.take_step()
    assert len(site.executor.started) == 3
    assert keeper.build_report().restart_count == 2


async def test_stop_order_ends_the_process_and_its_files(site: FakeSite, keeper: ReplicaKeeper) -> None:
    await take_steps(keeper, 2)
    keeper.give_order(build_order(STOP))
    await keeper.take_step()
    assert len(site.executor.stopped) == 1
    assert list(site.workplace.folder.run.iterdir()) == []
    await keeper.take_step()
    assert keeper.build_report().state is ReplicaState.STOPPED


async def test_a_stop_is_never_taken_back(keeper: ReplicaKeeper) -> None:
    keeper.give_order(build_order(STOP))
    keeper.give_order(build_order(RUN))
    assert keeper.record.order.action is STOP


async def test_changed_order_leaves_a_running_engine_alone(site: FakeSite, keeper: ReplicaKeeper) -> None:
    await take_steps(keeper, 2)
    keeper.give_order(build_order().model_copy(update={"slots": 9, "weights_sha256": "cd" * 32}))
    await take_steps(keeper, 2)
    assert site.executor.stopped == []
    assert (keeper.build_report().slots, keeper.build_report().model_digest) == (4, f"sha256:{SHA256}")


async def test_deaf_process_is_replaced(site: FakeSite, keeper: ReplicaKeeper) -> None:
    await take_steps(keeper, 2)
    site.engine.health = Health(Verdict.FAILED, "nobody listens")
    await keeper.take_step()
    await site.clock.advance(DEAF_READY_S)
    await take_steps(keeper, 2)
    assert (len(site.executor.stopped), len(site.executor.started)) == (1, 2)


async def test_fetch_tells_how_far_it_is(site: FakeSite, keeper: ReplicaKeeper) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fetch_half(request: WeightsRequest, report: Progress) -> Path:
        report(47, 100)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)
        return request.directory / "model"

    site.weights.script = fetch_half
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.take_step())
        await wait_until_async(lambda: keeper.build_report().message == "fetching weights 45 %", "progress is told")
        release.set()
    assert keeper.build_report().message == ""
    assert len(site.executor.started) == 1


@pytest.mark.parametrize("cause", ["stop", "leave"])
async def test_unwanted_fetch_is_abandoned(site: FakeSite, keeper: ReplicaKeeper, cause: str) -> None:
    def fetch_for_ever(_request: WeightsRequest, report: Progress) -> Path:
        while True:
            report(1, 100)

    site.weights.script = fetch_for_ever
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.take_step())
        await wait_until_async(lambda: "fetching" in keeper.build_report().message, "the fetch runs")
        keeper.give_order(build_order(STOP)) if cause == "stop" else site.workplace.is_leaving.set()
    assert site.executor.started == []
    assert keeper.build_report().state is ReplicaState.STARTING


async def test_stop_that_comes_during_a_fetch_starts_nothing(site: FakeSite, keeper: ReplicaKeeper) -> None:
    def fetch_and_stop(request: WeightsRequest, _report: Progress) -> Path:
        keeper.give_order(build_order(STOP))
        return request.directory / "model"

    site.weights.script = fetch_and_stop
    await keeper.take_step()
    assert site.executor.started == []


async def test_two_replicas_of_one_model_fetch_one_after_the_other(site: FakeSite) -> None:
    meeting = threading.Barrier(2)
    met: list[str] = []

    def fetch_and_look_around(request: WeightsRequest, _report: Progress) -> Path:
        try:
            meeting.wait(0.2)
            met.append("another fetch")
        except threading.BrokenBarrierError:
            pass
        return request.directory / "model"

    site.weights.script = fetch_and_look_around
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(site.keep(ReplicaRecord(build_order())).take_step())
    assert (site.weights.fetched, met) == (2, [])


def refuse_weights(_request: WeightsRequest, _report: Progress) -> Path:
    raise WeightsInvalid("other bytes")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "other"}, "this site has no engine 'other'"),
        ({"weights": "other:x"}, "this site has no weight source 'other:'"),
        ({"node_hardware_id": "other"}, "this site has no node other"),
        ({"slots": 0}, "no slots"),
        ({}, "other bytes"),
    ],
)
async def test_what_cannot_be_done_is_told_in_words(site: FakeSite, change: dict[str, object], message: str) -> None:
    site.weights.script = refuse_weights if not change else site.weights.script
    keeper = site.keep(ReplicaRecord(build_order().model_copy(update=change)))
    await keeper.take_step()
    report = keeper.build_report()
    expected = "expected slots of at least 1, got 0" if message == "no slots" else message
    assert (report.state, report.message) == (ReplicaState.FAILED, expected)
    assert site.executor.started == []


async def test_refused_launch_is_a_fault(site: FakeSite, keeper: ReplicaKeeper) -> None:
    site.executor.is_refusing = True
    await keeper.take_step()
    assert keeper.build_report().message == "no room"


async def test_log_tail_is_reported(site: FakeSite, keeper: ReplicaKeeper) -> None:
    site.workplace.folder.locate_log(keeper.replica_id).write_text("loading\nready\n")
    assert keeper.build_report().log_tail == "loading\nready\n"


def launched(site: FakeSite, order: ReplicaOrder, digest: str = f"sha256:{SHA256}") -> ReplicaKeeper:
    """Return a keeper that finds the record of an earlier agent, whose engine still runs."""
    process = ProcessIdentity(7, 7, "boot")
    plan = ProcessPlan((), Path("/"), Path("/"))
    site.executor.alive[process] = plan
    socket_path = str(site.workplace.folder.locate_socket(order.replica_id))
    return site.keep(ReplicaRecord(order, Launch(process, socket_path, digest, 4)))


async def test_running_engine_is_adopted(site: FakeSite) -> None:
    keeper = launched(site, build_order())
    await keeper.adopt()
    assert keeper.build_report().state is ReplicaState.READY
    await keeper.take_step()
    assert (site.executor.started, site.executor.stopped) == ([], [])


async def test_engine_with_other_weights_is_ended_and_started_anew(site: FakeSite) -> None:
    keeper = launched(site, build_order(), "sha256:other")
    await keeper.adopt()
    assert len(site.executor.stopped) == 1
    await keeper.take_step()
    assert len(site.executor.started) == 1


async def test_dead_engine_is_not_adopted(site: FakeSite) -> None:
    keeper = launched(site, build_order())
    site.executor.alive.clear()
    await keeper.adopt()
    assert site.engine.probed == 0
    await take_steps(keeper, 2)
    assert len(site.executor.started) == 1


async def test_stranger_with_the_pid_is_left_alone(site: FakeSite) -> None:
    keeper = launched(site, build_order())
    (process,) = site.executor.alive
    stranger = replace(process, started_ticks=8)
    site.executor.alive = {stranger: site.executor.alive[process]}
    await keeper.adopt()
    keeper.give_order(build_order(STOP))
    await take_steps(keeper, 2)
    assert list(site.executor.alive) == [stranger]
    assert keeper.build_report().state is ReplicaState.STOPPED


async def test_leaving_keeps_the_order(site: FakeSite, keeper: ReplicaKeeper) -> None:
    await take_steps(keeper, 2)
    await keeper.leave()
    assert len(site.executor.stopped) == 1
    assert site.saves[-1] == ReplicaRecord(build_order())
