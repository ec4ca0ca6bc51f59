"""What a child runs for its parent: on granted devices only, and within the grant's time."""

from dataclasses import replace

from keisan.control.grant_want import set_grant_work
from keisan.domain.access import PlatformScope
from keisan.domain.grant import GrantState
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import LetterKind
from keisan.domain.limits import GRANT_SKEW_S
from keisan.domain.replica import ReplicaState
from keisan.wire.grant import GrantEnd, WorkUpdate
from tests.control.grant_world import HOUR, GrantWorld, ask, ask_and_run

EVERYTHING = PlatformScope()
WHY = GrantEnd(reason="it is needed here")


async def test_work_of_the_parent_runs_on_the_granted_devices_only(grants: GrantWorld) -> None:
    want = await ask_and_run(grants)
    [grant] = await grants.list_grants()
    replicas = await grants.list_replicas()
    assert {replica.device_id for replica in replicas} == set(grant.device_ids)
    async with grants.child.storage.read() as view:
        assert grant.deployment_id is not None
        deployment = await view.deployments.get(EVERYTHING, grant.deployment_id)
    assert (deployment.grant_id, deployment.replica_count) == (grant.id, 2)
    assert deployment.fence >= 1
    # Less is followed, and nothing stops all of it.
    body = WorkUpdate(model_id=grants.parent_world.model.id, replica_count=1)
    want = await set_grant_work(grants.parent, grants.admin, want.id, want.version, body)
    await grants.carry_down()
    await grants.reconcile()
    assert sorted(each.state for each in await grants.list_replicas()) == [ReplicaState.ASSIGNED, ReplicaState.STOPPING]
    await set_grant_work(grants.parent, grants.admin, want.id, want.version, None)
    await grants.carry_down()
    await grants.reconcile()
    assert {each.state for each in await grants.list_replicas()} == {ReplicaState.STOPPING}
    assert (await grants.list_grants())[0].state is GrantState.ISSUED


async def test_own_work_of_the_child_keeps_off_granted_devices(grants: GrantWorld) -> None:
    await ask(grants, 2)
    await grants.carry()
    [grant] = await grants.list_grants()
    child = grants.child
    async with child.storage.write() as transaction:
        deployment = replace(grants.child_world.left.deployment, replica_count=50, version=2)
        await transaction.deployments.update(deployment)
        await transaction.outbox.put(WorkNoun.DEPLOYMENT, deployment.id, child.clock.now())
    await grants.reconcile()
    replicas = await grants.list_replicas()
    assert replicas
    assert {replica.device_id for replica in replicas}.isdisjoint(grant.device_ids)


async def test_work_that_arrives_late_is_not_begun_on_a_held_grant(grants: GrantWorld) -> None:
    want = await ask(grants, 2)
    await grants.carry()
    want = await grants.get_want(want.id)
    body = WorkUpdate(model_id=grants.parent_world.model.id)
    await set_grant_work(grants.parent, grants.admin, want.id, want.version, body)
    late = await grants.list_letters(grants.parent, LetterKind.GRANT_WANT)
    await grants.child_clock.sleep(HOUR + GRANT_SKEW_S)
    await grants.reconcile()
    await grants.carry_down(late)
    await grants.reconcile()
    [held] = await grants.list_grants()
    assert (held.state, await grants.list_replicas()) == (GrantState.HELD, ())
    async with grants.child.storage.read() as view:
        assert held.deployment_id is not None
        deployment = await view.deployments.get(EVERYTHING, held.deployment_id)
    assert "time is over" in deployment.reason


async def test_model_that_the_child_does_not_have_is_told_and_nothing_runs(grants: GrantWorld) -> None:
    async with grants.child.storage.write() as transaction:
        model = grants.child_world.model
        facts = replace(model.facts, weights_sha256="0" * 64)
        await transaction.models.update(replace(model, facts=facts, version=model.version + 1))
    want = await ask_and_run(grants)
    assert await grants.list_replicas() == ()
    await grants.carry_up()
    answered = await grants.get_want(want.id)
    assert answered.answer is not None
    assert "with other weights" in answered.answer.reason
    assert answered.answer.state is GrantState.ISSUED
