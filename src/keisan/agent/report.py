"""What a site tells its platform: everything it knows, each time; log tails only when they are news."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from keisan.agent.settings import AgentAdapters
from keisan.domain.replica import ReplicaState
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from keisan.wire.site import ReplicaReport, SiteReport


def build_report(
    agent_id: UUID,
    nodes: tuple[NodeReport, ...],
    devices: tuple[DeviceReport, ...],
    replicas: Iterable[ReplicaReport],
    adapters: AgentAdapters,
) -> SiteReport:
    """Return the report of a site, its agent's own node first."""
    return SiteReport(
        agent_id=agent_id,
        nodes=nodes,
        devices=devices,
        replicas=tuple(replicas),
        engines={name: engine.profile() for name, engine in adapters.engines.items()},
    )


def drop_known_tails(report: SiteReport, known: Mapping[UUID, ReplicaReport]) -> SiteReport:
    """Return the report without the log tails of replicas of which the platform knows all the rest as it is.

    `known` is what it acknowledged last. A busy site would else send 4 KiB per replica and second for nothing.
    """
    replicas = tuple(
        entry.model_copy(update={"log_tail": ""}) if entry == known.get(entry.replica_id) else entry
        for entry in report.replicas
    )
    return report.model_copy(update={"replicas": replicas})


def list_stopped(report: SiteReport) -> frozenset[UUID]:
    """Return the replicas that a report says have stopped: once it is acknowledged they need not be told again."""
    return frozenset(entry.replica_id for entry in report.replicas if entry.state is ReplicaState.STOPPED)
