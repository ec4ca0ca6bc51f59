"""What a site's agent reports of the small platform of tests/domain/samples.py, in step with its rows or not."""

from typing import Any

from keisan.domain.engine import RunningUsage
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.wire.device import DeviceReport
from keisan.wire.node import NodeReport
from keisan.wire.replica import EndpointView
from keisan.wire.site import ReplicaReport, SiteReport
from keisan.wire.snapshot import EngineProfile
from tests.domain.samples import ENDPOINT, MODEL_DIGEST, REPLICA_ID, name_id

ENGINE_REPORT = EngineProfile(
    running_usage=RunningUsage.LLAMA_CPP_TIMINGS,
    idle_connection_s=5,
    requests_per_connection_max=100,
    is_usage_summed_over_choices=False,
)
ENDPOINT_REPORT = EndpointView(kind="unix", path=ENDPOINT.path)


def report_node(**changes: Any) -> NodeReport:
    facts = {
        "hardware_id": "machine-1",
        "hostname": "host-1",
        "boot_id": "boot-1",
        "cpu_count": 2,
        "memory_bytes": 8_000_000_000,
    }
    return NodeReport.model_validate(facts | changes)


def report_device(**changes: Any) -> DeviceReport:
    facts = {
        "hardware_id": "cpu-machine-1",
        "node_hardware_id": "machine-1",
        "chip": "cpu-x86-64",
        "name": "a processor",
        "memory_bytes": 8_000_000_000,
        "verdict": Verdict.OK,
    }
    return DeviceReport.model_validate(facts | changes)


def report_replica(**changes: Any) -> ReplicaReport:
    facts = {
        "replica_id": REPLICA_ID,
        "state": ReplicaState.READY,
        "endpoint": ENDPOINT_REPORT,
        "model_digest": MODEL_DIGEST,
        "slots": 4,
    }
    return ReplicaReport.model_validate(facts | changes)


def build_report(**changes: Any) -> SiteReport:
    """Return a report that says what is stored already, unless changed."""
    facts = {
        "agent_id": name_id(90),
        "nodes": (report_node(),),
        "devices": (report_device(),),
        "replicas": (report_replica(),),
        "engines": {"llama_cpp": ENGINE_REPORT},
    }
    return SiteReport.model_validate(facts | changes)
