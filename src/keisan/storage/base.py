"""The storage contract: a read view and a write transaction, with one repository per noun. All SQL is behind it.

A read takes a Scope; outside the scope a thing is not found. A write transaction commits whole or not at all, and is
the only one to do so. Unavailability raises StorageUnavailable (retryable); lost leases raise LeaseLost.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from keisan.domain.access import MachineKind, Scope
from keisan.domain.deployment import Deployment
from keisan.domain.device import Device, DeviceUse
from keisan.domain.door import Door
from keisan.domain.event import Event, EventDraft
from keisan.domain.ids import (
    DeploymentId,
    JoinTokenId,
    KeyId,
    MachineId,
    ModelId,
    NodeId,
    OrganizationId,
    ProjectId,
    ProviderId,
    ReplicaId,
    SiteId,
)
from keisan.domain.key import Key
from keisan.domain.lease import Lease, WorkNoun
from keisan.domain.machine import JoinToken, Machine
from keisan.domain.model import Model
from keisan.domain.node import Node
from keisan.domain.organization import Organization
from keisan.domain.platform import Platform
from keisan.domain.project import Project
from keisan.domain.provider import Provider
from keisan.domain.replica import Replica
from keisan.domain.site import Site
from keisan.domain.snapshot import SnapshotChange, SnapshotMark, SnapshotTable
from keisan.storage.base_alert import AlertRepository, DeliveryRepository, TopUpRepository, WebhookRepository
from keisan.storage.base_archive import ArchiveRepository
from keisan.storage.base_challenge import ChallengeRepository, ServingChallengeRepository
from keisan.storage.base_credit import AdmissionRepository, CrossChargeRepository, PlatformTicketRepository
from keisan.storage.base_facility import ClaimRepository, FacilityRepository, SurveyRepository
from keisan.storage.base_grant import GrantRepository, GrantTermsRepository, GrantWantRepository
from keisan.storage.base_ledger import (
    AccountRepository,
    BudgetRepository,
    EntryRepository,
    ForecastRepository,
    IncarnationRepository,
    QuarantineRepository,
    ShareRepository,
    SuspenseRepository,
    TicketRepository,
    UsageRepository,
)
from keisan.storage.base_link import (
    IncomingLogRepository,
    OutgoingLogRepository,
    RefusedLetterRepository,
    RegisterRepository,
)
from keisan.storage.base_neighbour import InvitationRepository, LinkRepository
from keisan.storage.base_noun import Repository
from keisan.storage.base_price import DeductionRepository, OfferRepository, PriceRepository
from keisan.storage.base_region import ExchangeRepository, SiteReportRepository
from keisan.storage.base_retention import RetentionRepository
from keisan.storage.base_settlement import (
    CrossBatchRepository,
    CrossRecordRepository,
    PlatformDisputeRepository,
    SettlementRepository,
    TotalRepository,
)
from keisan.storage.base_statement import (
    ClosingRepository,
    DisputeRepository,
    PayoutRepository,
    StatementRecordRepository,
    StatementRepository,
)
from keisan.storage.base_telemetry import InventoryRepository


class PlatformRepository(Protocol):
    """The one platform this database belongs to."""

    async def find(self) -> Platform | None: ...
    async def get(self) -> Platform: ...
    async def insert(self, platform: Platform) -> None: ...
    async def update(self, platform: Platform) -> None:
        """Write its name and its limits; raises VersionMismatch unless the stored version is one less."""
        ...


class OrganizationRepository(Repository[Organization, OrganizationId], Protocol):
    """Organizations; an organization sees itself only."""

    async def list_by_ids(self, scope: Scope, ids: Iterable[OrganizationId]) -> Sequence[Organization]: ...
    async def list_all(self, scope: Scope) -> Sequence[Organization]: ...


class ProjectRepository(Repository[Project, ProjectId], Protocol):
    """Projects of the organizations in scope."""

    async def list_by_ids(self, scope: Scope, ids: Iterable[ProjectId]) -> Sequence[Project]: ...
    async def list_all(self, scope: Scope) -> Sequence[Project]: ...


class KeyRepository(Repository[Key, KeyId], Protocol):
    """Keys of the organizations in scope."""

    async def find_by_digest(self, digest: str) -> Key | None:
        """Return the key with this digest, revoked or not: the one read without a scope, since it finds the scope."""
        ...

    async def list_by_ids(self, scope: Scope, ids: Iterable[KeyId]) -> Sequence[Key]:
        """Return the keys with these ids, revoked or not."""
        ...

    async def list_in_force(self, scope: Scope) -> Sequence[Key]:
        """Return all keys that are not revoked."""
        ...


class MachineRepository(Repository[Machine, MachineId], Protocol):
    """Joined gateways and site agents."""

    async def find_by_digest(self, digest: str) -> Machine | None:
        """Return the machine with this digest, revoked or not; without a scope, as for keys."""
        ...

    async def list_kind(self, scope: Scope, kind: MachineKind) -> Sequence[Machine]:
        """Return all machines of a kind that are not revoked."""
        ...

    async def acknowledge(self, machine_id: MachineId, version: int, seen_at: datetime) -> None:
        """Note what snapshot version a gateway serves: the one way to write it and `seen_at`; the row's version stays."""
        ...


