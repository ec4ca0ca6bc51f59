"""The snapshot of the relay's stage: one organization's key, one model with a price, a replica for each engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from keisan.domain.engine import RunningUsage
from keisan.domain.key import Secret, digest_secret
from keisan.domain.organization import Billing
from keisan.domain.verdict import Verdict
from keisan.wire.snapshot import (
    SNAPSHOT_SCHEMA_VERSION,
    EngineProfile,
    Snapshot,
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
)

PLATFORM_ID = "ab" * 32
API_KEY = "sk-keisan-of-the-stage"
MODEL = "small"
# Nano-units per 1,000,000 tokens.
PRICE = {"input": "500000000", "input_cached": "50000000", "output": "1500000000"}
SITE_ID = UUID(int=0x20)
NO_LIMITS = SnapshotLimits(requests_per_minute=None, tokens_per_minute=None, calls_open_max=None, body_bytes_max=None)


@dataclass(frozen=True, slots=True)
class EnginePlace:
    """Where an engine listens, how many calls it takes at once, and how it tells its running usage."""

    path: Path
    slots: int = 256
    running_usage: RunningUsage = RunningUsage.LLAMA_CPP_TIMINGS


def build_tables(places: Sequence[EnginePlace]) -> SnapshotTables:
    """Return the tables; every engine serves the one model."""
    model_id, price_id = UUID(int=0x11), UUID(int=0x12)
    organization_id, project_id = UUID(int=0x13), UUID(int=0x14)
    key = SnapshotKey(
        digest=digest_secret(Secret(API_KEY)),
        organization_id=organization_id,
        project_id=project_id,
        rights=("call",),
        models=None,
        limits=NO_LIMITS,
        policy="",
    )
    model = SnapshotModel(
        name=MODEL,
        owner="stage",
        surfaces=("chat", "completions"),
        capabilities=("stream",),
        context_tokens=4096,
        output_tokens_max=1024,
        template_tokens_max=64,
        price_id=price_id,
        created_at_s=1,
    )
    price = SnapshotPrice(model_id=model_id, version=1, currency="CNY", nano_per_million=PRICE)
    return SnapshotTables(
        organizations={
            str(organization_id): SnapshotOrganization(
                billing=Billing.POSTPAID, snapshot_age_s_max=None, limits=NO_LIMITS, policy=""
            )
        },
        projects={str(project_id): SnapshotProject(organization_id=organization_id, limits=NO_LIMITS, policy="")},
        keys={str(UUID(int=0x15)): key},
        models={str(model_id): model},
        prices={str(price_id): price},
        engines={_name_engine(number): _build_profile(place) for number, place in enumerate(places)},
        replicas={
            str(UUID(int=0x100 + number)): _build_replica(place, model_id, number)
            for number, place in enumerate(places)
        },
    )


def build_snapshot(tables: SnapshotTables, version: int = 1) -> Snapshot:
    """Return the tables as a snapshot that a gateway accepts from its disk or its platform."""
    return Snapshot(
        schema_version=SNAPSHOT_SCHEMA_VERSION,
        platform_id=PLATFORM_ID,
        incarnation=UUID(int=0x16),
        version=version,
        compiled_at_ms=1_795_476_435_000,
        digest=digest_tables(tables),
        tables=tables,
    )


def _name_engine(number: int) -> str:
    return f"{SITE_ID}/engine-{number}"


def _build_profile(place: EnginePlace) -> EngineProfile:
    return EngineProfile(
        running_usage=place.running_usage,
        # The gateway keeps an idle connection for a second less: one second, so that tests need not wait long.
        idle_connection_s=2,
        requests_per_connection_max=1_000_000,
        is_usage_summed_over_choices=False,
    )


def _build_replica(place: EnginePlace, model_id: UUID, number: int) -> SnapshotReplica:
    return SnapshotReplica(
        model_id=model_id,
        deployment_id=UUID(int=0x17),
        provider_id=UUID(int=0x18),
        site_id=SITE_ID,
        node_id=UUID(int=0x19),
        region="JP-13",
        chip="cpu-x86-64",
        engine=_name_engine(number),
        model_digest="sha256:" + "0" * 64,
        verdict=Verdict.OK,
        slots=place.slots,
        upstream=SnapshotUpstream(kind="unix", path=str(place.path)),
        attested_at_ms=None,
        prefill_tokens_per_s=None,
    )
