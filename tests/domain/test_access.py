"""Who may do what: rights by role and machine, scopes, and refusals that fail closed."""

import pytest

from keisan.domain.access import (
    MACHINE_RIGHTS_BY_KIND,
    RIGHTS_BY_ROLE,
    MachineKind,
    OrganizationScope,
    PlatformScope,
    Principal,
    ProviderScope,
    Right,
    Role,
    Scope,
    choose_scope,
)
from keisan.domain.errors import PermissionDenied
from tests.domain.samples import ORGANIZATION_ID, PROVIDER_ID, name_id


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        (Role.PLATFORM_ADMIN, PlatformScope()),
        (Role.AUDITOR, PlatformScope()),
        (Role.PROVIDER, ProviderScope(PROVIDER_ID)),
        (Role.ORGANIZATION_ADMIN, OrganizationScope(ORGANIZATION_ID)),
        (Role.DEVELOPER, OrganizationScope(ORGANIZATION_ID)),
    ],
)
def test_each_role_has_its_scope(role: Role, scope: Scope) -> None:
    assert choose_scope(role, ORGANIZATION_ID, PROVIDER_ID) == scope


def test_provider_key_without_provider_fails_closed() -> None:
    with pytest.raises(PermissionDenied, match="no provider"):
        choose_scope(Role.PROVIDER, ORGANIZATION_ID, None)


def test_principal_has_the_rights_it_was_given_and_no_other() -> None:
    principal = Principal(name_id(1), PlatformScope(), frozenset({Right.READ}))
    principal.require(Right.READ)
    with pytest.raises(PermissionDenied, match="write_keys"):
        principal.require(Right.WRITE_KEYS)


def test_machines_serve_and_nothing_else() -> None:
    assert {
        MachineKind.GATEWAY: frozenset({Right.SERVE_GATEWAY}),
        MachineKind.SITE: frozenset({Right.SERVE_SITE}),
    } == MACHINE_RIGHTS_BY_KIND
    for rights in RIGHTS_BY_ROLE.values():
        assert not rights & {Right.SERVE_GATEWAY, Right.SERVE_SITE}


def test_every_role_reads_and_only_the_platform_writes_for_all() -> None:
    assert set(RIGHTS_BY_ROLE) == set(Role)
    assert all(Right.READ in rights for rights in RIGHTS_BY_ROLE.values())
    platform_wide = {Right.WRITE_ORGANIZATIONS, Right.WRITE_PROVIDERS, Right.WRITE_MODELS, Right.WRITE_PRICES}
    for role in set(Role) - {Role.PLATFORM_ADMIN}:
        assert not RIGHTS_BY_ROLE[role] & platform_wide, role
    assert not any(right.startswith("write") or right is Right.CALL for right in RIGHTS_BY_ROLE[Role.AUDITOR])


def test_no_role_widens_from_wide_to_narrow() -> None:
    # A key may make keys up to its own width: that comparison rests on these being subsets.
    assert RIGHTS_BY_ROLE[Role.DEVELOPER] < RIGHTS_BY_ROLE[Role.ORGANIZATION_ADMIN]
    for rights in RIGHTS_BY_ROLE.values():
        assert rights <= RIGHTS_BY_ROLE[Role.PLATFORM_ADMIN]
