"""The snapshot that a measured gateway serves from: several hundred keys, a priced model, replicas on the mock engine.

What governs a call and is not here yet (limits, credit tickets, policy) is added in `_build_tables`, and nowhere else.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import uuid_utils

from keisan.domain.engine import RunningUsage
from keisan.domain.key import MACHINE_PREFIX, Secret, create_secret, digest_secret
from keisan.domain.verdict import Verdict
from keisan.gateway.identity import IdentityFile
from keisan.gateway.snapshot_file import encode_snapshot
from keisan.kit.private_file import create_private_folder, write_private_file
from keisan.wire.snapshot import (
    EngineProfile,
    Snapshot,
    SnapshotKey,
    SnapshotModel,
    SnapshotPrice,
    SnapshotReplica,
    SnapshotTables,
    SnapshotUpstream,
    digest_tables,
)

MODEL = "bench-model"
KEYS = 500
# Other models, so that a look-up has something to look through.
OTHER_MODELS = 20
ENGINE = "llama_cpp"
MADE_AT_S = 1_764_000_000
# Gateways may use an upstream connection as long as they like, nginx (keepalive_requests) as well as keisan.
CONNECTION_REQUESTS_MAX = 1_000_000
CONNECTION_IDLE_S = 60


@dataclass(frozen=True, slots=True)
class Governance:
    """What the snapshot is made of beside the keys."""

    sockets: Sequence[Path]
    slots: int = 100_000


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
    replicas = [
        SnapshotReplica(
            model_id=served,
            deployment_id=deployment_id,
            provider_id=provider_id,
            site_id=site_id,
            node_id=create_id(),
            region="JP-13",
            chip="cpu-x86-64",
            engine=f"{site_id}/{ENGINE}",
            model_digest="sha256:" + "5e" * 32,
            verdict=Verdict.OK,
            slots=governance.slots,
            upstream=SnapshotUpstream(kind="unix", path=str(socket)),
        )
        for socket in governance.sockets
    ]
    profile = EngineProfile(
        running_usage=RunningUsage.LLAMA_CPP_TIMINGS,
        idle_connection_s=CONNECTION_IDLE_S,
        requests_per_connection_max=CONNECTION_REQUESTS_MAX,
        is_usage_summed_over_choices=True,
    )
    return SnapshotTables(
        keys={str(create_id()): _build_key(key) for key in keys},
        models={str(model_id): _build_model(name, prices[model_id]) for model_id, name in models.items()},
        prices={str(price_id): _build_price(model_id) for model_id, price_id in prices.items()},
        engines={f"{site_id}/{ENGINE}": profile},
        replicas={str(create_id()): replica for replica in replicas},
    )


def _build_key(secret: Secret) -> SnapshotKey:
    return SnapshotKey(
        digest=digest_secret(secret),
        organization_id=create_id(),
        project_id=create_id(),
        rights=("call",),
        models=None,
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
