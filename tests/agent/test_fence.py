"""Which orders are followed: none older than one of the same deployment, also by a real agent that was killed."""

import signal
from uuid import UUID

import pytest

from keisan.agent.fence import judge_orders
from keisan.agent.state import load_state
from keisan.domain.fence import Fence
from keisan.domain.replica import ReplicaState
from keisan.wire.site import OrderAction, ReplicaOrder
from tests.agent.real_site import READY_DEADLINE_S, RealSite
from tests.agent.site_fakes import DEPLOYMENT_ID, REPLICA_ID, build_order
from tests.deadline import wait_until

OTHER_ID = UUID("01900000-0000-7000-8000-0000000000d2")
SEEN = {DEPLOYMENT_ID: Fence(2, 5)}


def fence_order(epoch: int, number: int, **changes: object) -> ReplicaOrder:
    fields = {"deployment_id": DEPLOYMENT_ID, "epoch": epoch, "fence": number} | changes
    return build_order().model_copy(update=fields)


@pytest.mark.parametrize(
    ("epoch", "number", "is_followed"), [(2, 4, False), (2, 5, True), (2, 6, True), (1, 9, False), (3, 0, True)]
)
def test_order_is_followed_from_the_seen_fence_on(epoch: int, number: int, is_followed: bool) -> None:
    order = fence_order(epoch, number)
    judged = judge_orders([order], SEEN)
    assert (judged.followed, judged.outdated) == (((order,), ()) if is_followed else ((), (order,)))
    assert judged.seen == {DEPLOYMENT_ID: max(Fence(epoch, number), Fence(2, 5))}


def test_deployments_are_fenced_each_by_itself() -> None:
    order = fence_order(1, 1, deployment_id=OTHER_ID)
    assert judge_orders([order], SEEN).seen == {DEPLOYMENT_ID: Fence(2, 5), OTHER_ID: Fence(1, 1)}


def test_stop_is_followed_whatever_it_carries() -> None:
    stop = fence_order(0, 0, action=OrderAction.STOP)
    assert judge_orders([stop], SEEN).followed == (stop,)


def test_platform_of_before_fences_is_followed_until_a_fence_was_seen() -> None:
    plain, of_none = fence_order(0, 0), build_order(replica_id=REPLICA_ID)
    judged = judge_orders([plain, of_none], {})
    assert (judged.followed, judged.seen) == ((plain, of_none), {})
    assert judge_orders([plain, of_none], SEEN).followed == (of_none,)


def test_replayed_old_order_starts_nothing_whatever_was_killed_since(real_site: RealSite) -> None:
    """The platform places anew; the agent is killed, and is given the answer of before once more."""
    platform, second_id, third_id = real_site.platform, UUID(int=REPLICA_ID.int + 1), UUID(int=REPLICA_ID.int + 2)
    first = platform.orders[REPLICA_ID].model_copy(update={"deployment_id": DEPLOYMENT_ID, "epoch": 1, "fence": 1})
    platform.orders = {REPLICA_ID: first}
    real_site.start_agent()
    real_site.wait_for(ReplicaState.READY)
    second = first.model_copy(update={"replica_id": second_id, "fence": 2})
    platform.orders = {REPLICA_ID: first.model_copy(update={"action": OrderAction.STOP}), second_id: second}
    wait_until(lambda: platform.is_told(second_id, ReplicaState.READY), "the second is ready", READY_DEADLINE_S)
    wait_until(lambda: platform.find_replica(REPLICA_ID) is None, "the first is gone", READY_DEADLINE_S)
    # A platform that has been told so orders it to stop no more; else the agent would look for it with every answer.
    platform.orders = {second_id: second}
    platform.reports.clear()
    wait_until(lambda: len(platform.reports) > 3, "it reports", READY_DEADLINE_S)
    wait_until(lambda: platform.find_replica(REPLICA_ID) is None, "the first is gone for good", READY_DEADLINE_S)
    real_site.end_agent(signal.SIGKILL)
    platform.reports.clear()
    platform.orders = {REPLICA_ID: first}
    real_site.start_agent()
    wait_until(lambda: len(platform.reports) > 5, "it reports", READY_DEADLINE_S)
    assert {entry.replica_id for report in platform.reports for entry in report.replicas} == {second_id}
    assert platform.is_told(second_id, ReplicaState.READY)
    [fence] = platform.reports[-1].fences
    assert (fence.deployment_id, fence.epoch, fence.number) == (DEPLOYMENT_ID, 1, 2)
    assert list(load_state(real_site.folder.state_path).records) == [second_id]
    # What the platform places above that is started, by the same agent, and nothing is told any more.
    platform.orders = {third_id: first.model_copy(update={"replica_id": third_id, "fence": 3})}
    wait_until(lambda: platform.is_told(third_id, ReplicaState.READY), "the third is ready", READY_DEADLINE_S)
    assert platform.reports[-1].fences == ()
