"""The snapshot that a measured gateway serves from: several hundred keys, a priced model, replicas on the mock engine.

Every call is bound by limits and policies of organization, project and key, and paid from a ticket that native/credit.c
leases. What else governs a call later is added in `_build_tables`, and nowhere else.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import uuid_utils

from keisan.domain.engine import RunningUsage
from keisan.domain.evidence import Grade
from keisan.domain.key import MACHINE_PREFIX, Secret, create_secret, digest_secret
from keisan.domain.organization import Billing
from keisan.domain.verdict import Verdict
from keisan.gateway.identity import IdentityFile
from keisan.kit.private_file import create_private_folder, write_private_file
from keisan.wire.snapshot import (
    SNAPSHOT_SCHEMA_VERSION,
    EngineProfile,
    Snapshot,
    SnapshotChip,
    SnapshotDoor,
    SnapshotFact,
    SnapshotKey,
    SnapshotLimits,
    SnapshotModel,
    SnapshotOrganization,
    SnapshotPrice,
    SnapshotProject,
    SnapshotReplica,
    SnapshotTables,
    SnapshotUpstream,
    digest_tables,
    encode_snapshot,
)

MODEL = "bench-model"
KEYS = 500
ORGANIZATIONS = 50
PROJECTS = 100
CHIP = "cpu-x86-64"
# Bounds that are counted against and not reached, and policies that each replica is judged by and passes.
LIMITS = SnapshotLimits(
    requests_per_minute=10**9, tokens_per_minute=10**13, calls_open_max=10**6, body_bytes_max=4 * 1024 * 1024
)
ORGANIZATION_POLICY = "region in JP-13, JP-27; advisory none; vendor in Intel, AMD @ B"
PROJECT_POLICY = f"chip in {CHIP}, cpu-aarch64; fabricated_in not in XX; attestation_age_s <= 31536000"
# Other models, so that a look-up has something to look through.
OTHER_MODELS = 20
ENGINE = "llama_cpp"
MADE_AT_S = 1_764_000_000
# Gateways may use an upstream connection as long as they like, nginx (keepalive_requests) as well as keisan.
CONNECTION_REQUESTS_MAX = 1_000_000
CONNECTION_IDLE_S = 60


@dataclass(frozen=True, slots=True)
class DoorPlace:
    """A door on this host: its port, the secret that gateways show there, and the replicas behind it."""

    port: int
    secret: str
    replica_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Governance:
    """What the snapshot is made of beside the keys; with a door, it leads to the sockets in their order."""

    sockets: Sequence[Path]
    slots: int = 100_000
    door: DoorPlace | None = None


def create_id() -> UUID:
    """Return a new id as the platform makes them (UUIDv7)."""
    return UUID(str(uuid_utils.uuid7()))


def create_keys() -> list[Secret]:
    """Return the secrets of the keys in force."""
    return [create_secret() for _ in range(KEYS)]


def write_gateway_folder(folder: Path, keys: Sequence[Secret], governance: Governance) -> None:
    """Write what a gateway starts from without its platform: identity and snapshot, in the data directory `folder`."""
    platform_id = secrets.token_hex(32)
    own = folder / "gateway"
    create_private_folder(own)
    identity = IdentityFile(
        secret=create_secret(MACHINE_PREFIX).reveal(), machine_id=create_id(), platform_id=platform_id
    )
    write_private_file(own / "identity.json", identity.model_dump_json().encode())
    tables = _build_tables(keys, governance)
    snapshot = Snapshot(
        schema_version=SNAPSHOT_SCHEMA_VERSION,
        platform_id=platform_id,
        incarnation=create_id(),
        version=1,
        compiled_at_ms=MADE_AT_S * 1000,
        digest=digest_tables(tables),
        tables=tables,
    )
    write_private_file(own / "snapshot.json", encode_snapshot(snapshot))


def _build_tables(keys: Sequence[Secret], governance: Governance) -> SnapshotTables:
    site_id, deployment_id, provider_id = create_id(), create_id(), create_id()
    models = {create_id(): name for name in (MODEL, *(f"other-model-{number}" for number in range(OTHER_MODELS)))}
    prices = {model_id: create_id() for model_id in models}
    served = next(iter(models))
    organizations = [create_id() for _ in range(ORGANIZATIONS)]
    projects = {create_id(): organizations[number % ORGANIZATIONS] for number in range(PROJECTS)}
    upstreams = _build_upstreams(governance)
    replicas = {
        str(replica_id): SnapshotReplica(
            model_id=served,
            deployment_id=deployment_id,
            provider_id=provider_id,
            site_id=site_id,
            node_id=create_id(),
            region="JP-13",
            chip=CHIP,
            engine=f"{site_id}/{ENGINE}",
            model_digest="sha256:" + "5e" * 32,
            verdict=Verdict.OK,
            slots=governance.slots,
            upstream=upstream,
            attested_at_ms=time.time_ns() // 1_000_000,
            prefill_tokens_per_s=20_000,
        )
        for replica_id, upstream in upstreams.items()
    }
    profile = EngineProfile(
        running_usage=RunningUsage.LLAMA_CPP_TIMINGS,
        idle_connection_s=CONNECTION_IDLE_S,
        requests_per_connection_max=CONNECTION_REQUESTS_MAX,
        is_usage_summed_over_choices=True,
    )
    owners = list(projects.items())
    return SnapshotTables(
        keys={str(create_id()): _build_key(key, owners[number % PROJECTS]) for number, key in enumerate(keys)},
        models={str(model_id): _build_model(name, prices[model_id]) for model_id, name in models.items()},
        prices={str(price_id): _build_price(model_id) for model_id, price_id in prices.items()},
        engines={f"{site_id}/{ENGINE}": profile},
        replicas=replicas,
        doors={str(site_id): _build_door(governance.door)} if governance.door else {},
        organizations={str(organization_id): _build_organization() for organization_id in organizations},
        projects={
            str(project_id): SnapshotProject(organization_id=owner_id, limits=LIMITS, policy=PROJECT_POLICY)
            for project_id, owner_id in projects.items()
        },
        chips={CHIP: _build_chip()},
    )


def _build_upstreams(governance: Governance) -> dict[UUID, SnapshotUpstream]:
    door = governance.door
    if door is None:
        return {create_id(): SnapshotUpstream(kind="unix", path=str(socket)) for socket in governance.sockets}
    return {
        replica_id: SnapshotUpstream(
            kind="door", path=f"/replicas/{replica_id}", host="127.0.0.1", port=door.port, is_tls=False
        )
        for replica_id in door.replica_ids
    }


def _build_door(door: DoorPlace) -> SnapshotDoor:
    return SnapshotDoor(host="127.0.0.1", port=door.port, is_tls=False, secret=door.secret)


def _build_organization() -> SnapshotOrganization:
    return SnapshotOrganization(
        billing=Billing.PREPAID, snapshot_age_s_max=None, limits=LIMITS, policy=ORGANIZATION_POLICY
    )


def _build_chip() -> SnapshotChip:
    known = {"vendor": "Intel", "designed_in": "US", "fabricated_by": "Intel", "fabricated_in": "US"}
    facts = {name: SnapshotFact(values=(value,), grade=Grade.VENDOR) for name, value in known.items()}
    facts["advisory"] = SnapshotFact(values=(), grade=Grade.VENDOR)
    return SnapshotChip(facts=facts)


def _build_key(secret: Secret, owner: tuple[UUID, UUID]) -> SnapshotKey:
    project_id, organization_id = owner
    return SnapshotKey(
        digest=digest_secret(secret),
        organization_id=organization_id,
        project_id=project_id,
        rights=("call",),
        models=None,
        limits=LIMITS,
        policy="",
    )


def _build_model(name: str, price_id: UUID) -> SnapshotModel:
    return SnapshotModel(
        name=name,
        owner="bench",
        surfaces=("chat", "completions"),
        capabilities=("streaming", "tools"),
        context_tokens=1_000_000,
        output_tokens_max=4096,
        template_tokens_max=64,
        price_id=price_id,
        created_at_s=MADE_AT_S,
    )


def _build_price(model_id: UUID) -> SnapshotPrice:
    classes = {"input": "140000000", "input_cached": "14000000", "output": "280000000"}
    return SnapshotPrice(model_id=model_id, version=1, currency="JPY", nano_per_million=classes)
