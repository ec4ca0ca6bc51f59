"""Machines through the client."""

from keisan.sdk import AsyncKeisan, JoinTokenCreate, MachineKind
from tests.api.stage import Stage


async def test_token_and_revocation(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.machines.create_token(JoinTokenCreate(kind=MachineKind.SITE, site_id=stage.site.id))
    assert created.token.startswith("jt-keisan-")
    assert {line.kind async for line in admin.machines.list()} == set(MachineKind)
    gateway = await admin.machines.get(stage.machines["gateway"].id)
    assert gateway.revoked_at is None
    assert (await admin.machines.revoke(gateway.id)).revoked_at is not None
    assert (await stage.ask("gateway", "GET", "/gateway/snapshot")).status_code == 401
