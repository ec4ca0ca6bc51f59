"""The snapshot: all a gateway needs to serve alone (R10). The relay's serde mirror stands in crates/relay/src/snapshot/.

A snapshot is (incarnation, version) and tables keyed by id. A delta names its base and replaces whole rows.
Rows of a newer platform keep the fields that are unknown here, and those of an older one go on without the fields that
they lack, so the digest holds: a new field stands last, has a default, and is set by every platform that knows it.
"""

import hashlib
from typing import Annotated, Final, Literal, TypeVar
from uuid import UUID

from pydantic import ConfigDict, Field

from keisan.domain.engine import RunningUsage
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.limits import SNAPSHOT_WAIT_S_MAX
from keisan.domain.organization import Billing
from keisan.domain.verdict import Verdict
from keisan.wire.base import INTEGER_MAX, SecretText, WireView

SNAPSHOT_SCHEMA_VERSION: Final = 1
Row = TypeVar("Row")


class SnapshotRow(WireView):
    """A row of a table, or a part of one: passed on whole, with fields that only a newer platform knows."""

    model_config = ConfigDict(extra="allow")


# What the relay holds, and 0 would bound to nothing at all.
Bound = Annotated[int, Field(ge=1, le=INTEGER_MAX)]


class SnapshotLimits(SnapshotRow):
    """Bounds on calls at one layer; None where there is none."""

    requests_per_minute: Bound | None
    tokens_per_minute: Bound | None
    calls_open_max: Bound | None
    body_bytes_max: Bound | None


class SnapshotKey(SnapshotRow):
    """A key in force: the digest of its secret (64 hex digits), its rights, the models it may name (None: all), and what binds its calls.

    Credit for a call is the key's if it is budgeted, else its project's if that is, else the organization's if that is
    budgeted or prepaid; else none is needed. It is leased by the id of that holder.
    """

    digest: str
    organization_id: UUID
    project_id: UUID
    rights: tuple[str, ...]
    models: tuple[str, ...] | None
    limits: SnapshotLimits
    policy: str
    is_budgeted: bool = False


class SnapshotModel(SnapshotRow):
    """A model that can be called; lengths in tokens; `price_id` is pinned into each call at admission."""

    name: str
    owner: str
    surfaces: tuple[str, ...]
    capabilities: tuple[str, ...]
    context_tokens: int
    output_tokens_max: int
    template_tokens_max: int
    price_id: UUID
    created_at_s: int


class SnapshotPrice(SnapshotRow):
    """A price version: decimal strings of nano-units per 1,000,000 tokens by token class."""

    model_id: UUID
    version: int
    currency: str
    nano_per_million: dict[str, str]


# A site's agent names these numbers, and a relay refuses a whole snapshot for one that it cannot hold.
EngineLimit = Annotated[int, Field(ge=1, le=INTEGER_MAX)]


class EngineProfile(SnapshotRow):
    """What the relay must know of an engine: how it tells running usage (R6) and how long its connections live (R14)."""

    running_usage: RunningUsage
    idle_connection_s: EngineLimit
    requests_per_connection_max: EngineLimit
    is_usage_summed_over_choices: bool


class SnapshotUpstream(SnapshotRow):
    """How to reach a replica: kind "unix" with its socket's path, or "door" with its path behind a site's door."""

    kind: str
    path: str
    host: str | None = None
    port: int | None = None
    is_tls: bool | None = None


class SnapshotDoor(SnapshotRow):
    """Where a site's door is, and the secret that gateways show there and nowhere else.

    `certificates` (PEM) are those to trust there; empty: those that the gateway itself was given.
    """

    host: str
    port: int
    is_tls: bool
    secret: SecretText
    certificates: str = ""


class SnapshotReplica(SnapshotRow):
    """A candidate for calls of its model; only verdict "ok" gets new ones. The prefill rate is measured, None until it is."""

    model_id: UUID
    deployment_id: UUID
    provider_id: UUID
    site_id: UUID
    node_id: UUID
    region: str
    chip: str
    engine: str
    model_digest: str
    verdict: Verdict
    slots: int
    upstream: SnapshotUpstream
    attested_at_ms: int | None
    prefill_tokens_per_s: int | None


class SnapshotOrganization(SnapshotRow):
    """How an organization pays, how old a snapshot may be that it is served from (None: any age), and what binds its calls."""

    billing: Billing
    snapshot_age_s_max: Bound | None
    limits: SnapshotLimits
    policy: str
    is_budgeted: bool = False


class SnapshotProject(SnapshotRow):
    """What binds the calls of a project, beside what binds its organization."""

    organization_id: UUID
    limits: SnapshotLimits
    policy: str
    is_budgeted: bool = False


class SnapshotFact(SnapshotRow):
    """Values of one fact of a chip and the grade of their evidence."""

    values: tuple[str, ...]
    grade: Grade


class SnapshotChip(SnapshotRow):
    """What the catalogue knows of a chip, by fact; what it does not know is absent, and fails a policy that asks for it."""

    facts: dict[str, SnapshotFact]


class SnapshotPlatform(SnapshotRow):
    """Another platform. `next_hop` is the neighbour that it lies behind (None: it is one, or nobody knows).

    `address` (host:port) is where its gateways take calls from platforms that are no neighbours, None if they take none.
    """

    name: str
    region: str
    verdict: Verdict
    next_hop: str | None = None
    address: str | None = None


class SnapshotNeighbour(SnapshotRow):
    """A platform that this one is joined with, and on which side: "parent" or "child"."""

    side: Literal["parent", "child"]