class JoinTokenRepository(Protocol):
    """One-time tokens, found by digest only."""

    async def find_by_digest(self, digest: str) -> JoinToken | None: ...
    async def insert(self, token: JoinToken) -> None: ...
    async def use(self, token_id: JoinTokenId, machine_id: MachineId) -> None:
        """Mark the token as used; raises StateConflict if another machine has used it."""
        ...


class ProviderRepository(Repository[Provider, ProviderId], Protocol):
    """Providers; a provider sees itself, an organization sees all names."""


class SiteRepository(Repository[Site, SiteId], Protocol):
    """Sites; a provider sees its own."""

    async def list_all(self, scope: Scope) -> Sequence[Site]:
        """Return all sites in scope."""
        ...

    async def mark_reported(self, site_id: SiteId, reported_at: datetime) -> None:
        """Note that the site's agent spoke: the one way to write `reported_at`, never backwards; the version stays."""
        ...


class DoorRepository(Repository[Door, SiteId], Protocol):
    """Doors by their sites' ids; a provider sees those of its own sites."""

    async def find(self, scope: Scope, site_id: SiteId) -> Door | None: ...
    async def list_all(self, scope: Scope) -> Sequence[Door]: ...
    async def want_rotations(self, scope: Scope, site_ids: Iterable[SiteId] | None) -> None:
        """Ask for another secret of these doors, of all for None, where none is on its way yet; raises the versions."""
        ...


class NodeRepository(Repository[Node, NodeId], Protocol):
    """Nodes; a provider sees its own sites'. Organizations see none."""

    async def list_site(self, scope: Scope, site_id: SiteId) -> Sequence[Node]: ...


class DeviceRepository(Repository[Device, UUID], Protocol):
    """Devices; a provider sees its own sites'. Organizations see none."""

    async def list_site(self, scope: Scope, site_id: SiteId) -> Sequence[Device]: ...
    async def list_closed(self, scope: Scope) -> Sequence[tuple[SiteId, str, DeviceUse]]:
        """Return the sites and hardware ids of devices that people have closed to new work, and what each is used for."""
        ...


class ModelRepository(Repository[Model, ModelId], Protocol):
    """Models; public on the platform."""

    async def find_by_name(self, scope: Scope, name: str) -> Model | None: ...
    async def list_by_names(self, scope: Scope, names: Iterable[str]) -> Sequence[Model]:
        """Return the models with these names, in order of id."""
        ...

    async def list_by_ids(self, scope: Scope, ids: Iterable[ModelId] | None) -> Sequence[Model]:
        """Return the models with these ids, or all for None."""
        ...


class DeploymentRepository(Repository[Deployment, DeploymentId], Protocol):
    """Deployments; a provider sees those placed on its sites, organizations see none."""

    async def list_by_ids(self, scope: Scope, ids: Iterable[DeploymentId]) -> Sequence[Deployment]: ...
    async def raise_fence(self, deployment_id: DeploymentId, leap: int) -> None:
        """Raise the fence by a leap: the one way to write it; the row's version stays."""
        ...


class ReplicaRepository(Repository[Replica, ReplicaId], Protocol):
    """Replicas that are not stopped come first in no list: lists order by id as all do."""

    async def list_deployment(self, scope: Scope, deployment_id: DeploymentId) -> Sequence[Replica]:
        """Return the deployment's replicas that are not stopped."""
        ...

    async def list_site(self, scope: Scope, site_id: SiteId) -> Sequence[Replica]:
        """Return the site's replicas that are not stopped."""
        ...

    async def list_by_ids(self, scope: Scope, ids: Iterable[ReplicaId] | None) -> Sequence[Replica]:
        """Return the replicas with these ids, or all that are not stopped for None."""
        ...

    async def get_log_tail(self, scope: Scope, replica_id: ReplicaId) -> str: ...
    async def set_log_tail(self, replica_id: ReplicaId, log_tail: str) -> None: ...


class EventRepository(Protocol):
    """The hash-chained audit log. Appending locks the chain's head until commit."""

    async def append(self, draft: EventDraft) -> Event: ...
    async def list(self, scope: Scope, after_sequence: int, limit: int) -> Sequence[Event]:
        """Return events in order of sequence, after the given one; an empty list outside a platform's scope."""
        ...

    async def get_last_sequence(self, scope: Scope) -> int: ...


class SnapshotRepository(Protocol):
    """Versions of the gateways' snapshot and which rows changed at each (R10)."""

    async def get_mark(self) -> SnapshotMark: ...
    async def touch(self, table: SnapshotTable, row_ids: Iterable[UUID]) -> int:
        """Note that rows changed and return the version of this transaction, raised once however often it is called.

        No rows raise nothing.
        """
        ...

    async def list_changes(self, after_version: int) -> Sequence[SnapshotChange] | None:
        """Return changes after a version; None if they are no longer all kept."""
        ...


