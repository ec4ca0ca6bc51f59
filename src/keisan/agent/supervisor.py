"""The supervisor of a site's replicas: one keeper and one task for each; none of them can end the others.

It owns the agent's loop, so it is where an unexpected exception is caught, logged and turned into a replica's fault.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TypeVar
from uuid import UUID

from keisan.agent.fence import judge_orders, read_fence
from keisan.agent.keeper import ReplicaKeeper, Workplace
from keisan.agent.state import AgentState, ReplicaRecord, load_state, save_state
from keisan.agent.waiting import wait_for_event
from keisan.domain.errors import StorageUnavailable
from keisan.domain.fence import NO_FENCE, Fence
from keisan.kit.observe import write_failure, write_warning
from keisan.wire.site import FenceReport, OrderAction, ReplicaOrder, ReplicaReport, SiteOrders

Result = TypeVar("Result")


class Supervisor:
    """Keeps what was ordered. Make it, `recover`, then `start` it within a task group."""

    def __init__(self, workplace: Workplace) -> None:
        """Raises StateConflict when the kept state cannot be read."""
        self._place = workplace
        kept = load_state(workplace.folder.state_path)
        self._fences = dict(kept.fences)
        self._outdated: tuple[ReplicaOrder, ...] = ()
        self._saved = dict(kept.records)
        self._keepers = {
            replica_id: ReplicaKeeper(workplace, record, self._save) for replica_id, record in kept.records.items()
        }
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def recover(self) -> None:
        """Adopt the engines that still run, and end those of this folder that no record names.

        The latter are left by a crash between a start and its record; the order, if there is one, starts a new one.
        """
        executor = self._place.adapters.executor
        named = {keeper.record.launch.process for keeper in self._keepers.values() if keeper.record.launch}
        for process in await executor.find_owned(self._place.folder.run):
            if process not in named:
                write_warning("orphan.ended", pid=process.pid)
                await executor.stop(process, self._place.settings.stop_grace_s)
        async with asyncio.TaskGroup() as group:
            for keeper in self._keepers.values():
                group.create_task(self._adopt(keeper))

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin to keep the replicas, with tasks in `group`."""
        self._group = group
        for keeper in self._keepers.values():
            self._tasks[keeper.replica_id] = group.create_task(self._keep(keeper))

    async def leave(self) -> None:
        """Stop keeping. Engines are left running, or ended if the settings say so; their orders stay."""
        self._place.is_leaving.set()
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        if self._place.settings.is_stopping_replicas_on_exit:
            async with asyncio.TaskGroup() as group:
                for keeper in self._keepers.values():
                    group.create_task(self._end(keeper))

    def list_reports(self) -> list[ReplicaReport]:
        """Return what is known of each replica."""
        return [keeper.build_report() for keeper in self._keepers.values()]

    def list_fences(self) -> tuple[FenceReport, ...]:
        """Return what was seen of deployments of which the last answer gave older orders, so that the platform goes above it.

        A platform of before fences is told nothing: it would not understand.
        """
        fenced = {order.deployment_id for order in self._outdated if read_fence(order) != NO_FENCE}
        return tuple(
            FenceReport(deployment_id=deployment_id, epoch=fence.epoch, number=fence.number)
            for deployment_id, fence in self._fences.items()
            if deployment_id in fenced
        )

    def list_sockets(self) -> dict[UUID, str]:
        """Return where the engines that were started listen, by replica."""
        launches = ((keeper.replica_id, keeper.record.launch) for keeper in self._keepers.values())
        return {replica_id: launch.socket_path for replica_id, launch in launches if launch is not None}

    def apply(self, orders: SiteOrders, told_stopped: frozenset[UUID]) -> None:
        """Follow the platform's answer to a report which told that `told_stopped` have stopped.

        Those are forgotten now. What the answer leaves out stays as it is, and start orders older than what was seen start nothing.
        Raises StorageUnavailable when the orders cannot be written down; they are followed all the same, and written with the next
        answer: all but those with a fence that is not on disk yet.
        """
        for replica_id in told_stopped:
            self._forget(replica_id)
        judged = judge_orders(orders.orders, self._fences)
        self._note_outdated(judged.outdated)
        is_kept = self._keep_fences(judged.seen)
        for order in judged.followed:
            if not is_kept and not self._is_fence_kept(order):
                continue
            keeper = self._keepers.get(order.replica_id)
            if keeper is not None:
                keeper.give_order(order)
            elif order.action is OrderAction.RUN or order.replica_id not in told_stopped:
                self._add(order)
        self._save()

    def _keep_fences(self, fences: Mapping[UUID, Fence]) -> bool:
        """Write down what was seen before anything is started by it, and tell whether it is on disk."""
        if fences == self._fences:
            return True
        records = self._collect()
        try:
            save_state(self._place.folder.state_path, AgentState(records, fences))
        except OSError as failure:
            write_warning("fences.not_kept", inside=str(failure))
            return False
        self._saved, self._fences = records, dict(fences)
        return True

    def _is_fence_kept(self, order: ReplicaOrder) -> bool:
        if order.action is not OrderAction.RUN or order.deployment_id is None:
            return True
        return read_fence(order) == self._fences.get(order.deployment_id, NO_FENCE)

    def _note_outdated(self, outdated: tuple[ReplicaOrder, ...]) -> None:
        for order in outdated:
            if order not in self._outdated:
                write_warning(
                    "order.outdated", replica=order.replica_id, deployment=order.deployment_id, fence=order.fence
                )
        self._outdated = outdated

    def _add(self, order: ReplicaOrder) -> None:
        keeper = ReplicaKeeper(self._place, ReplicaRecord(order), self._save)
        self._keepers[order.replica_id] = keeper
        if self._group is not None:
            self._tasks[order.replica_id] = self._group.create_task(self._keep(keeper))

    def _forget(self, replica_id: UUID) -> None:
        if self._keepers.pop(replica_id, None) is None:
            return
        task = self._tasks.pop(replica_id, None)
        if task is not None:
            task.cancel()
        log_path = self._place.folder.locate_log(replica_id)
        for path in (log_path, log_path.with_name(log_path.name + ".1")):
            path.unlink(missing_ok=True)

    def _collect(self) -> dict[UUID, ReplicaRecord]:
        return {replica_id: keeper.record for replica_id, keeper in self._keepers.items()}

    def _save(self) -> None:
        records = self._collect()
        if records == self._saved:
            return
        try:
            save_state(self._place.folder.state_path, AgentState(records, self._fences))
        except OSError as failure:
            raise StorageUnavailable(f"the agent's state cannot be written: {failure}") from failure
        self._saved = records

    # An adapter that breaks its contract must not take the others' replicas with it: the three that follow own the loop.

    async def _adopt(self, keeper: ReplicaKeeper) -> None:
        try:
            await keeper.adopt()
        except Exception as failure:
            write_failure("replica.adoption_failed", failure, replica=keeper.replica_id)

    async def _keep(self, keeper: ReplicaKeeper) -> None:
        while True:
            keeper.is_woken.clear()
            try:
                wait_s = await keeper.take_step()
            except Exception as failure:
                write_failure("replica.step_failed", failure, replica=keeper.replica_id)
                keeper.note_failure(f"the agent failed: {type(failure).__name__}")
                wait_s = self._place.settings.probe_period_s
            await wait_for_event(keeper.is_woken, self._place.clock, wait_s)

    async def _end(self, keeper: ReplicaKeeper) -> None:
        try:
            await keeper.leave()
        except Exception as failure:
            write_failure("replica.end_failed", failure, replica=keeper.replica_id)


def catch_failure(work: Callable[[], Result]) -> tuple[Result | None, BaseException | None]:
    """Do work that is not ours, in a thread of its own; return its result, or whatever it raised.

    A maker's library that calls sys.exit() ends its thread, and would leave whoever waits for it waiting.
    """
    try:
        return work(), None
    except BaseException as failure:
        return None, failure


async def run_guarded(work: Coroutine[object, object, None], event: str) -> None:
    """Do work that must not take the agent with it when it fails unexpectedly: it is logged as `event`, and that is all."""
    try:
        await work
    except Exception as failure:
        write_failure(event, failure)
