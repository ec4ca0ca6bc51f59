"""A site's report comes in, orders go out; only differences to what is stored are written.

What a report leaves out is left as it is (DESIGN D5); a stop is always an explicit order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keisan.control.challenge import issue_challenges
from keisan.control.context import Control
from keisan.control.device import judge_devices, note_contradiction, note_suspicion
from keisan.control.door import compare_door, load_door, order_door, write_door
from keisan.control.fence import catch_up_with_agent, load_epoch
from keisan.control.report_change import Known, ReportChange, compare_report
from keisan.control.snapshot_tables import is_served
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.deployment import Deployment
from keisan.domain.device import is_contradicted
from keisan.domain.errors import AlreadyExists, PermissionDenied, VersionMismatch
from keisan.domain.event import EventDraft
from keisan.domain.ids import DeviceId, ReplicaId, SiteId
from keisan.domain.lease import WorkNoun
from keisan.domain.model import Model
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.snapshot import SnapshotTable
from keisan.storage.base import Transaction
from keisan.wire.site import OrderAction, ReplicaOrder, SiteOrders, SiteReport

REPORT_PERIOD_S = 1.0
REPORT_TRIES_MAX = 4
# A quiet site's time of last proof is written no more often than this; the silence that makes it unknown is longer.
PROOF_WRITTEN_EVERY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a RUN order is made of."""

    deployment: Deployment
    model: Model
    node_hardware_id: str
    epoch: int


async def accept_report(control: Control, principal: Principal, report: SiteReport) -> SiteOrders:
    """Apply a site agent's report and return its orders.

    Raises PermissionDenied for anybody but a site's agent, InvalidInput for a report that contradicts itself.
    """
    principal.require(Right.SERVE_SITE)
    if principal.site_id is None:
        raise PermissionDenied("this machine belongs to no site")
    orders = await _accept_until_settled(control, principal, principal.site_id, report)
    # Last, because their time begins here.
    challenges = await issue_challenges(control, principal.site_id)
    return orders.model_copy(update={"challenges": challenges})


async def _accept_until_settled(
    control: Control, principal: Principal, site_id: SiteId, report: SiteReport
) -> SiteOrders:
    for _ in range(REPORT_TRIES_MAX - 1):
        try:
            return await _accept_once(control, principal, site_id, report)
        except (VersionMismatch, AlreadyExists):
            # A reconciler, or this report sent twice, wrote one of the rows since we read it; the report is level, so it
            # is simply compared again.
            continue
    return await _accept_once(control, principal, site_id, report)


async def _accept_once(control: Control, principal: Principal, site_id: SiteId, report: SiteReport) -> SiteOrders:
    now = control.clock.now()
    await catch_up_with_agent(control, site_id, report.fences)
    async with control.storage.read() as view:
        known = await _load_known(view, site_id)
        plans = await _load_plans(view, known, await load_epoch(view, control.platform_id))
        known_door = await load_door(view, site_id)
    change, suspicions = _judge_change(control, known, compare_report(known, report, now), now)
    before = {device.id: device for device in known.devices}
    contradictions = [each for each in change.devices_changed if is_contradicted(before[each.id], each)]
    door_change = compare_door(control, known_door, known.site, report.door)
    replicas = {replica.id: replica for replica in known.replicas} | {
        replica.id: replica for replica in change.replicas
    }
    if change.is_needed or door_change is not None or _is_proof_due(known, now):
        actor = f"machine:{principal.id}"
        async with control.storage.write() as transaction:
            await _write_change(transaction, change, actor, now)
            for device in (*change.devices_new, *change.devices_changed):
                if device.id in suspicions:
                    await note_suspicion(transaction, device, suspicions[device.id])
            for device in contradictions:
                await note_contradiction(transaction, device)
            if door_change is not None:
                served = [replica.id for replica in replicas.values() if is_served(replica)]
                await write_door(transaction, door_change, served, actor)
    door = known_door.door if door_change is None else door_change.after
    return SiteOrders(
        orders=_build_orders(tuple(replicas.values()), plans, report),
        next_report_s=REPORT_PERIOD_S,
        door=order_door(control, door),
    )


def _judge_change(
    control: Control, known: Known, change: ReportChange, now: datetime
) -> tuple[ReportChange, Mapping[DeviceId, str]]:
    """Return the change with suspect devices closed where the terms say so, and why each is suspect."""
    before = {device.id: device for device in known.devices}
    created, first = judge_devices(control.device_terms, before, change.devices_new, now)
    changed, later = judge_devices(control.device_terms, before, change.devices_changed, now)
    return replace(change, devices_new=created, devices_changed=changed), {**first, **later}


