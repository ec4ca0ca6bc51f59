"""What a report changes: level and not edge, absence changes nothing, and the state table is kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.control.report_change import Known, ReportChange, compare_report
from keisan.domain.device import Device
from keisan.domain.errors import InvalidInput
from keisan.domain.node import Node
from keisan.domain.replica import Endpoint, Replica, ReplicaState, can_move_replica
from keisan.domain.verdict import Verdict
from keisan.wire.site import SiteReport
from tests.control.reports import (
    ENDPOINT_REPORT,
    ENGINE_REPORT,
    build_report,
    report_device,
    report_node,
    report_replica,
)
from tests.domain.samples import (
    ENGINE,
    MODEL_DIGEST,
    MODEL_ID,
    NODE_ID,
    NOW,
    REPLICA_ID,
    SITE_ID,
    WEIGHTS_SHA256,
    build_device,
    build_model,
    build_node,
    build_replica,
    build_site,
    name_id,
)

Row = Node | Device | Replica
LATER = NOW + timedelta(seconds=1)
KNOWN = Known(
    site=build_site(),
    nodes=(build_node(),),
    devices=(build_device(),),
    replicas=(build_replica(),),
    models={MODEL_ID: build_model()},
)
OTHER_DIGEST = "sha256:" + "00" * 32


def follow(known: Known, change: ReportChange) -> Known:
    """Return what is known once a change is written."""
    nodes = {node.id: node for node in (*known.nodes, *change.nodes_new, *change.nodes_changed)}
    devices = {device.id: device for device in (*known.devices, *change.devices_new, *change.devices_changed)}
    replicas = {replica.id: replica for replica in (*known.replicas, *change.replicas)}
    living = tuple(replica for replica in replicas.values() if replica.state is not ReplicaState.STOPPED)
    return Known(change.site, tuple(nodes.values()), tuple(devices.values()), living, known.models)


def know_replica(**changes: Any) -> Known:
    return replace(KNOWN, replicas=(build_replica(**changes),))


REPORTS = st.builds(
    build_report,
    nodes=st.lists(
        st.builds(
            report_node,
            hardware_id=st.sampled_from(["machine-1", "machine-2"]),
            boot_id=st.sampled_from(["boot-1", "boot-2"]),
            memory_bytes=st.sampled_from([0, 8_000_000_000]),
        ),
        unique_by=lambda entry: entry.hardware_id,
    ).map(tuple),
    devices=st.lists(
        st.builds(
            report_device,
            hardware_id=st.sampled_from(["cpu-machine-1", "cpu-other"]),
            verdict=st.sampled_from(Verdict),
        ),
        unique_by=lambda entry: entry.hardware_id,
    ).map(tuple),
    replicas=st.lists(
        st.builds(
            report_replica,
            replica_id=st.sampled_from([name_id(12, 1), name_id(12, 2), name_id(12, 3)]),
            state=st.sampled_from(ReplicaState),
            endpoint=st.sampled_from([None, ENDPOINT_REPORT]),
            model_digest=st.sampled_from(["", MODEL_DIGEST, OTHER_DIGEST]),
            slots=st.sampled_from([0, 4]),
            restart_count=st.integers(min_value=0, max_value=2),
            message=st.sampled_from(["", "gone"]),
            log_tail=st.sampled_from(["", "last words"]),
        ),
        unique_by=lambda entry: entry.replica_id,
    ).map(tuple),
    engines=st.sampled_from([{}, {"llama_cpp": ENGINE_REPORT}]),
)
KNOWNS = st.builds(
    lambda replicas, verdict: replace(KNOWN, site=build_site(verdict=verdict), replicas=tuple(replicas)),
    st.lists(
        st.builds(
            lambda number, state, digest: build_replica(id=name_id(12, number), state=state, model_digest=digest),
            st.integers(min_value=1, max_value=3),
            st.sampled_from([state for state in ReplicaState if state is not ReplicaState.STOPPED]),
            st.sampled_from(["", MODEL_DIGEST, OTHER_DIGEST]),
        ),
        unique_by=lambda replica: replica.id,
    ),
    st.sampled_from(Verdict),
)


@given(known=KNOWNS, report=REPORTS)
def test_same_report_twice_changes_nothing_the_second_time(known: Known, report: SiteReport) -> None:
    after = follow(known, compare_report(known, report, NOW))
    again = compare_report(after, report, LATER)
    assert not again.is_needed
    assert follow(after, again) == after


@given(known=KNOWNS, report=REPORTS)
def test_report_deletes_nothing_and_versions_rise_by_one(known: Known, report: SiteReport) -> None:
    change = compare_report(known, report, LATER)
    stored: list[Row] = [*known.nodes, *known.devices, *known.replicas]
    changed: list[Row] = [*change.nodes_changed, *change.devices_changed, *change.replicas]
    made: list[Row] = [*change.nodes_new, *change.devices_new]
    versions: dict[UUID, int] = {row.id: row.version for row in stored}
    assert [row.version for row in changed] == [versions[row.id] + 1 for row in changed]
    assert {row.reported_at for row in (*changed, *made)} <= {LATER}
    assert {row.version for row in made} <= {1}
    assert not {row.id for row in made} & versions.keys()
    after = follow(known, change)
    assert {node.id for node in known.nodes} <= {node.id for node in after.nodes}
    assert {device.id for device in known.devices} <= {device.id for device in after.devices}
    reported = {entry.replica_id for entry in report.replicas}
    unreported = [replica for replica in known.replicas if replica.id not in reported]
    assert all(replica in after.replicas for replica in unreported)


@given(known=KNOWNS, report=REPORTS)
def test_every_move_is_in_the_state_table(known: Known, report: SiteReport) -> None:
    before = {replica.id: replica for replica in known.replicas}
    for replica in compare_report(known, report, NOW).replicas:
        assert can_move_replica(before[replica.id].state, replica.state)
        if before[replica.id].state is ReplicaState.STOPPING:
            assert replica.state in {ReplicaState.STOPPING, ReplicaState.STOPPED}


@given(known=KNOWNS, report=REPORTS)
def test_ok_is_only_a_ready_replica_with_the_right_weights(known: Known, report: SiteReport) -> None:
    for replica in compare_report(known, report, NOW).replicas:
        if replica.verdict is Verdict.OK:
            assert replica.state is ReplicaState.READY
            assert replica.model_digest in {"", MODEL_DIGEST}


def test_report_of_what_is_known_needs_no_write() -> None:
    change = compare_report(KNOWN, build_report(), LATER)
    assert not change.is_needed
    assert change.site is KNOWN.site


def test_empty_report_changes_nothing_but_the_engines() -> None:
    change = compare_report(
        KNOWN, build_report(nodes=(), devices=(), replicas=(), engines={"llama_cpp": ENGINE_REPORT}), NOW
    )
    assert not change.is_needed


def test_silent_site_is_ok_again_by_its_report() -> None:
    known = replace(KNOWN, site=build_site(verdict=Verdict.UNKNOWN), replicas=(build_replica(verdict=Verdict.UNKNOWN),))
    change = compare_report(known, build_report(), LATER)
    assert (change.site.verdict, change.site.version) == (Verdict.OK, known.site.version + 1)
    assert [replica.verdict for replica in change.replicas] == [Verdict.OK]


def test_new_hardware_is_taken_in_under_its_site() -> None:
    known = replace(KNOWN, nodes=(), devices=(), replicas=())
    change = compare_report(known, build_report(replicas=()), NOW)
    (node,), (device,) = change.nodes_new, change.devices_new
    assert (node.site_id, node.hardware_id, node.cpu_count) == (SITE_ID, "machine-1", 2)
    assert (device.site_id, device.node_id, device.chip) == (SITE_ID, node.id, "cpu-x86-64")


def test_changed_hardware_keeps_its_id() -> None:
    change = compare_report(
        KNOWN,
        build_report(nodes=(report_node(boot_id="boot-2"),), devices=(report_device(verdict=Verdict.FAILED),)),
        LATER,
    )
    assert [(node.id, node.boot_id) for node in change.nodes_changed] == [(NODE_ID, "boot-2")]
    assert [device.verdict for device in change.devices_changed] == [Verdict.FAILED]
    assert (change.nodes_new, change.devices_new) == ((), ())


def test_device_of_a_node_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        compare_report(KNOWN, build_report(devices=(report_device(node_hardware_id="machine-9"),)), NOW)
    assert refusal.value.field == "devices[0].node_hardware_id"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("nodes[1]", {"nodes": (report_node(hardware_id="new"), report_node(hardware_id="new", boot_id="b"))}),
        ("devices[1]", {"devices": (report_device(), report_device())}),
        ("replicas[2]", {"replicas": (report_replica(), report_replica(replica_id=name_id(12, 2)), report_replica())}),
    ],
)
def test_anything_reported_twice_is_refused(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        compare_report(KNOWN, build_report(**changes), NOW)
    assert refusal.value.field == field


def test_wrong_weights_fail_the_replica_and_say_so() -> None:
    (replica,) = compare_report(
        KNOWN, build_report(replicas=(report_replica(model_digest=OTHER_DIGEST),)), NOW
    ).replicas
    assert replica.verdict is Verdict.FAILED
    assert replica.message == f"serves other weights than sha256:{WEIGHTS_SHA256}"


def test_wrong_weights_are_not_forgotten_by_leaving_the_digest_out() -> None:
    known = know_replica(model_digest=OTHER_DIGEST, verdict=Verdict.FAILED)
    after = follow(known, compare_report(known, build_report(replicas=(report_replica(model_digest=""),)), NOW))
    assert after.replicas[0].verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (ReplicaState.STARTING, Verdict.UNKNOWN),
        (ReplicaState.FAILED, Verdict.FAILED),
        (ReplicaState.STOPPING, Verdict.UNKNOWN),
    ],
)
def test_verdict_follows_the_state(state: ReplicaState, verdict: Verdict) -> None:
    (replica,) = compare_report(KNOWN, build_report(replicas=(report_replica(state=state),)), NOW).replicas
    assert (replica.state, replica.verdict) == (state, verdict)


def test_endpoint_is_believed_of_a_ready_replica_only() -> None:
    moved = ENDPOINT_REPORT.model_copy(update={"path": "/run/keisan/f.sock"})
    (ready,) = compare_report(KNOWN, build_report(replicas=(report_replica(endpoint=moved),)), NOW).replicas
    assert ready.endpoint == Endpoint("unix", "/run/keisan/f.sock")
    starting = report_replica(state=ReplicaState.STARTING, endpoint=moved)
    (replica,) = compare_report(KNOWN, build_report(replicas=(starting,)), NOW).replicas
    assert replica.endpoint == KNOWN.replicas[0].endpoint


def test_stopping_stays_until_it_has_stopped() -> None:
    known = know_replica(state=ReplicaState.STOPPING)
    for state in set(ReplicaState) - {ReplicaState.STOPPED, ReplicaState.STOPPING}:
        assert compare_report(known, build_report(replicas=(report_replica(state=state),)), NOW).replicas == ()
    stopped = report_replica(state=ReplicaState.STOPPED)
    (replica,) = compare_report(known, build_report(replicas=(stopped,)), NOW).replicas
    assert replica.state is ReplicaState.STOPPED


def test_replica_of_nobody_is_not_taken_in() -> None:
    change = compare_report(replace(KNOWN, replicas=()), build_report(), NOW)
    assert change.replicas == ()


def test_log_tail_comes_with_a_change_only() -> None:
    quiet = build_report(replicas=(report_replica(log_tail="words"),))
    assert compare_report(KNOWN, quiet, NOW).log_tails == {}
    failed = build_report(replicas=(report_replica(state=ReplicaState.FAILED, log_tail="words"),))
    assert compare_report(KNOWN, failed, NOW).log_tails == {REPLICA_ID: "words"}


def test_other_profile_of_an_engine_is_told_again_for_its_replicas() -> None:
    changed = ENGINE_REPORT.model_copy(update={"idle_connection_s": 60})
    known = replace(KNOWN, replicas=(build_replica(), build_replica(id=name_id(12, 2), engine="vllm")))
    change = compare_report(known, build_report(engines={"llama_cpp": changed, "sglang": ENGINE_REPORT}), NOW)
    assert change.site.engines["llama_cpp"] == replace(ENGINE, idle_connection_s=60)
    assert change.replicas_told == {REPLICA_ID}
    assert not compare_report(known, build_report(), NOW).replicas_told


def test_progress_in_words_is_neither_an_event_nor_news_for_gateways() -> None:
    known = know_replica(state=ReplicaState.STARTING, verdict=Verdict.UNKNOWN)
    fetching = report_replica(state=ReplicaState.STARTING, message="fetching weights 40 %")
    change = compare_report(known, build_report(replicas=(fetching,)), NOW)
    assert [replica.message for replica in change.replicas] == ["fetching weights 40 %"]
    assert not change.replicas_moved
    assert not change.replicas_told


def test_gateways_are_told_of_a_replica_that_becomes_or_was_ready() -> None:
    starting = know_replica(state=ReplicaState.STARTING, verdict=Verdict.UNKNOWN)
    for known, state in ((starting, ReplicaState.READY), (KNOWN, ReplicaState.FAILED)):
        change = compare_report(known, build_report(replicas=(report_replica(state=state),)), NOW)
        assert change.replicas_moved == change.replicas_told == {REPLICA_ID}
