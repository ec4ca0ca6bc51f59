"""Machine identities stand behind a request with the narrowest rights (R11)."""

from dataclasses import replace

from keisan.domain.access import MachineKind, PlatformScope, Right
from keisan.domain.machine import Machine
from tests.domain.samples import GATEWAY_ID, NOW, PLATFORM_ID, SITE_ID

GATEWAY = Machine(
    id=GATEWAY_ID,
    platform_id=PLATFORM_ID,
    kind=MachineKind.GATEWAY,
    site_id=None,
    name="gateway-1",
    digest="aa" * 32,
    acknowledged_version=0,
    seen_at=None,
    version=1,
    created_at=NOW,
    revoked_at=None,
)


def test_gateway_may_serve_as_a_gateway_only() -> None:
    principal = GATEWAY.to_principal()
    assert (principal.id, principal.scope) == (GATEWAY_ID, PlatformScope())
    assert principal.rights == {Right.SERVE_GATEWAY}
    assert (principal.site_id, principal.organization_id) == (None, None)


def test_site_agent_may_serve_its_own_site_only() -> None:
    principal = replace(GATEWAY, kind=MachineKind.SITE, site_id=SITE_ID).to_principal()
    assert principal.rights == {Right.SERVE_SITE}
    assert principal.site_id == SITE_ID
