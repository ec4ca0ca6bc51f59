"""What a site tells."""

from keisan.agent.report import build_report, drop_known_tails, list_stopped
from keisan.agent.settings import AgentAdapters
from keisan.devices.cpu import CpuDriver
from keisan.domain.replica import ReplicaState
from keisan.wire.site import ReplicaReport
from tests.agent.site_fakes import NODE, REPLICA_ID, TableExecutor, ToldEngine

ADAPTERS = AgentAdapters({"told": ToldEngine()}, {}, {"cpu": CpuDriver()}, TableExecutor())
READY = ReplicaReport(replica_id=REPLICA_ID, state=ReplicaState.READY, log_tail="line\n")


def test_report_is_the_whole_site() -> None:
    devices = CpuDriver().read_devices(NODE)
    report = build_report(REPLICA_ID, (NODE,), devices, [READY], ADAPTERS)
    assert (report.nodes, report.devices, report.replicas) == ((NODE,), devices, (READY,))
    assert report.engines == {"told": ToldEngine().profile()}


def test_tail_is_told_until_it_is_known() -> None:
    report = build_report(REPLICA_ID, (NODE,), (), [READY], ADAPTERS)
    assert drop_known_tails(report, {}).replicas[0].log_tail == "line\n"
    assert drop_known_tails(report, {REPLICA_ID: READY}).replicas[0].log_tail == ""
    older = READY.model_copy(update={"log_tail": "li"})
    assert drop_known_tails(report, {REPLICA_ID: older}).replicas[0].log_tail == "line\n"
    other = READY.model_copy(update={"message": "m"})
    assert drop_known_tails(report, {REPLICA_ID: other}).replicas[0].log_tail == "line\n"


def test_stopped_replicas_are_listed() -> None:
    stopped = READY.model_copy(update={"state": ReplicaState.STOPPED})
    assert list_stopped(build_report(REPLICA_ID, (NODE,), (), [READY], ADAPTERS)) == frozenset()
    assert list_stopped(build_report(REPLICA_ID, (NODE,), (), [stopped], ADAPTERS)) == {REPLICA_ID}
