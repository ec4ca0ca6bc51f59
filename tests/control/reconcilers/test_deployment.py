"""Deployments: from any state to the desired number in one step, then nothing more; unknown replicas are left alone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from keisan.control.reconcilers.deployment import (
    UNPLACED_WAIT,
    DeploymentChange,
    DeploymentReconciler,
    DeploymentView,
)
from keisan.domain.access import PlatformScope
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.device import DeviceUse
from keisan.domain.ids import DeviceId, NodeId
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.snapshot import SnapshotTable
from keisan.domain.verdict import Verdict
from keisan.placement.candidate import Candidate
from keisan.storage.database import Database
from tests.domain.samples import (
    MEMORY_BYTES,
    NOW,
    PROVIDER_ID,
    SITE_ID,
    build_deployment,
    build_model,
    build_replica,
    name_id,
)
from tests.factories import World

SCOPE = PlatformScope()
RECONCILER = DeploymentReconciler()
LIVING = [state for state in ReplicaState if state is not ReplicaState.STOPPED]


def build_view(deployment: Deployment, replicas: Sequence[Replica], rooms: Sequence[int]) -> DeploymentView:
    """Return a view over nodes that each had room for so many copies before the replicas were placed."""
    candidates = []
    for number, room in enumerate(rooms, 1):
        placed = sum(replica.node_id == name_id(7, number) for replica in replicas)
        candidates.append(
            Candidate(
                node_id=NodeId(name_id(7, number)),
                device_id=DeviceId(name_id(8, number)),
                site_id=SITE_ID,
                provider_id=PROVIDER_ID,
                chip="cpu-x86-64",
                engines=frozenset({"llama_cpp"}),
                memory_free_bytes=(room - placed) * MEMORY_BYTES,
                replica_count=placed,
                site_verdict=Verdict.OK,
                device_verdict=Verdict.OK,
                device_use=DeviceUse.OPEN,
            )
        )
    return DeploymentView(deployment, build_model(), tuple(replicas), tuple(candidates))


def follow(view: DeploymentView, change: DeploymentChange, rooms: Sequence[int]) -> DeploymentView:
    """Return the view once a change is written."""
    replicas = {replica.id: replica for replica in (*view.replicas, *change.created, *change.stopped)}
    return build_view(change.deployment or view.deployment, list(replicas.values()), rooms)


def is_running(replica: Replica) -> bool:
    return replica.state is not ReplicaState.STOPPING


ROOMS = st.lists(st.integers(min_value=0, max_value=4), max_size=3)
REPLICAS = st.lists(
    st.builds(
        lambda number, state, verdict, age_s, node: build_replica(
            id=name_id(12, number),
            state=state,
            verdict=verdict,
            created_at=NOW - timedelta(seconds=age_s),
            node_id=name_id(7, node),
        ),
        st.integers(min_value=1, max_value=20),
        st.sampled_from(LIVING),
        st.sampled_from(Verdict),
        st.integers(min_value=0, max_value=9),
        st.integers(min_value=1, max_value=3),
    ),
    max_size=6,
    unique_by=lambda replica: replica.id,
)
DEPLOYMENTS = st.builds(
    build_deployment,
    replica_count=st.integers(min_value=0, max_value=6),
    state=st.sampled_from([DeploymentState.ACTIVE, DeploymentState.ACTIVE, *DeploymentState]),
    reason=st.sampled_from(["", "an old reason"]),
)


@given(deployment=DEPLOYMENTS, replicas=REPLICAS, rooms=ROOMS)
def test_second_look_changes_nothing(deployment: Deployment, replicas: list[Replica], rooms: list[int]) -> None:
    view = build_view(deployment, replicas, rooms)
    after = follow(view, RECONCILER.decide(view, NOW), rooms)
    again = RECONCILER.decide(after, NOW)
    assert (again.deployment, again.created, again.stopped) == (None, (), ())


@given(deployment=DEPLOYMENTS, replicas=REPLICAS, rooms=ROOMS)
def test_one_step_leads_to_the_desired_number_or_says_what_has_no_place(
    deployment: Deployment, replicas: list[Replica], rooms: list[int]
) -> None:
    view = build_view(deployment, replicas, rooms)
    change = RECONCILER.decide(view, NOW)
    after = follow(view, change, rooms)
    running = sum(is_running(replica) for replica in after.replicas)
    if deployment.state is not DeploymentState.ACTIVE:
        assert (running, change.created) == (0, ())
    elif change.is_unplaced:
        assert running < deployment.replica_count
        assert "have no place" in after.deployment.reason
        assert max((candidate.memory_free_bytes for candidate in after.candidates), default=0) < MEMORY_BYTES
    else:
        assert (running, after.deployment.reason) == (deployment.replica_count, "")


@given(deployment=DEPLOYMENTS, replicas=REPLICAS, rooms=ROOMS)
def test_only_surplus_is_stopped_failed_first_then_unknown_and_the_newest_of_each(
    deployment: Deployment, replicas: list[Replica], rooms: list[int]
) -> None:
    active = replace(deployment, state=DeploymentState.ACTIVE)
    stopped = {replica.id for replica in RECONCILER.decide(build_view(active, replicas, rooms), NOW).stopped}
    running = [replica for replica in replicas if is_running(replica)]
    assert len(stopped) == max(len(running) - deployment.replica_count, 0)
    order = [Verdict.FAILED, Verdict.UNKNOWN, Verdict.OK]
    for gone in (replica for replica in running if replica.id in stopped):
        for kept in (replica for replica in running if replica.id not in stopped):
            assert order.index(gone.verdict) <= order.index(kept.verdict)
            assert gone.verdict is not kept.verdict or gone.created_at >= kept.created_at


@given(replicas=REPLICAS, rooms=ROOMS)
def test_neither_unknown_nor_failed_replicas_are_replaced(replicas: list[Replica], rooms: list[int]) -> None:
    count = sum(is_running(replica) for replica in replicas)
    change = RECONCILER.decide(build_view(build_deployment(replica_count=count), replicas, rooms), NOW)
    assert change == DeploymentChange(None, (), (), is_unplaced=False)


@given(deployment=DEPLOYMENTS, replicas=REPLICAS, rooms=ROOMS)
def test_written_rows_rise_by_one_version(deployment: Deployment, replicas: list[Replica], rooms: list[int]) -> None:
    change = RECONCILER.decide(build_view(deployment, replicas, rooms), NOW)
    versions = {replica.id: replica.version for replica in replicas}
    for replica in change.stopped:
        assert (replica.state, replica.version) == (ReplicaState.STOPPING, versions[replica.id] + 1)
    for replica in change.created:
        assert (replica.state, replica.verdict, replica.version) == (ReplicaState.ASSIGNED, Verdict.UNKNOWN, 1)
        assert (replica.slots, replica.engine) == (deployment.slots, deployment.engine)
    assert change.deployment is None or change.deployment.version == deployment.version + 1


def test_deleting_deployment_is_deleted_once_its_last_replica_has_stopped() -> None:
    deleting = build_deployment(state=DeploymentState.DELETING)
    waiting = RECONCILER.decide(build_view(deleting, [build_replica(state=ReplicaState.STOPPING)], []), NOW)
    assert waiting == DeploymentChange(None, (), (), is_unplaced=False)
    over = RECONCILER.decide(build_view(deleting, [], []), NOW)
    assert over.deployment is not None
    assert over.deployment.state is DeploymentState.DELETED


def test_no_node_at_all_is_said_in_words() -> None:
    change = RECONCILER.decide(build_view(build_deployment(replica_count=2), [], []), NOW)
    assert change.deployment is not None
    assert change.deployment.reason == "2 of 2 replicas have no place: no device is known"


async def decide(storage: Database, deployment: Deployment) -> DeploymentChange:
    async with storage.read() as view:
        state = await RECONCILER.load(view, deployment.id)
    assert state is not None
    return RECONCILER.decide(state, NOW)


async def test_deployment_that_is_gone_needs_nothing(storage: Database) -> None:
    async with storage.read() as view:
        assert await RECONCILER.load(view, name_id(11, 9)) is None


async def test_stored_deployment_grows_and_shrinks(storage: Database, world: World) -> None:
    deployment = replace(world.left.deployment, replica_count=3, version=2)
    async with storage.write() as transaction:
        await transaction.deployments.update(deployment)
    grown = await decide(storage, deployment)
    async with storage.write() as transaction:
        assert await RECONCILER.apply(transaction, grown, NOW) is None
    assert await decide(storage, deployment) == DeploymentChange(None, (), (), is_unplaced=False)
    async with storage.write() as transaction:
        await transaction.deployments.update(replace(deployment, replica_count=0, version=3))
    shrunk = await decide(storage, deployment)
    async with storage.write() as transaction:
        await RECONCILER.apply(transaction, shrunk, NOW)
    async with storage.read() as view:
        replicas = await view.replicas.list_deployment(SCOPE, deployment.id)
        events = [event.action for event in await view.events.list(SCOPE, 0, 20)]
        fence = (await view.deployments.get(SCOPE, deployment.id)).fence
    assert [replica.state for replica in replicas] == [ReplicaState.STOPPING] * 3
    # Placing anew raises it once, whatever the number of copies, and stopping does not.
    assert fence >= 1
    assert events == ["replica.assigned"] * 2 + ["replica.stopping"] * 3


async def test_stopped_replicas_are_noted_for_the_gateways_and_new_ones_are_not(
    storage: Database, world: World
) -> None:
    async with storage.read() as view:
        before = (await view.snapshot.get_mark()).version
    grown = replace(world.left.deployment, replica_count=2, version=2)
    async with storage.write() as transaction:
        await transaction.deployments.update(grown)
        await RECONCILER.apply(transaction, DeploymentChange(None, (), (), is_unplaced=True), NOW)
    async with storage.read() as view:
        assert (await view.snapshot.get_mark()).version == before
    stopping = replace(world.left.replica, state=ReplicaState.STOPPING, version=2)
    async with storage.write() as transaction:
        await RECONCILER.apply(transaction, DeploymentChange(None, (), (stopping,), is_unplaced=False), NOW)
    async with storage.read() as view:
        changes = await view.snapshot.list_changes(before)
    assert changes is not None
    assert [(change.table, change.row_id) for change in changes] == [(SnapshotTable.REPLICAS, stopping.id)]


async def test_unplaced_copies_are_looked_at_again_soon_with_their_reason(storage: Database, world: World) -> None:
    wanted = replace(world.left.deployment, replica_count=1000, version=2)
    async with storage.write() as transaction:
        await transaction.deployments.update(wanted)
    change = await decide(storage, wanted)
    async with storage.write() as transaction:
        assert await RECONCILER.apply(transaction, change, NOW) == NOW + UNPLACED_WAIT
    async with storage.read() as view:
        stored = await view.deployments.get(SCOPE, wanted.id)
        events = await view.events.list(SCOPE, 0, 1)
    assert "of 1000 replicas have no place" in stored.reason
    assert events[0].detail == {"reason": stored.reason}


def build_drain(count: int, leaving: int, *others: ReplicaState, room: int = 9) -> DeploymentView:
    """Return a view of a deployment with ready replicas on a drained device, and others in these states elsewhere."""
    drained = [build_replica(id=name_id(12, number), node_id=name_id(7, 2)) for number in range(1, leaving + 1)]
    staying = [
        build_replica(
            id=name_id(12, 50 + number),
            state=state,
            node_id=name_id(7, 1),
            verdict=Verdict.OK if state is ReplicaState.READY else Verdict.UNKNOWN,
        )
        for number, state in enumerate(others)
    ]
    view = build_view(build_deployment(replica_count=count), [*drained, *staying], [room])
    return replace(view, leaving=frozenset(replica.id for replica in drained))


def test_a_drained_device_is_left_once_others_are_ready_and_not_before() -> None:
    first = RECONCILER.decide(build_drain(2, 2), NOW)
    assert (len(first.created), first.stopped) == (2, ())
    assert {replica.device_id for replica in first.created} == {name_id(8, 1)}
    waiting = RECONCILER.decide(build_drain(2, 2, ReplicaState.STARTING, ReplicaState.READY), NOW)
    assert (waiting.created, len(waiting.stopped)) == ((), 1)
    last = RECONCILER.decide(build_drain(2, 2, ReplicaState.READY, ReplicaState.READY), NOW)
    assert (last.created, len(last.stopped)) == ((), 2)
    assert all(replica.node_id == name_id(7, 2) for replica in last.stopped)


def test_a_drain_that_has_nowhere_to_go_waits_with_its_reason() -> None:
    change = RECONCILER.decide(build_drain(2, 2, room=0), NOW)
    assert (change.created, change.stopped, change.is_unplaced) == ((), (), True)
    assert change.deployment is not None
    assert "2 of 2 replicas have no place" in change.deployment.reason


def test_what_was_not_wanted_anyway_leaves_first() -> None:
    change = RECONCILER.decide(build_drain(1, 1, ReplicaState.READY, ReplicaState.READY), NOW)
    assert len(change.stopped) == 2
    assert sum(replica.node_id == name_id(7, 2) for replica in change.stopped) == 1
    none = RECONCILER.decide(build_drain(0, 2), NOW)
    assert len(none.stopped) == 2


@given(
    count=st.integers(min_value=0, max_value=4),
    leaving=st.integers(min_value=0, max_value=4),
    others=st.lists(st.sampled_from([ReplicaState.ASSIGNED, ReplicaState.READY, ReplicaState.FAILED]), max_size=4),
    room=st.integers(min_value=0, max_value=9),
)
def test_a_drain_never_takes_a_ready_replica_that_is_needed(
    count: int, leaving: int, others: list[ReplicaState], room: int
) -> None:
    view = build_drain(count, leaving, *others, room=room)
    ready = sum(replica.state is ReplicaState.READY for replica in view.replicas)
    change = RECONCILER.decide(view, NOW)
    stopped = {replica.id for replica in change.stopped}
    left = sum(replica.state is ReplicaState.READY for replica in view.replicas if replica.id not in stopped)
    assert left >= min(count, ready)
    after = follow(view, change, [room])
    again = RECONCILER.decide(replace(after, leaving=view.leaving), NOW)
    assert (again.deployment, again.created, again.stopped) == (None, (), ())