class OutboxRepository(Protocol):
    """Work that follows from data, committed with it: one row per noun, due at a time, taken under a lease."""

    async def put(self, noun: WorkNoun, noun_id: UUID, due_at: datetime) -> None:
        """Make the work due at the earlier of `due_at` and what is stored, raise its generation, count attempts anew."""
        ...

    async def take(
        self, now: datetime, life: timedelta, most: int, nouns: Iterable[WorkNoun] | None = None
    ) -> Sequence[Lease]:
        """Lease up to `most` rows that are due and not under another's live lease: of these nouns, or of all for None."""
        ...

    async def collect_due_nouns(self, now: datetime) -> frozenset[WorkNoun]:
        """Return the nouns of what `take` would lease now."""
        ...

    async def check(self, lease: Lease, now: datetime) -> None:
        """Raise LeaseLost unless the lease is still held; locks the row, so the rest of the transaction is guarded."""
        ...

    async def finish(self, lease: Lease, due_again_at: datetime | None) -> None:
        """End the lease: the row goes, or is due again then; a generation raised meanwhile makes it due at once.

        In a transaction that has checked the lease the work is done, so attempts are counted anew; alone, it failed.
        Raises LeaseLost.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a write that carried an idempotency key; `request_digest` is that of the request it answered."""

    request_digest: str
    status: int
    body: str
    etag: str | None


class IdempotencyRepository(Protocol):
    """Answers kept under (principal, key)."""

    async def find(self, principal_id: UUID, key: str) -> StoredAnswer | None: ...
    async def insert(self, principal_id: UUID, key: str, answer: StoredAnswer, created_at: datetime) -> None:
        """Keep an answer; raises AlreadyExists if a concurrent request was first."""
        ...


class Transaction(Protocol):
    """All repositories within one transaction. In a read view, writing raises InvariantBroken."""

    platform: PlatformRepository
    organizations: OrganizationRepository
    projects: ProjectRepository
    keys: KeyRepository
    machines: MachineRepository
    join_tokens: JoinTokenRepository
    links: LinkRepository
    invitations: InvitationRepository
    providers: ProviderRepository
    sites: SiteRepository
    doors: DoorRepository
    nodes: NodeRepository
    devices: DeviceRepository
    inventories: InventoryRepository
    facilities: FacilityRepository
    claims: ClaimRepository
    surveys: SurveyRepository
    challenges: ChallengeRepository
    serving_challenges: ServingChallengeRepository
    models: ModelRepository
    prices: PriceRepository
    offers: OfferRepository
    deductions: DeductionRepository
    deployments: DeploymentRepository
    grants: GrantRepository
    grant_terms: GrantTermsRepository
    grant_wants: GrantWantRepository
    replicas: ReplicaRepository
    accounts: AccountRepository
    budgets: BudgetRepository
    top_ups: TopUpRepository
    webhooks: WebhookRepository
    alerts: AlertRepository
    deliveries: DeliveryRepository
    tickets: TicketRepository
    admissions: AdmissionRepository
    platform_tickets: PlatformTicketRepository
    cross_charges: CrossChargeRepository
    shares: ShareRepository
    incarnations: IncarnationRepository
    usage: UsageRepository
    suspense: SuspenseRepository
    quarantine: QuarantineRepository
    forecasts: ForecastRepository
    entries: EntryRepository
    archive: ArchiveRepository
    retention: RetentionRepository
    statements: StatementRepository
    statement_records: StatementRecordRepository
    closings: ClosingRepository
    payouts: PayoutRepository
    disputes: DisputeRepository
    outgoing_logs: OutgoingLogRepository
    incoming_logs: IncomingLogRepository
    registers: RegisterRepository
    refused_letters: RefusedLetterRepository
    cross_records: CrossRecordRepository
    cross_batches: CrossBatchRepository
    totals: TotalRepository
    settlements: SettlementRepository
    platform_disputes: PlatformDisputeRepository
    site_reports: SiteReportRepository
    exchanges: ExchangeRepository
    events: EventRepository
    snapshot: SnapshotRepository
    outbox: OutboxRepository
    idempotency: IdempotencyRepository

    def call_after_commit(self, act: Callable[[], None]) -> None:
        """Have `act` called in this process once the transaction has committed; not at all where it does not.

        A process that ends meanwhile calls nothing: what must be done is put into the outbox.
        """
        ...


class Storage(Protocol):
    """A database with keisan's schema."""

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a read view; nothing is written."""
        ...

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a write transaction: committed when the block ends, rolled back when it raises.

        Serialization failures and deadlocks surface as TransactionConflict; the caller repeats the whole block.
        """
        ...

    async def migrate(self) -> None:
        """Bring the schema to the revision of this code, under a lock: processes that start together are safe.

        Raises StorageUnavailable if the database cannot be reached or has a newer schema than this code knows.
        """
        ...

    async def check(self) -> None:
        """Raise StorageUnavailable unless the database answers and its schema is the one expected."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
