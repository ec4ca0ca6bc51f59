"""A site whose agent is played: it reports one host with a processor, and has engines of the test's serve what it is ordered to run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from keisan.agent.identity import AgentIdentity, build_join, mark_joined
from keisan.agent.link import PlatformLink
from keisan.domain.engine import RunningUsage
from keisan.domain.errors import PlatformUnreachable
from keisan.domain.key import MACHINE_PREFIX, Secret, create_secret
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from keisan.wire.replica import EndpointView
from keisan.wire.site import OrderAction, ReplicaOrder, ReplicaReport, SiteReport
from keisan.wire.snapshot import EngineProfile
from tests.deadline import let_time_pass_async

CHIP = "cpu-x86-64"
MEMORY_BYTES = 64 * 2**30
REPORT_S_MAX = 1.0
PROFILE = EngineProfile(
    running_usage=RunningUsage.LLAMA_CPP_TIMINGS,
    idle_connection_s=60,
    requests_per_connection_max=1_000_000,
    is_usage_summed_over_choices=False,
)


@dataclass(slots=True)
class PlayedSite:
    """`sockets` are where engines listen, by the names of the models that they serve."""

    name: str
    platform_url: str
    token: Secret
    sockets: Mapping[str, Path]
    slots: int = 256
    replicas: dict[UUID, ReplicaReport] = field(default_factory=dict)

    async def run(self) -> None:
        """Join, then report and follow orders until cancelled; a platform that does not answer is asked again."""
        identity = AgentIdentity(create_id(), create_secret(MACHINE_PREFIX))
        async with PlatformLink(self.platform_url, identity.secret, None) as link:
            identity = mark_joined(identity, await link.join(build_join(identity, self.token, self.name)))
            while True:
                try:
                    orders = await link.report(self._build_report(identity.agent_id))
                except PlatformUnreachable:
                    await let_time_pass_async(REPORT_S_MAX)
                    continue
                was = len(self.replicas)
                for order in orders.orders:
                    if order.action is OrderAction.RUN:
                        self.replicas[order.replica_id] = self._serve(order)
                    elif order.replica_id in self.replicas:
                        stopped = replace_state(self.replicas[order.replica_id], ReplicaState.STOPPED)
                        self.replicas[order.replica_id] = stopped
                if len(self.replicas) == was:
                    await let_time_pass_async(min(orders.next_report_s, REPORT_S_MAX))

    def _serve(self, order: ReplicaOrder) -> ReplicaReport:
        return ReplicaReport(
            replica_id=order.replica_id,
            state=ReplicaState.READY,
            endpoint=EndpointView(kind="unix", path=str(self.sockets[order.model_name])),
            model_digest=f"sha256:{order.weights_sha256}",
            slots=self.slots,
        )

    def _build_report(self, agent_id: UUID) -> SiteReport:
        host = f"host-{self.name}"
        node = NodeReport(hardware_id=host, hostname=host, boot_id="boot-1", cpu_count=8, memory_bytes=MEMORY_BYTES)
        device = DeviceReport(
            hardware_id=f"cpu-{self.name}",
            node_hardware_id=host,
            chip=CHIP,
            name="a processor that is played",
            memory_bytes=MEMORY_BYTES,
            verdict=Verdict.OK,
        )
        return SiteReport(
            agent_id=agent_id,
            nodes=(node,),
            devices=(device,),
            replicas=tuple(self.replicas.values()),
            engines={"llama_cpp": PROFILE},
        )


def replace_state(report: ReplicaReport, state: ReplicaState) -> ReplicaReport:
    """Return what is told of a replica, in another state."""
    return report.model_copy(update={"state": state, "endpoint": None})
