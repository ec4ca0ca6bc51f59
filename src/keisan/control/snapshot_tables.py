"""The snapshot compiler: rows of the domain in, tables of the wire out. Pure.

A model without a price cannot be called, so it is left out; so is a replica without an endpoint.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID

from keisan.domain.access import RIGHTS_BY_ROLE
from keisan.domain.call_limits import CallLimits
from keisan.domain.chip import Chip
from keisan.domain.door import Door, DoorPlace
from keisan.domain.ids import ModelId, SiteId
from keisan.domain.key import Key, Secret
from keisan.domain.model import Model
from keisan.domain.organization import Organization
from keisan.domain.price import Price
from keisan.domain.project import Project
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.site import Site
from keisan.kit.clock import to_microseconds
from keisan.wire.snapshot import (
    EngineProfile,
    SnapshotChip,
    SnapshotDoor,
    SnapshotFact,
    SnapshotKey,
    SnapshotLimits,
    SnapshotModel,
    SnapshotNeighbour,
    SnapshotOrganization,
    SnapshotPlatform,
    SnapshotPlatformOffer,
    SnapshotPlatformTicket,
    SnapshotPrice,
    SnapshotProject,
    SnapshotReplica,
    SnapshotTables,
    SnapshotUpstream,
)


@dataclass(frozen=True, slots=True)
class PlatformTables:
    """What gateways are to know of other platforms, by the rows' ids: who they are, what they offer, and who pays for whom."""

    platforms: Mapping[str, SnapshotPlatform] = field(default_factory=dict)
    neighbours: Mapping[str, SnapshotNeighbour] = field(default_factory=dict)
    offers: Mapping[str, SnapshotPlatformOffer] = field(default_factory=dict)
    tickets: Mapping[str, SnapshotPlatformTicket] = field(default_factory=dict)
    prices: Mapping[str, SnapshotPrice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SnapshotRows:
    """All that a snapshot is made of: keys in force, models, their prices in force, sites, live replicas, and all known chips.

    All chips, not only those that serve: then the table does not change while the process runs, and needs no deltas.
    `elsewhere` is what is known of other platforms, and the prices that their offers and tickets name.
    `budgeted` are the ids of the organizations, projects and keys that have budgets. Doors are those that gateways are told of, each with the secret that they show there.
    """

    organizations: Iterable[Organization]
    projects: Iterable[Project]
    keys: Iterable[Key]
    models: Iterable[Model]
    prices: Mapping[ModelId, Price]
    sites: Iterable[Site]
    replicas: Iterable[Replica]
    chips: Iterable[Chip]
    doors: Sequence[tuple[Door, Secret]] = ()
    elsewhere: PlatformTables = PlatformTables()
    budgeted: Container[UUID] = ()


def compile_tables(rows: SnapshotRows) -> SnapshotTables:
    """Return the tables of the full state."""
    sites = {site.id: site for site in rows.sites}
    places = {door.id: door.place for door, _ in rows.doors if door.place is not None}
    callable_models = [model for model in rows.models if model.id in rows.prices]
    return SnapshotTables(
        keys={str(key.id): compile_key(key, is_budgeted=key.id in rows.budgeted) for key in rows.keys},
        models={str(model.id): compile_model(model, rows.prices[model.id]) for model in callable_models},
        prices={str(price.id): compile_price(price) for price in rows.prices.values()} | dict(rows.elsewhere.prices),
        engines=compile_engines(sites.values()),
        replicas={
            str(replica.id): compile_replica(replica, sites[replica.site_id], places.get(replica.site_id))
            for replica in rows.replicas
            if is_served(replica)
        },
        organizations={
            str(line.id): compile_organization(line, is_budgeted=line.id in rows.budgeted)
            for line in rows.organizations
        },
        projects={
            str(project.id): compile_project(project, is_budgeted=project.id in rows.budgeted)
            for project in rows.projects
        },
        chips={chip.id: compile_chip(chip) for chip in rows.chips},
        doors={str(door.id): compile_door(door.place, secret) for door, secret in rows.doors if door.place is not None},
        platforms=dict(rows.elsewhere.platforms),
        neighbours=dict(rows.elsewhere.neighbours),
        platform_offers=dict(rows.elsewhere.offers),
        platform_tickets=dict(rows.elsewhere.tickets),
    )


def is_served(replica: Replica) -> bool:
    """Tell whether gateways should know a replica: it has been ready, where it is has been told, and it is not ending."""
    return replica.state is ReplicaState.READY and replica.endpoint is not None


def compile_key(key: Key, *, is_budgeted: bool) -> SnapshotKey:
    """Return a key's row; rights are those of its role, in a settled order."""
    return SnapshotKey(
        digest=key.digest,
        organization_id=key.organization_id,
        project_id=key.project_id,
        rights=tuple(sorted(RIGHTS_BY_ROLE[key.role])),
        models=key.models,
        limits=compile_limits(key.limits),
        policy=key.policy,
        is_budgeted=is_budgeted,
    )


def compile_organization(organization: Organization, *, is_budgeted: bool) -> SnapshotOrganization:
    """Return an organization's row."""
    return SnapshotOrganization(
        billing=organization.billing,
        snapshot_age_s_max=organization.snapshot_age_s_max,
        limits=compile_limits(organization.limits),
        policy=organization.policy,
        is_budgeted=is_budgeted,
    )


def compile_project(project: Project, *, is_budgeted: bool) -> SnapshotProject:
    """Return a project's row."""
    return SnapshotProject(
        organization_id=project.organization_id,
        limits=compile_limits(project.limits),
        policy=project.policy,
        is_budgeted=is_budgeted,
    )


def compile_limits(limits: CallLimits) -> SnapshotLimits:
    """Return the bounds of one layer."""
    return SnapshotLimits(**asdict(limits))


def compile_chip(chip: Chip) -> SnapshotChip:
    """Return a chip's row: its facts in a settled order."""
    facts = {
        str(name): SnapshotFact(values=fact.values, grade=fact.evidence.grade)
        for name, fact in sorted(chip.facts.items())
    }
    return SnapshotChip(facts=facts)


def compile_model(model: Model, price: Price) -> SnapshotModel:
    """Return a model's row with the price that is pinned into its calls."""
    facts = model.facts
    return SnapshotModel(
        name=facts.name,
        owner=facts.owner,
        surfaces=tuple(facts.surfaces),
        capabilities=facts.capabilities,
        context_tokens=facts.context_tokens,
        output_tokens_max=facts.output_tokens_max,
        template_tokens_max=facts.template_tokens_max,
        price_id=price.id,
        created_at_s=to_microseconds(model.created_at) // 1_000_000,
    )


def compile_price(price: Price) -> SnapshotPrice:
    """Return a price version's row."""
    return SnapshotPrice(
        model_id=price.model_id,
        version=price.version,
        currency=price.currency,
        nano_per_million={str(token_class): str(nano) for token_class, nano in sorted(price.nano_per_million.items())},
    )


def compile_engines(sites: Iterable[Site]) -> dict[str, EngineProfile]:
    """Return the profiles of all sites' engines, keyed "<site id>/<engine name>"."""
    return {
        name_engine(site.id, name): EngineProfile(
            running_usage=profile.running_usage,
            idle_connection_s=profile.idle_connection_s,
            requests_per_connection_max=profile.requests_per_connection_max,
            is_usage_summed_over_choices=profile.is_usage_summed_over_choices,
        )
        for site in sites
        for name, profile in site.engines.items()
    }


def name_engine(site_id: SiteId, engine: str) -> str:
    """Return the key of a site's engine in the snapshot."""
    return f"{site_id}/{engine}"


def compile_door(place: DoorPlace, secret: Secret) -> SnapshotDoor:
    """Return a door's row, with the secret in clear: it is for gateways, which show it."""
    return SnapshotDoor(
        host=place.host,
        port=place.port,
        is_tls=place.is_tls,
        secret=secret.reveal(),
        certificates=place.certificates,
    )


def compile_upstream(replica: Replica, door: DoorPlace | None) -> SnapshotUpstream:
    """Return the one way to a served replica: through its site's door if it has one, else by its socket on this host."""
    endpoint = replica.endpoint
    assert endpoint is not None, "only served replicas are compiled"
    if door is None:
        return SnapshotUpstream(kind=endpoint.kind, path=endpoint.path, host=None, port=None, is_tls=None)
    path = f"/replicas/{replica.id}"
    return SnapshotUpstream(kind="door", path=path, host=door.host, port=door.port, is_tls=door.is_tls)


def compile_replica(replica: Replica, site: Site, door: DoorPlace | None) -> SnapshotReplica:
    """Return a served replica's row."""
    return SnapshotReplica(
        model_id=replica.model_id,
        deployment_id=replica.deployment_id,
        provider_id=replica.provider_id,
        site_id=replica.site_id,
        node_id=replica.node_id,
        region=site.region,
        chip=replica.chip,
        engine=name_engine(replica.site_id, replica.engine),
        model_digest=replica.model_digest,
        verdict=replica.verdict,
        slots=replica.slots,
        upstream=compile_upstream(replica, door),
        attested_at_ms=None,
        prefill_tokens_per_s=None,
    )
