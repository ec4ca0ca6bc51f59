"""The first start of a platform: everything that must exist before the first call, made in one transaction.

Run at every start: it creates what is missing and changes nothing that exists. What a person has renamed, revoked or
deleted since stays so: keys and tokens are known by their digests, deployments by their model, whatever their state.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.deployment import build_deployment, insert_deployment
from keisan.control.key import build_key, insert_key
from keisan.control.machine import build_join_token, insert_join_token
from keisan.control.model import build_model, insert_model
from keisan.control.organization import build_organization, insert_organization
from keisan.control.price import insert_price
from keisan.control.project import build_project, insert_project
from keisan.control.provider import build_provider, insert_provider
from keisan.control.site import build_site, insert_site
from keisan.domain.access import MachineKind, PlatformScope, Role, Scope
from keisan.domain.errors import StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.ids import hash_public_key
from keisan.domain.limits import PAGE_ITEMS_MAX
from keisan.domain.model import Model
from keisan.domain.organization import Organization
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.platform import Platform, PlatformKind
from keisan.domain.price import check_price
from keisan.domain.project import Project
from keisan.domain.provider import Provider
from keisan.domain.site import Site
from keisan.kit.clock import Clock
from keisan.storage.base import Storage, Transaction
from keisan.wire.deployment import DeploymentCreate
from keisan.wire.key import KeyCreate
from keisan.wire.machine import JoinTokenCreate
from keisan.wire.model import ModelCreate
from keisan.wire.organization import OrganizationCreate
from keisan.wire.price import PriceCreate
from keisan.wire.project import ProjectCreate

Noun = TypeVar("Noun")
EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """A key whose secret the caller made and keeps; `digest` is the hex SHA-256 of its text."""

    name: str
    role: Role
    digest: str


@dataclass(frozen=True, slots=True)
class PlannedJoinToken:
    """A join token whose secret the caller made; one for a site is for the plan's site."""

    kind: MachineKind
    digest: str


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """A site and the provider that owns it; `region` is an ISO 3166-2 code."""

    provider_name: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A catalogue entry, its first price, and what to deploy of it (None: nothing); their model_id is filled in."""

    facts: ModelCreate
    price: PriceCreate
    deployment: DeploymentCreate | None = None


@dataclass(frozen=True, slots=True)
class BootstrapPlan:
    """What must exist. `public_key` is the platform's first Ed25519 public key (32 raw bytes)."""

    platform_name: str
    platform_kind: PlatformKind
    platform_region: str | None
    public_key: bytes
    organization_name: str
    project_name: str
    site: PlannedSite | None = None
    keys: tuple[PlannedKey, ...] = ()
    join_tokens: tuple[PlannedJoinToken, ...] = ()
    models: tuple[PlannedModel, ...] = ()


@dataclass(frozen=True, slots=True)
class BootstrapOutcome:
    """What is there now; `created` names what was made by this start, for example "organization default"."""

    platform: Platform
    organization: Organization
    project: Project
    site: Site | None
    created: tuple[str, ...]


async def prepare_platform(storage: Storage, clock: Clock, plan: BootstrapPlan) -> BootstrapOutcome:
    """Create what the plan names and storage lacks.

    Raises StateConflict when the storage belongs to another platform, InvalidInput for a wrong key, model or price.
    """
    control = Control(storage, clock, hash_public_key(plan.public_key))
    async with storage.write() as transaction:
        return await _Bootstrap(control, transaction, plan).run()


