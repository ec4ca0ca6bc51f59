"""Which start orders an agent follows, decided on values: none that is older than one which it has seen of the same deployment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from keisan.domain.fence import NO_FENCE, Fence, is_outdated
from keisan.wire.site import OrderAction, ReplicaOrder


@dataclass(frozen=True, slots=True)
class FenceJudgement:
    """Orders to follow, those that are older than what was seen, and the highest seen of each deployment after them."""

    followed: tuple[ReplicaOrder, ...]
    outdated: tuple[ReplicaOrder, ...]
    seen: Mapping[UUID, Fence]


def judge_orders(orders: Iterable[ReplicaOrder], seen: Mapping[UUID, Fence]) -> FenceJudgement:
    """Return which orders to follow. A stop is always followed: it names a replica that never runs again."""
    followed: list[ReplicaOrder] = []
    outdated: list[ReplicaOrder] = []
    raised = dict(seen)
    for order in orders:
        if not must_follow(order, seen):
            outdated.append(order)
            continue
        followed.append(order)
        fence = read_fence(order)
        if order.deployment_id is not None and fence > raised.get(order.deployment_id, NO_FENCE):
            raised[order.deployment_id] = fence
    return FenceJudgement(tuple(followed), tuple(outdated), raised)


def must_follow(order: ReplicaOrder, seen: Mapping[UUID, Fence]) -> bool:
    """Tell whether an order is no older than what was seen of its deployment; one without a deployment is not fenced."""
    if order.action is not OrderAction.RUN or order.deployment_id is None:
        return True
    return not is_outdated(read_fence(order), seen.get(order.deployment_id))


def read_fence(order: ReplicaOrder) -> Fence:
    """Return what an order carries, NO_FENCE from a platform of before fences."""
    return Fence(order.epoch, order.fence)
