"""What a site's report changes, decided on values: what is known and what is reported in, rows to write out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from keisan.domain.device import Device, DeviceUse
from keisan.domain.engine import EngineProfile
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import DeviceId, ModelId, NodeId, ReplicaId
from keisan.domain.model import Model
from keisan.domain.node import Node
from keisan.domain.replica import Endpoint, Replica, ReplicaState, can_move_replica
from keisan.domain.site import Site
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from keisan.wire.site import ReplicaReport, SiteReport


@dataclass(frozen=True, slots=True)
class Known:
    """What the platform has stored of a site; replicas that are not stopped, with their models."""

    site: Site
    nodes: tuple[Node, ...]
    devices: tuple[Device, ...]
    replicas: tuple[Replica, ...]
    models: Mapping[ModelId, Model]


@dataclass(frozen=True, slots=True)
class ReportChange:
    """Rows to write; `site` is the site as it is after the report.

    `replicas_moved` are those whose state or verdict changed; progress told in words alone is no event. `replicas_told`
    are those that gateways must be told of: ready before or now, or with an engine that has another profile now.
    """

    site: Site
    is_site_changed: bool
    nodes_new: tuple[Node, ...]
    nodes_changed: tuple[Node, ...]
    devices_new: tuple[Device, ...]
    devices_changed: tuple[Device, ...]
    replicas: tuple[Replica, ...]
    replicas_moved: frozenset[ReplicaId]
    replicas_told: frozenset[ReplicaId]
    log_tails: Mapping[ReplicaId, str]

    @property
    def is_needed(self) -> bool:
        """Tell whether there is anything to write."""
        return self.is_site_changed or any(
            (self.nodes_new, self.nodes_changed, self.devices_new, self.devices_changed, self.replicas, self.log_tails)
        )


def compare_report(known: Known, report: SiteReport, now: datetime) -> ReportChange:
    """Return what a report changes.

    Raises InvalidInput if a device names a node that is neither known nor reported, or if anything is reported twice.
    """
    _refuse_repeated(report)
    site = _update_site(known.site, report)
    nodes = _compare_nodes(known, report.nodes, now)
    node_ids = {node.hardware_id: node.id for node in (*known.nodes, *nodes)}
    devices = _compare_devices(known, report.devices, node_ids, now)
    known_node_ids = {node.id for node in known.nodes}
    known_device_ids = {device.id for device in known.devices}
    replicas = _compare_replicas(known, report.replicas, now)
    changed_ids = {replica.id for replica in replicas}
    return ReportChange(
        site=site,
        is_site_changed=site is not known.site,
        nodes_new=tuple(node for node in nodes if node.id not in known_node_ids),
        nodes_changed=tuple(node for node in nodes if node.id in known_node_ids),
        devices_new=tuple(device for device in devices if device.id not in known_device_ids),
        devices_changed=tuple(device for device in devices if device.id in known_device_ids),
        replicas=replicas,
        replicas_moved=_list_moved(known, replicas),
        replicas_told=_list_told(known, replicas, site),
        log_tails={
            ReplicaId(entry.replica_id): entry.log_tail
            for entry in report.replicas
            if entry.log_tail and entry.replica_id in changed_ids
        },
    )


def _list_moved(known: Known, changed: tuple[Replica, ...]) -> frozenset[ReplicaId]:
    before = {replica.id: (replica.state, replica.verdict) for replica in known.replicas}
    return frozenset(replica.id for replica in changed if before[replica.id] != (replica.state, replica.verdict))


def _list_told(known: Known, changed: tuple[Replica, ...], site: Site) -> frozenset[ReplicaId]:
    ready = {replica.id for replica in (*known.replicas, *changed) if replica.state is ReplicaState.READY}
    retold = {
        replica.id
        for replica in known.replicas
        if site.engines.get(replica.engine) != known.site.engines.get(replica.engine)
    }
    return frozenset({replica.id for replica in changed} & ready | retold)


def _refuse_repeated(report: SiteReport) -> None:
    named: tuple[tuple[str, list[object]], ...] = (
        ("nodes", [entry.hardware_id for entry in report.nodes]),
        ("devices", [entry.hardware_id for entry in report.devices]),
        ("replicas", [entry.replica_id for entry in report.replicas]),
    )
    for name, ids in named:
        seen: set[object] = set()
        for position, entry_id in enumerate(ids):
            if entry_id in seen:
                raise InvalidInput("the same one is reported twice", f"{name}[{position}]")
            seen.add(entry_id)


def _update_site(site: Site, report: SiteReport) -> Site:
    engines = {
        name: EngineProfile(
            running_usage=profile.running_usage,
            idle_connection_s=profile.idle_connection_s,
            requests_per_connection_max=profile.requests_per_connection_max,
            is_usage_summed_over_choices=profile.is_usage_summed_over_choices,
        )
        for name, profile in report.engines.items()
    }
    if site.verdict is Verdict.OK and site.engines == engines:
        return site
    return replace(site, verdict=Verdict.OK, engines=engines, version=site.version + 1)


def _compare_nodes(known: Known, reports: tuple[NodeReport, ...], now: datetime) -> tuple[Node, ...]:
    stored = {node.hardware_id: node for node in known.nodes}
    seen = (_update_node(stored.get(entry.hardware_id), entry, known.site, now) for entry in reports)
    return tuple(node for node in seen if node is not stored.get(node.hardware_id))


def _update_node(node: Node | None, report: NodeReport, site: Site, now: datetime) -> Node:
    if node is None:
        return Node(
            id=NodeId(create_id()),
            platform_id=site.platform_id,
            site_id=site.id,
            hardware_id=report.hardware_id,
            hostname=report.hostname,
            boot_id=report.boot_id,
            cpu_count=report.cpu_count,
            memory_bytes=report.memory_bytes,
            version=1,
            created_at=now,
            reported_at=now,
        )
    facts = (report.hostname, report.boot_id, report.cpu_count, report.memory_bytes)
    if (node.hostname, node.boot_id, node.cpu_count, node.memory_bytes) == facts:
        return node
    hostname, boot_id, cpu_count, memory_bytes = facts
    return replace(
        node,
        hostname=hostname,
        boot_id=boot_id,
        cpu_count=cpu_count,
        memory_bytes=memory_bytes,
        version=node.version + 1,
        reported_at=now,
    )


def _compare_devices(
    known: Known, reports: tuple[DeviceReport, ...], node_ids: Mapping[str, NodeId], now: datetime
) -> tuple[Device, ...]:
    stored = {device.hardware_id: device for device in known.devices}
    changed: list[Device] = []
    for position, entry in enumerate(reports):
        node_id = node_ids.get(entry.node_hardware_id)
        if node_id is None:
            raise InvalidInput("the device names a node that was not reported", f"devices[{position}].node_hardware_id")
        device = _update_device(stored.get(entry.hardware_id), entry, known.site, (node_id, now))
        if device is not stored.get(entry.hardware_id):
            changed.append(device)
    return tuple(changed)


def _update_device(device: Device | None, report: DeviceReport, site: Site, place: tuple[NodeId, datetime]) -> Device:
    node_id, now = place
    if device is None:
        return Device(
            id=DeviceId(create_id()),
            platform_id=site.platform_id,
            site_id=site.id,
            node_id=node_id,
            hardware_id=report.hardware_id,
            chip=report.chip,
            name=report.name,
            memory_bytes=report.memory_bytes,
            facts=report.facts,
            verdict=report.verdict,
            use=DeviceUse.OPEN,
            use_reason="",
            use_actor="",
            use_changed_at=None,
            version=1,
            created_at=now,
            reported_at=now,
        )
    changed = replace(
        device,
        node_id=node_id,
        chip=report.chip,
        name=report.name,
        memory_bytes=report.memory_bytes,
        facts=report.facts,
        verdict=report.verdict,
    )
    return device if changed == device else replace(changed, version=device.version + 1, reported_at=now)


def _compare_replicas(known: Known, reports: tuple[ReplicaReport, ...], now: datetime) -> tuple[Replica, ...]:
    """Follow a report where the state table allows it; a replica under a stop order stays so until it has stopped."""
    stored = {replica.id: replica for replica in known.replicas}
    changed: list[Replica] = []
    for entry in reports:
        replica = stored.get(ReplicaId(entry.replica_id))
        if replica is None or not can_move_replica(replica.state, entry.state):
            continue
        after = _update_replica(replica, entry, known.models[replica.model_id])
        if after != replica:
            changed.append(replace(after, version=replica.version + 1, reported_at=now))
    return tuple(changed)


def _update_replica(replica: Replica, report: ReplicaReport, model: Model) -> Replica:
    state = report.state
    expected_digest = f"sha256:{model.facts.weights_sha256}"
    # A report that leaves the digest out proves nothing new: a ready replica is held to the last one it told.
    digest = report.model_digest or (replica.model_digest if state is ReplicaState.READY else "")
    is_wrong = bool(digest) and digest != expected_digest
    message = f"serves other weights than {expected_digest}" if is_wrong else report.message
    endpoint = None if report.endpoint is None else Endpoint(report.endpoint.kind, report.endpoint.path)
    return replace(
        replica,
        state=state,
        verdict=Verdict.FAILED if is_wrong else _judge_replica(state),
        endpoint=endpoint if state is ReplicaState.READY else replica.endpoint,
        model_digest=report.model_digest or replica.model_digest,
        slots=report.slots or replica.slots,
        restart_count=report.restart_count,
        message=message,
    )


def _judge_replica(state: ReplicaState) -> Verdict:
    if state is ReplicaState.READY:
        return Verdict.OK
    return Verdict.FAILED if state is ReplicaState.FAILED else Verdict.UNKNOWN