class SnapshotPlatformOffer(SnapshotRow):
    """A model that another platform offers, by name, on one kind of chip: a candidate like a replica.

    `price_id` is the version at wholesale, which is what home owes that platform. An empty region is the platform's.
    """

    platform_id: str
    model: str
    model_digest: str
    region: str
    chip: str
    facts: dict[str, SnapshotFact]
    verdict: Verdict
    slots: int
    price_id: UUID
    attested_at_ms: int | None = None


class SnapshotPlatformTicket(SnapshotRow):
    """What one platform, home, gave another for the calls of an organization: narrowed by a policy, at pinned prices.

    At home it is shown with each call to that platform. There it stands for a key: credit is leased by the organization's id.
    `price_ids` are the versions at wholesale by the model's name; what is not among them is not sold on it.
    """

    organization_id: UUID
    home_platform_id: str
    audience_platform_id: str
    policy: str
    currency: str
    price_ids: dict[str, UUID]
    ends_at_ms: int


class SnapshotTables(WireView):
    """The tables, each keyed by the row's id; an engine's is "<site id>/<engine name>", as sites may differ.

    A key whose organization or project has no row may not call.
    A door's is its site's id; a platform's and a neighbour's is the platform's.
    """

    keys: dict[str, SnapshotKey] = {}
    models: dict[str, SnapshotModel] = {}
    prices: dict[str, SnapshotPrice] = {}
    engines: dict[str, EngineProfile] = {}
    replicas: dict[str, SnapshotReplica] = {}
    organizations: dict[str, SnapshotOrganization] = {}
    projects: dict[str, SnapshotProject] = {}
    chips: dict[str, SnapshotChip] = {}
    doors: dict[str, SnapshotDoor] = {}
    platforms: dict[str, SnapshotPlatform] = {}
    neighbours: dict[str, SnapshotNeighbour] = {}
    platform_offers: dict[str, SnapshotPlatformOffer] = {}
    platform_tickets: dict[str, SnapshotPlatformTicket] = {}


TABLE_NAMES = tuple(SnapshotTables.model_fields)


class Snapshot(WireView):
    """The full state at one version."""

    schema_version: Literal[1]
    platform_id: str
    incarnation: UUID
    version: int
    compiled_at_ms: int
    digest: str
    tables: SnapshotTables


class SnapshotDelta(WireView):
    """What changed since `base_version`: rows to put, and ids to drop by table. `digest` is that of the whole result."""

    schema_version: Literal[1] = SNAPSHOT_SCHEMA_VERSION
    incarnation: UUID
    base_version: int
    version: int
    compiled_at_ms: int
    digest: str
    put: SnapshotTables
    drop: dict[str, tuple[str, ...]]


class SnapshotQuery(WireView):
    """What the asker serves, which acknowledges it, and for how many seconds it waits for something newer.

    `digest` is that of the rows it serves: another release of the platform may make other rows of the same version.
    """

    incarnation: UUID | None = None
    version: Annotated[int, Field(ge=0, le=INTEGER_MAX)] = 0
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    wait_s: Annotated[float, Field(ge=0, le=SNAPSHOT_WAIT_S_MAX)] = 0


class SnapshotAnswer(WireView):
    """Exactly one of the two: a delta if the asker's base is known, else the full state."""

    snapshot: Snapshot | None = None
    delta: SnapshotDelta | None = None


def digest_tables(tables: SnapshotTables) -> str:
    """Return the hex SHA-256 of the tables' canonical JSON: rows sorted by id, fields in their declared order.

    Tables and fields that were never set are not there: a platform that does not know them digests none.
    """
    digest = hashlib.sha256()
    for name in TABLE_NAMES:
        if name not in tables.model_fields_set:
            continue
        digest.update(name.encode() + b"\n")
        rows: dict[str, SnapshotRow] = getattr(tables, name)
        for row_id in sorted(rows):
            row = rows[row_id].model_dump_json(exclude_unset=True)
            digest.update(f"{row_id} {row}\n".encode())
    return digest.hexdigest()


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot as JSON that is read back with the same digest: what was never set stays away."""
    return snapshot.model_dump_json(exclude_unset=True).encode()


def apply_delta(base: Snapshot, delta: SnapshotDelta) -> Snapshot:
    """Return the snapshot that follows from `base`.

    Raises InvalidInput on another incarnation, a gap, a step back or a wrong digest: the caller then asks for the full
    state.
    """
    if delta.incarnation != base.incarnation:
        raise InvalidInput("the delta belongs to another incarnation", "incarnation")
    if delta.base_version != base.version or delta.version < base.version:
        raise InvalidInput(f"the delta leads from {delta.base_version}, not from {base.version}", "base_version")
    known = base.tables.model_fields_set | delta.put.model_fields_set
    changed = {
        name: _merge_rows(getattr(base.tables, name), getattr(delta.put, name), delta.drop.get(name, ()))
        for name in TABLE_NAMES
        if name in known
    }
    tables = SnapshotTables.model_construct(None, **changed)
    if digest_tables(tables) != delta.digest:
        raise InvalidInput("the delta's digest does not match its result", "digest")
    return base.model_copy(
        update={
            "version": delta.version,
            "compiled_at_ms": delta.compiled_at_ms,
            "digest": delta.digest,
            "tables": tables,
        }
    )


def check_snapshot(snapshot: Snapshot) -> None:
    """Raise InvalidInput unless the digest matches the tables."""
    if digest_tables(snapshot.tables) != snapshot.digest:
        raise InvalidInput("the snapshot's digest does not match its tables", "digest")


def _merge_rows(old: dict[str, Row], put: dict[str, Row], drop: tuple[str, ...]) -> dict[str, Row]:
    dropped = frozenset(drop)
    kept = {row_id: row for row_id, row in old.items() if row_id not in dropped}
    return kept | put
