"""Who may do what: roles, rights, scopes and the principal that stands behind a request.

A scope bounds every storage read. Machine rights are the narrowest (R11): a gateway reads the snapshot and hands in
usage; a site reports itself.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from keisan.domain.errors import PermissionDenied
from keisan.domain.ids import OrganizationId, ProjectId, ProviderId, SiteId


class Role(StrEnum):
    """Role of a key. Order of the members is from widest to narrowest."""

    PLATFORM_ADMIN = "platform_admin"
    AUDITOR = "auditor"
    PROVIDER = "provider"
    ORGANIZATION_ADMIN = "organization_admin"
    DEVELOPER = "developer"


class MachineKind(StrEnum):
    """Kind of a machine identity."""

    GATEWAY = "gateway"
    SITE = "site"


class Right(StrEnum):
    """One thing a principal may do, within its scope."""

    CALL = "call"
    READ = "read"
    READ_EVENTS = "read_events"
    WRITE_ORGANIZATIONS = "write_organizations"
    WRITE_PROJECTS = "write_projects"
    WRITE_BUDGETS = "write_budgets"
    WRITE_KEYS = "write_keys"
    WRITE_PROVIDERS = "write_providers"
    WRITE_SITES = "write_sites"
    WRITE_SURVEYS = "write_surveys"
    WRITE_MACHINES = "write_machines"
    WRITE_MODELS = "write_models"
    WRITE_PRICES = "write_prices"
    WRITE_OFFERS = "write_offers"
    WRITE_DEDUCTIONS = "write_deductions"
    WRITE_DEPLOYMENTS = "write_deployments"
    WRITE_GRANTS = "write_grants"
    WRITE_TOP_UPS = "write_top_ups"
    WRITE_PLATFORM = "write_platform"
    WRITE_LINKS = "write_links"
    WRITE_ALERTS = "write_alerts"
    WRITE_STATEMENTS = "write_statements"
    WRITE_PAYOUTS = "write_payouts"
    OPEN_DISPUTES = "open_disputes"
    RESOLVE_DISPUTES = "resolve_disputes"
    JUDGE_RECORDS = "judge_records"
    CHALLENGE_DEVICES = "challenge_devices"
    SERVE_GATEWAY = "serve_gateway"
    SERVE_SITE = "serve_site"


@dataclass(frozen=True, slots=True)
class PlatformScope:
    """Everything on this platform."""


@dataclass(frozen=True, slots=True)
class OrganizationScope:
    """What belongs to one organization, and what is public on the platform (models, prices)."""

    organization_id: OrganizationId


@dataclass(frozen=True, slots=True)
class ProviderScope:
    """What belongs to one provider's sites, and what is public on the platform."""

    provider_id: ProviderId


Scope = PlatformScope | OrganizationScope | ProviderScope

MACHINE_RIGHTS_BY_KIND: dict[MachineKind, frozenset[Right]] = {
    MachineKind.GATEWAY: frozenset({Right.SERVE_GATEWAY}),
    MachineKind.SITE: frozenset({Right.SERVE_SITE}),
}

RIGHTS_BY_ROLE: dict[Role, frozenset[Right]] = {
    Role.PLATFORM_ADMIN: frozenset(Right) - {Right.SERVE_GATEWAY, Right.SERVE_SITE},
    Role.AUDITOR: frozenset({Right.READ, Right.READ_EVENTS}),
    Role.PROVIDER: frozenset(
        {
            Right.READ,
            Right.WRITE_SITES,
            Right.WRITE_MACHINES,
            Right.WRITE_OFFERS,
            Right.OPEN_DISPUTES,
            Right.CHALLENGE_DEVICES,
        }
    ),
    Role.ORGANIZATION_ADMIN: frozenset(
        {
            Right.CALL,
            Right.READ,
            Right.WRITE_PROJECTS,
            Right.WRITE_BUDGETS,
            Right.WRITE_KEYS,
            Right.WRITE_ALERTS,
            Right.OPEN_DISPUTES,
        }
    ),
    Role.DEVELOPER: frozenset({Right.CALL, Right.READ}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key (with its organization and project) or a machine (with its site, for a site)."""

    id: UUID
    scope: Scope
    rights: frozenset[Right]
    organization_id: OrganizationId | None = None
    project_id: ProjectId | None = None
    site_id: SiteId | None = None

    def require(self, right: Right) -> None:
        """Raise PermissionDenied unless the principal has the right."""
        if right not in self.rights:
            raise PermissionDenied(f"this key lacks the right '{right}'")


def choose_scope(role: Role, organization_id: OrganizationId, provider_id: ProviderId | None) -> Scope:
    """Return the scope of a key with this role.

    Raises PermissionDenied for a provider key that names no provider: it fails closed.
    """
    if role in (Role.PLATFORM_ADMIN, Role.AUDITOR):
        return PlatformScope()
    if role is Role.PROVIDER:
        if provider_id is None:
            raise PermissionDenied("this provider key is bound to no provider")
        return ProviderScope(provider_id)
    return OrganizationScope(organization_id)