def _is_proof_due(known: Known, now: datetime) -> bool:
    return known.site.reported_at is None or now - known.site.reported_at >= PROOF_WRITTEN_EVERY


async def _load_known(view: Transaction, site_id: SiteId) -> Known:
    scope = PlatformScope()
    replicas = await view.replicas.list_site(scope, site_id)
    models = await view.models.list_by_ids(scope, {replica.model_id for replica in replicas})
    return Known(
        site=await view.sites.get(scope, site_id),
        nodes=tuple(await view.nodes.list_site(scope, site_id)),
        devices=tuple(await view.devices.list_site(scope, site_id)),
        replicas=tuple(replicas),
        models={model.id: model for model in models},
    )


async def _load_plans(view: Transaction, known: Known, epoch: int) -> dict[ReplicaId, _Plan]:
    wanted = {replica.deployment_id for replica in known.replicas}
    deployments = {row.id: row for row in await view.deployments.list_by_ids(PlatformScope(), wanted)}
    hardware_ids = {node.id: node.hardware_id for node in known.nodes}
    return {
        replica.id: _Plan(
            deployments[replica.deployment_id], known.models[replica.model_id], hardware_ids[replica.node_id], epoch
        )
        for replica in known.replicas
    }


async def _write_change(transaction: Transaction, change: ReportChange, actor: str, now: datetime) -> None:
    await transaction.sites.mark_reported(change.site.id, now)
    if change.is_site_changed:
        await transaction.sites.update(replace(change.site, reported_at=now))
        await transaction.events.append(
            EventDraft(actor, f"site.{change.site.verdict}", change.site.id, {"name": change.site.name})
        )
    await _write_hardware(transaction, change)
    for replica in change.replicas:
        await transaction.replicas.update(replica)
        if replica.id in change.replicas_moved:
            await transaction.outbox.put(WorkNoun.DEPLOYMENT, replica.deployment_id, now)
            await transaction.events.append(_describe_replica(replica, actor))
    for replica_id, log_tail in change.log_tails.items():
        await transaction.replicas.set_log_tail(replica_id, log_tail)
    await transaction.snapshot.touch(SnapshotTable.REPLICAS, change.replicas_told)
    if change.is_site_changed:
        await transaction.outbox.put(WorkNoun.SITE, change.site.id, now)


async def _write_hardware(transaction: Transaction, change: ReportChange) -> None:
    for node in change.nodes_new:
        await transaction.nodes.insert(node)
    for node in change.nodes_changed:
        await transaction.nodes.update(node)
    for device in change.devices_new:
        await transaction.devices.insert(device)
    for device in change.devices_changed:
        await transaction.devices.update(device)


def _describe_replica(replica: Replica, actor: str) -> EventDraft:
    detail = {"message": replica.message} if replica.message else {}
    return EventDraft(actor, f"replica.{replica.state}", replica.id, detail)


def _build_orders(
    replicas: tuple[Replica, ...], plans: dict[ReplicaId, _Plan], report: SiteReport
) -> tuple[ReplicaOrder, ...]:
    orders = [_build_order(replica, plans[replica.id]) for replica in replicas]
    # A replica this platform has no live row of was stopped here, or never was ours: say so, in words.
    living = {replica.id for replica in replicas}
    strays = [entry.replica_id for entry in report.replicas if entry.replica_id not in living]
    orders += [ReplicaOrder(replica_id=replica_id, action=OrderAction.STOP) for replica_id in strays]
    return tuple(orders)


def _build_order(replica: Replica, plan: _Plan) -> ReplicaOrder:
    if replica.state in (ReplicaState.STOPPING, ReplicaState.STOPPED):
        return ReplicaOrder(replica_id=replica.id, action=OrderAction.STOP)
    facts = plan.model.facts
    return ReplicaOrder(
        replica_id=replica.id,
        action=OrderAction.RUN,
        deployment_id=plan.deployment.id,
        model_name=facts.name,
        engine=replica.engine,
        node_hardware_id=plan.node_hardware_id,
        slots=plan.deployment.slots,
        context_tokens=facts.context_tokens,
        weights=facts.weights,
        weights_sha256=facts.weights_sha256,
        weights_bytes=facts.weights_bytes,
        epoch=plan.epoch,
        fence=plan.deployment.fence,
    )
