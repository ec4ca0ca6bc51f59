"""The supervisor: orders in, keepers kept, on a site in memory."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from keisan.agent import supervisor as supervisor_module
from keisan.agent.settings import AgentSettings
from keisan.agent.state import load_state
from keisan.agent.supervisor import Supervisor
from keisan.domain.errors import StorageUnavailable
from keisan.domain.fence import Fence
from keisan.domain.replica import ReplicaState
from keisan.executors.base import ProcessPlan
from keisan.wire.site import FenceReport, OrderAction, ReplicaOrder, SiteOrders
from tests.agent.site_fakes import DEPLOYMENT_ID, REPLICA_ID, FakeSite, build_order, build_site
from tests.deadline import wait_until_async

OTHER_ID = UUID("01900000-0000-7000-8000-0000000000a2")
NOBODY: frozenset[UUID] = frozenset()


def build_orders(*orders: ReplicaOrder) -> SiteOrders:
    return SiteOrders(orders=orders, next_report_s=1.0)


def list_states(supervisor: Supervisor) -> dict[UUID, ReplicaState]:
    return {entry.replica_id: entry.state for entry in supervisor.list_reports()}


@asynccontextmanager
async def run_supervisor(site: FakeSite) -> AsyncIterator[Supervisor]:
    """Recover and run a supervisor; it leaves at the end."""
    supervisor = Supervisor(site.workplace)
    await supervisor.recover()
    async with asyncio.TaskGroup() as group:
        supervisor.start(group)
        yield supervisor
        await supervisor.leave()


async def wait_for_state(
    site: FakeSite, supervisor: Supervisor, state: ReplicaState, replica_id: UUID = REPLICA_ID
) -> None:
    """Let the site's time pass until a replica is in `state`."""
    end_s = time.monotonic() + 60
    while list_states(supervisor).get(replica_id) is not state:
        assert time.monotonic() < end_s, list_states(supervisor)
        await site.clock.advance(1.0)
        await asyncio.sleep(0)


def reopen(site: FakeSite) -> FakeSite:
    """Return the site as a new agent finds it: the same folder and processes."""
    again = build_site(site.workplace.folder.root, site.workplace.settings)
    again.executor.alive = site.executor.alive
    again.executor.started = list(site.executor.started)
    return again


async def test_order_is_written_down_and_followed(site: FakeSite) -> None:
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order()), NOBODY)
        assert REPLICA_ID in load_state(site.workplace.folder.state_path).records
        await wait_until_async(lambda: len(site.executor.started) == 1, "it was started")
        await wait_for_state(site, supervisor, ReplicaState.READY)
    assert len(site.executor.alive) == 1


async def test_what_an_answer_leaves_out_stays(site: FakeSite) -> None:
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order()), NOBODY)
        await wait_until_async(lambda: len(site.executor.started) == 1, "it was started")
        supervisor.apply(build_orders(), NOBODY)
        await wait_for_state(site, supervisor, ReplicaState.READY)
    assert site.executor.stopped == []


async def test_stop_is_told_once_and_forgotten(site: FakeSite) -> None:
    stop = build_orders(build_order(OrderAction.STOP))
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order()), NOBODY)
        await wait_until_async(lambda: len(site.executor.started) == 1, "it was started")
        log_path = site.workplace.folder.locate_log(REPLICA_ID)
        log_path.write_text("line")
        supervisor.apply(stop, NOBODY)
        await wait_until_async(lambda: list_states(supervisor)[REPLICA_ID] is ReplicaState.STOPPED, "it has stopped")
        supervisor.apply(stop, frozenset({REPLICA_ID}))
        assert supervisor.list_reports() == []
    assert load_state(site.workplace.folder.state_path).records == {}
    assert not log_path.exists()


async def test_stop_of_an_unknown_replica_is_answered(site: FakeSite) -> None:
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order(OrderAction.STOP)), NOBODY)
        await wait_until_async(lambda: list_states(supervisor)[REPLICA_ID] is ReplicaState.STOPPED, "it is answered")


async def test_next_agent_adopts_and_keeps_without_a_platform(site: FakeSite) -> None:
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order()), NOBODY)
        await wait_for_state(site, supervisor, ReplicaState.READY)
    again = reopen(site)
    async with run_supervisor(again) as supervisor:
        assert list_states(supervisor) == {REPLICA_ID: ReplicaState.READY}
        assert len(again.executor.started) == 1
        again.executor.alive.clear()
        await wait_for_state(again, supervisor, ReplicaState.FAILED)
        await wait_for_state(again, supervisor, ReplicaState.READY)
        assert len(again.executor.started) == 2


async def test_own_orphan_is_ended_and_a_stranger_is_not(site: FakeSite) -> None:
    run = site.workplace.folder.run
    orphan = await site.executor.start(ProcessPlan(("told", str(run / "x.json")), run, run / "x.log"))
    stranger = await site.executor.start(ProcessPlan(("told", "/elsewhere/x.json"), run, run / "x.log"))
    await Supervisor(site.workplace).recover()
    assert site.executor.stopped == [orphan]
    assert list(site.executor.alive) == [stranger]


