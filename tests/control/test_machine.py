"""Commands on machines: one token, one machine, within the asker's scope."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.machine import (
    GATEWAY_SILENCE_S_MAX,
    CreatedJoinToken,
    create_join_token,
    is_connected,
    join_machine,
    revoke_machine,
)
from keisan.domain.access import MachineKind, Role
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict, Unauthenticated
from keisan.wire.machine import JoinTokenCreate, MachineJoin
from tests.control.people import EVERYTHING, add_key, count_actions, list_events
from tests.factories import FixedClock, World, create_machine

GATEWAY = JoinTokenCreate(kind=MachineKind.GATEWAY)
DIGEST = "d" * 64


async def create_token(control: Control, world: World) -> CreatedJoinToken:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    return await create_join_token(control, admin, GATEWAY)


def build_join(created: CreatedJoinToken, digest: str = DIGEST) -> MachineJoin:
    return MachineJoin(token=created.secret.reveal(), name="gateway-1", secret_digest=digest)


async def test_machine_joins_once(control: Control, world: World) -> None:
    created = await create_token(control, world)
    joined = await join_machine(control, build_join(created))
    async with control.storage.read() as view:
        assert await view.machines.get(EVERYTHING, joined.id) == joined
    assert (joined.kind, joined.site_id, joined.digest) == (MachineKind.GATEWAY, None, DIGEST)
    assert (await list_events(control))[-1].actor == f"machine:{joined.id}"
    with pytest.raises(StateConflict):
        await join_machine(control, build_join(created, "e" * 64))
    assert await join_machine(control, build_join(created)) == joined
    assert (await count_actions(control))["machine.joined"] == 1


async def test_repeat_works_after_the_token_expired_but_a_first_join_does_not(
    control: Control, world: World, clock: FixedClock
) -> None:
    used, unused = await create_token(control, world), await create_token(control, world)
    joined = await join_machine(control, build_join(used))
    clock.instant = used.token.expires_at
    assert (await join_machine(control, build_join(used))).id == joined.id
    with pytest.raises(Unauthenticated, match="expired"):
        await join_machine(control, build_join(unused, "e" * 64))


async def test_revoked_machine_does_not_come_back(control: Control, world: World) -> None:
    created = await create_token(control, world)
    joined = await join_machine(control, build_join(created))
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    revoked = await revoke_machine(control, admin, joined.id)
    assert await revoke_machine(control, admin, joined.id) == revoked
    assert (await count_actions(control))["machine.revoked"] == 1
    with pytest.raises(Unauthenticated, match="revoked"):
        await join_machine(control, build_join(created))


async def test_unknown_token_is_refused(control: Control, world: World) -> None:
    with pytest.raises(Unauthenticated):
        await join_machine(control, MachineJoin(token="jt-keisan-x", name="g", secret_digest=DIGEST))


async def test_provider_lets_its_own_sites_join_only(control: Control, world: World) -> None:
    asker = await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)
    own = JoinTokenCreate(kind=MachineKind.SITE, site_id=world.left.site.id)
    created = await create_join_token(control, asker, own)
    await revoke_machine(control, asker, world.left.agent.id)
    joined = await join_machine(control, build_join(created))
    assert joined.to_principal().site_id == world.left.site.id
    with pytest.raises(NotFound):
        await create_join_token(control, asker, own.model_copy(update={"site_id": world.right.site.id}))
    with pytest.raises(PermissionDenied):
        await create_join_token(control, asker, GATEWAY)
    with pytest.raises(NotFound):
        await revoke_machine(control, asker, world.right.agent.id)
    assert (await revoke_machine(control, asker, joined.id)).revoked_at is not None


async def test_site_has_one_agent(control: Control, world: World) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    site = JoinTokenCreate(kind=MachineKind.SITE, site_id=world.left.site.id)
    first, second = [await create_join_token(control, admin, site) for _ in range(2)]
    with pytest.raises(StateConflict, match="has an agent"):
        await join_machine(control, build_join(first))
    await revoke_machine(control, admin, world.left.agent.id)
    joins = [join_machine(control, build_join(first)), join_machine(control, build_join(second, "e" * 64))]
    outcomes = await asyncio.gather(*joins, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(StateConflict) == 1
    # The refused token is not used up: it lets the next agent in once this one is gone.
    assert (await count_actions(control))["machine.joined"] == 1


@pytest.mark.parametrize("kind", MachineKind)
async def test_kind_and_site_must_fit(control: Control, world: World, kind: MachineKind) -> None:
    admin = await add_key(control, world.left.project, Role.PLATFORM_ADMIN)
    wrong = None if kind is MachineKind.SITE else world.left.site.id
    with pytest.raises(InvalidInput) as refused:
        await create_join_token(control, admin, JoinTokenCreate(kind=kind, site_id=wrong))
    assert refused.value.field == "site_id"


async def test_owner_lets_nobody_join(control: Control, world: World) -> None:
    owner = await add_key(control, world.left.project, Role.ORGANIZATION_ADMIN)
    with pytest.raises(PermissionDenied):
        await create_join_token(control, owner, GATEWAY)
    with pytest.raises(PermissionDenied):
        await revoke_machine(control, owner, world.gateway.id)


def test_silence_disconnects() -> None:
    machine = create_machine()
    seen_at = machine.created_at
    assert not is_connected(machine, seen_at)
    heard = replace(machine, seen_at=seen_at)
    assert is_connected(heard, seen_at + timedelta(seconds=GATEWAY_SILENCE_S_MAX))
    assert not is_connected(heard, seen_at + timedelta(seconds=GATEWAY_SILENCE_S_MAX + 1))
