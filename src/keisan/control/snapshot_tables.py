"""The snapshot compiler: rows of the domain in, tables of the wire out. Pure.

A model without a price cannot be called, so it is left out; so is a replica without an endpoint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keisan.domain.access import RIGHTS_BY_ROLE
from keisan.domain.ids import ModelId, SiteId
from keisan.domain.key import Key
from keisan.domain.model import Model
from keisan.domain.price import Price
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.site import Site
from keisan.kit.clock import to_microseconds
from keisan.wire.snapshot import (
    EngineProfile,
    SnapshotKey,
    SnapshotModel,
    SnapshotPrice,
    SnapshotReplica,
    SnapshotTables,
    SnapshotUpstream,
)


@dataclass(frozen=True, slots=True)
class SnapshotRows:
    """All that a snapshot is made of: keys in force, models, their newest prices, sites, and live replicas."""

    keys: Iterable[Key]
    models: Iterable[Model]
    prices: Mapping[ModelId, Price]
    sites: Iterable[Site]
    replicas: Iterable[Replica]


def compile_tables(rows: SnapshotRows) -> SnapshotTables:
    """Return the tables of the full state."""
    sites = {site.id: site for site in rows.sites}
    callable_models = [model for model in rows.models if model.id in rows.prices]
    return SnapshotTables(
        keys={str(key.id): compile_key(key) for key in rows.keys},
        models={str(model.id): compile_model(model, rows.prices[model.id]) for model in callable_models},
        prices={str(price.id): compile_price(price) for price in rows.prices.values()},
        engines=compile_engines(sites.values()),
        replicas={
            str(replica.id): compile_replica(replica, sites[replica.site_id])
            for replica in rows.replicas
            if is_served(replica)
        },
    )


def is_served(replica: Replica) -> bool:
    """Tell whether gateways should know a replica: it has been ready, where it is has been told, and it is not ending."""
    return replica.state is ReplicaState.READY and replica.endpoint is not None


def compile_key(key: Key) -> SnapshotKey:
    """Return a key's row; rights are those of its role, in a settled order."""
    return SnapshotKey(
        digest=key.digest,
        organization_id=key.organization_id,
        project_id=key.project_id,
        rights=tuple(sorted(RIGHTS_BY_ROLE[key.role])),
        models=key.models,
    )


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


def compile_replica(replica: Replica, site: Site) -> SnapshotReplica:
    """Return a served replica's row."""
    endpoint = replica.endpoint
    assert endpoint is not None, "only served replicas are compiled"
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
        upstream=SnapshotUpstream(kind=endpoint.kind, path=endpoint.path),
    )