@pytest.mark.parametrize("ends", ["stays", "ends"])
async def test_leaving_follows_the_settings(tmp_path: Path, ends: str) -> None:
    settings = replace(
        AgentSettings("http://127.0.0.1:1", tmp_path / "site", "machine"), is_stopping_replicas_on_exit=ends == "ends"
    )
    site = build_site(tmp_path / "site", settings)
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order()), NOBODY)
        await wait_for_state(site, supervisor, ReplicaState.READY)
    assert len(site.executor.alive) == (0 if ends == "ends" else 1)
    assert load_state(site.workplace.folder.state_path).records[REPLICA_ID].order.action is OrderAction.RUN


async def test_broken_adapter_is_a_fault_of_its_replica_only(site: FakeSite) -> None:
    site.engine.breaks_on = site.workplace.folder.locate_socket(REPLICA_ID)
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(build_order(), build_order(replica_id=OTHER_ID)), NOBODY)
        await wait_for_state(site, supervisor, ReplicaState.FAILED)
        messages = {entry.replica_id: entry.message for entry in supervisor.list_reports()}
        assert messages[REPLICA_ID] == "the agent failed: ZeroDivisionError"
        await wait_for_state(site, supervisor, ReplicaState.READY, OTHER_ID)


async def test_state_that_cannot_be_written_is_told_and_written_later(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    async with run_supervisor(site) as supervisor:
        with monkeypatch.context() as patch:
            patch.setattr(supervisor_module, "save_state", refuse)
            with pytest.raises(StorageUnavailable, match="no space left"):
                supervisor.apply(build_orders(build_order(OrderAction.STOP)), NOBODY)
        supervisor.apply(build_orders(), NOBODY)
        assert REPLICA_ID in load_state(site.workplace.folder.state_path).records


def raise_full_disk(*_: object) -> None:
    raise OSError(28, "no space left on device")


def fence_order(number: int, replica_id: UUID = REPLICA_ID) -> ReplicaOrder:
    return build_order(replica_id=replica_id).model_copy(
        update={"deployment_id": DEPLOYMENT_ID, "epoch": 1, "fence": number}
    )


async def test_fence_is_on_disk_before_anything_is_started_by_it(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_supervisor(site) as supervisor:
        monkeypatch.setattr(supervisor_module, "save_state", raise_full_disk)
        with pytest.raises(StorageUnavailable):
            supervisor.apply(build_orders(fence_order(1), build_order(replica_id=OTHER_ID)), NOBODY)
        # What is not fenced is followed all the same.
        assert set(list_states(supervisor)) == {OTHER_ID}
        monkeypatch.undo()
        supervisor.apply(build_orders(fence_order(1)), NOBODY)
        assert load_state(site.workplace.folder.state_path).fences == {DEPLOYMENT_ID: Fence(1, 1)}
        await wait_for_state(site, supervisor, ReplicaState.READY)
        # A stop needs no room on the disk, and an order with a fence that is there neither.
        monkeypatch.setattr(supervisor_module, "save_state", raise_full_disk)
        stop = fence_order(2).model_copy(update={"action": OrderAction.STOP})
        with pytest.raises(StorageUnavailable):
            supervisor.apply(build_orders(fence_order(2, OTHER_ID), stop), NOBODY)
        monkeypatch.undo()
        await wait_until_async(lambda: list_states(supervisor)[REPLICA_ID] is ReplicaState.STOPPED, "it has stopped")


async def test_outdated_order_starts_nothing_and_is_told_until_there_is_none(site: FakeSite) -> None:
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(fence_order(2)), NOBODY)
        assert supervisor.list_fences() == ()
        supervisor.apply(build_orders(fence_order(1, OTHER_ID)), NOBODY)
        assert set(list_states(supervisor)) == {REPLICA_ID}
        assert supervisor.list_fences() == (FenceReport(deployment_id=DEPLOYMENT_ID, epoch=1, number=2),)
        supervisor.apply(build_orders(fence_order(2, OTHER_ID)), NOBODY)
        assert set(list_states(supervisor)) == {REPLICA_ID, OTHER_ID}
        assert supervisor.list_fences() == ()


async def test_platform_of_before_fences_is_told_of_none(site: FakeSite) -> None:
    plain = build_order(replica_id=OTHER_ID).model_copy(update={"deployment_id": DEPLOYMENT_ID})
    async with run_supervisor(site) as supervisor:
        supervisor.apply(build_orders(fence_order(2)), NOBODY)
        supervisor.apply(build_orders(plain), NOBODY)
        assert (set(list_states(supervisor)), supervisor.list_fences()) == ({REPLICA_ID}, ())