class _Bootstrap:
    """One run within one transaction; remembers what it created."""

    def __init__(self, control: Control, transaction: Transaction, plan: BootstrapPlan) -> None:
        self._control = control
        self._transaction = transaction
        self._plan = plan
        self._created: list[str] = []

    async def run(self) -> BootstrapOutcome:
        platform = await self._ensure_platform()
        project = await self._ensure_project()
        organization = await self._transaction.organizations.get(EVERYTHING, project.organization_id)
        await self._ensure_keys(project)
        site = await self._ensure_site(self._plan.site) if self._plan.site else None
        await self._ensure_join_tokens(site)
        for planned in self._plan.models:
            await self._ensure_model(planned)
        return BootstrapOutcome(platform, organization, project, site, tuple(self._created))

    async def _ensure_platform(self) -> Platform:
        plan, control = self._plan, self._control
        stored = await self._transaction.platform.find()
        if stored is not None:
            if stored.id != control.platform_id:
                raise StateConflict(f"this database belongs to the platform {stored.id}, not to {control.platform_id}")
            return stored
        platform = Platform(
            id=control.platform_id,
            name=plan.platform_name,
            kind=plan.platform_kind,
            region=plan.platform_region,
            public_key=plan.public_key,
            version=1,
            created_at=control.clock.now(),
        )
        await self._transaction.platform.insert(platform)
        detail = {"name": platform.name, "platform_id": platform.id}
        await self._transaction.events.append(EventDraft(CONTROL_ACTOR, "platform.created", None, detail))
        self._created.append(f"platform {platform.name}")
        return platform

    async def _ensure_project(self) -> Project:
        """Return the project of the plan's keys if one of them exists, else that of the plan's names."""
        for planned in self._plan.keys:
            key = await self._transaction.keys.find_by_digest(planned.digest)
            if key is not None:
                return await self._transaction.projects.get(EVERYTHING, key.project_id)
        organization = await self._ensure_organization()
        async for stored in _walk(self._transaction.projects.list):
            if stored.organization_id == organization.id and stored.name == self._plan.project_name:
                return stored
        project = build_project(self._control, organization.id, ProjectCreate(name=self._plan.project_name))
        await insert_project(self._transaction, CONTROL_ACTOR, project)
        self._created.append(f"project {project.name}")
        return project

    async def _ensure_organization(self) -> Organization:
        async for stored in _walk(self._transaction.organizations.list):
            if stored.name == self._plan.organization_name:
                return stored
        organization = build_organization(self._control, OrganizationCreate(name=self._plan.organization_name))
        await insert_organization(self._transaction, CONTROL_ACTOR, organization)
        self._created.append(f"organization {organization.name}")
        return organization

    async def _ensure_keys(self, project: Project) -> None:
        for planned in self._plan.keys:
            if await self._transaction.keys.find_by_digest(planned.digest) is None:
                body = KeyCreate(name=planned.name, project_id=project.id, role=planned.role)
                key = build_key(self._control, project, body, planned.digest)
                await insert_key(self._transaction, CONTROL_ACTOR, key)
                self._created.append(f"key {key.name}")

    async def _ensure_site(self, planned: PlannedSite) -> Site:
        provider = await self._ensure_provider(planned.provider_name)
        async for stored in _walk(self._transaction.sites.list):
            if stored.provider_id == provider.id and stored.name == planned.name:
                return stored
        site = build_site(self._control, provider.id, planned.name, planned.region)
        await insert_site(self._transaction, CONTROL_ACTOR, site)
        self._created.append(f"site {site.name}")
        return site

    async def _ensure_provider(self, name: str) -> Provider:
        async for stored in _walk(self._transaction.providers.list):
            if stored.name == name:
                return stored
        provider = build_provider(self._control, name)
        await insert_provider(self._transaction, CONTROL_ACTOR, provider)
        self._created.append(f"provider {provider.name}")
        return provider

    async def _ensure_join_tokens(self, site: Site | None) -> None:
        for planned in self._plan.join_tokens:
            if await self._transaction.join_tokens.find_by_digest(planned.digest) is not None:
                continue
            is_site = planned.kind is MachineKind.SITE
            if is_site and site is None:
                raise StateConflict("a join token for a site needs a site in the plan")
            body = JoinTokenCreate(kind=planned.kind, site_id=site.id if is_site and site else None)
            token = build_join_token(self._control, body, planned.digest)
            await insert_join_token(self._transaction, CONTROL_ACTOR, token)
            self._created.append(f"join token for a {planned.kind}")

    async def _ensure_model(self, planned: PlannedModel) -> None:
        model = await self._transaction.models.find_by_name(EVERYTHING, planned.facts.name)
        if model is None:
            model = build_model(self._control, planned.facts)
            await insert_model(self._transaction, CONTROL_ACTOR, model)
            self._created.append(f"model {model.facts.name}")
        if not await self._transaction.prices.get_last_version(EVERYTHING, model.id):
            check_price(planned.price.nano_per_million)
            await insert_price(self._control, self._transaction, CONTROL_ACTOR, model.id, planned.price)
            self._created.append(f"price of {model.facts.name}")
        if planned.deployment is not None:
            await self._ensure_deployment(model, planned.deployment)

    async def _ensure_deployment(self, model: Model, body: DeploymentCreate) -> None:
        async for stored in _walk(self._transaction.deployments.list):
            if stored.model_id == model.id:
                return
        deployment = build_deployment(self._control, model, body)
        await insert_deployment(self._transaction, CONTROL_ACTOR, deployment)
        self._created.append(f"deployment of {model.facts.name}")


async def _walk(list_page: Callable[[Scope, PageRequest], Awaitable[PageOf[Noun]]]) -> AsyncIterator[Noun]:
    """Yield every noun of a list, page after page."""
    page = PageRequest(limit=PAGE_ITEMS_MAX)
    while True:
        found = await list_page(EVERYTHING, page)
        for noun in found.items:
            yield noun
        if found.next_after is None:
            return
        page = PageRequest(after=found.next_after, limit=PAGE_ITEMS_MAX)
