"""A database as Storage: read views and write transactions over either dialect. The only place that commits."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from keisan.domain.errors import StorageUnavailable
from keisan.kit.clock import Clock
from keisan.storage import (
    base,
    base_alert,
    base_archive,
    base_challenge,
    base_credit,
    base_facility,
    base_grant,
    base_ledger,
    base_link,
    base_neighbour,
    base_price,
    base_region,
    base_retention,
    base_settlement,
    base_statement,
    base_telemetry,
)
from keisan.storage.account import AccountRepository
from keisan.storage.admission import AdmissionRepository
from keisan.storage.alert import AlertRepository
from keisan.storage.archive import ArchiveRepository
from keisan.storage.budget import BudgetRepository
from keisan.storage.challenge import ChallengeRepository
from keisan.storage.claim import ClaimRepository
from keisan.storage.closing import ClosingRepository
from keisan.storage.connection import GuardedConnection, translate_errors
from keisan.storage.cross_charge import CrossChargeRepository
from keisan.storage.cross_record import CrossBatchRepository, CrossRecordRepository
from keisan.storage.deduction import DeductionRepository
from keisan.storage.delivery import DeliveryRepository
from keisan.storage.deployment import DeploymentRepository
from keisan.storage.device import DeviceRepository
from keisan.storage.dialect import Dialect
from keisan.storage.dispute import DisputeRepository
from keisan.storage.door import DoorRepository
from keisan.storage.entry import EntryRepository
from keisan.storage.event import EventRepository
from keisan.storage.facility import FacilityRepository
from keisan.storage.forecast import ForecastRepository
from keisan.storage.grant import GrantRepository, GrantTermsRepository, GrantWantRepository
from keisan.storage.head import HeadRow
from keisan.storage.idempotency import IdempotencyRepository
from keisan.storage.incarnation import IncarnationRepository
from keisan.storage.incoming_log import IncomingLogRepository
from keisan.storage.inventory import InventoryRepository
from keisan.storage.key import KeyRepository
from keisan.storage.lease import OutboxRepository
from keisan.storage.link import InvitationRepository, LinkRepository
from keisan.storage.machine import JoinTokenRepository, MachineRepository
from keisan.storage.migration import downgrade_schema, name_newest_revision, read_revision, upgrade_schema
from keisan.storage.model import ModelRepository
from keisan.storage.node import NodeRepository
from keisan.storage.offer import OfferRepository
from keisan.storage.organization import OrganizationRepository
from keisan.storage.outgoing_log import OutgoingLogRepository
from keisan.storage.payout import PayoutRepository
from keisan.storage.platform import PlatformRepository
from keisan.storage.platform_ticket import PlatformTicketRepository
from keisan.storage.price import PriceRepository
from keisan.storage.project import ProjectRepository
from keisan.storage.provider import ProviderRepository
from keisan.storage.quarantine import QuarantineRepository
from keisan.storage.refused_letter import RefusedLetterRepository
from keisan.storage.region import ExchangeRepository, SiteReportRepository
from keisan.storage.register import RegisterRepository
from keisan.storage.replica import ReplicaRepository
from keisan.storage.retention import RetentionRepository
from keisan.storage.serving_challenge import ServingChallengeRepository
from keisan.storage.settlement import PlatformDisputeRepository, SettlementRepository, TotalRepository
from keisan.storage.share import ShareRepository
from keisan.storage.site import SiteRepository
from keisan.storage.snapshot import SnapshotRepository
from keisan.storage.statement import StatementRepository
from keisan.storage.statement_record import StatementRecordRepository
from keisan.storage.survey import SurveyRepository
from keisan.storage.suspense import SuspenseRepository
from keisan.storage.ticket import TicketRepository
from keisan.storage.top_up import TopUpRepository
from keisan.storage.usage import UsageRepository
from keisan.storage.webhook import WebhookRepository


class DatabaseTransaction:
    """All repositories over one connection."""

    def __init__(self, connection: GuardedConnection, clock: Clock) -> None:
        head = HeadRow(connection)
        platform = PlatformRepository(connection)
        self.platform: base.PlatformRepository = platform
        self.organizations: base.OrganizationRepository = OrganizationRepository(connection)
        self.projects: base.ProjectRepository = ProjectRepository(connection)
        self.keys: base.KeyRepository = KeyRepository(connection)
        self.machines: base.MachineRepository = MachineRepository(connection)
        self.join_tokens: base.JoinTokenRepository = JoinTokenRepository(connection)
        self.providers: base.ProviderRepository = ProviderRepository(connection)
        self.sites: base.SiteRepository = SiteRepository(connection)
        self.doors: base.DoorRepository = DoorRepository(connection)
        self.nodes: base.NodeRepository = NodeRepository(connection)
        self.devices: base.DeviceRepository = DeviceRepository(connection)
        self.inventories: base_telemetry.InventoryRepository = InventoryRepository(connection)
        self.facilities: base_facility.FacilityRepository = FacilityRepository(connection)
        self.claims: base_facility.ClaimRepository = ClaimRepository(connection)
        self.surveys: base_facility.SurveyRepository = SurveyRepository(connection)
        self.challenges: base_challenge.ChallengeRepository = ChallengeRepository(connection)
        self.serving_challenges: base_challenge.ServingChallengeRepository = ServingChallengeRepository(connection)
        self.models: base.ModelRepository = ModelRepository(connection)
        self.prices: base_price.PriceRepository = PriceRepository(connection)
        self.offers: base_price.OfferRepository = OfferRepository(connection)
        self.deductions: base_price.DeductionRepository = DeductionRepository(connection)
        self.deployments: base.DeploymentRepository = DeploymentRepository(connection)
        self.replicas: base.ReplicaRepository = ReplicaRepository(connection)
        self.accounts: base_ledger.AccountRepository = AccountRepository(connection, platform, clock)
        self.budgets: base_ledger.BudgetRepository = BudgetRepository(connection)
        self.tickets: base_ledger.TicketRepository = TicketRepository(connection)
        self.shares: base_ledger.ShareRepository = ShareRepository(connection)
        self.incarnations: base_ledger.IncarnationRepository = IncarnationRepository(connection)
        self.usage: base_ledger.UsageRepository = UsageRepository(connection)
        self.suspense: base_ledger.SuspenseRepository = SuspenseRepository(connection)
        self.quarantine: base_ledger.QuarantineRepository = QuarantineRepository(connection)
        self.forecasts: base_ledger.ForecastRepository = ForecastRepository(connection)
        self.entries: base_ledger.EntryRepository = EntryRepository(connection, head)
        self.top_ups: base_alert.TopUpRepository = TopUpRepository(connection)
        self.webhooks: base_alert.WebhookRepository = WebhookRepository(connection)
        self.alerts: base_alert.AlertRepository = AlertRepository(connection)
        self.deliveries: base_alert.DeliveryRepository = DeliveryRepository(connection)
        self.archive: base_archive.ArchiveRepository = ArchiveRepository(connection)
        self.retention: base_retention.RetentionRepository = RetentionRepository(connection)
        self.statements: base_statement.StatementRepository = StatementRepository(connection)
        self.statement_records: base_statement.StatementRecordRepository = StatementRecordRepository(connection)
        self.closings: base_statement.ClosingRepository = ClosingRepository(connection)
        self.payouts: base_statement.PayoutRepository = PayoutRepository(connection)
        self.disputes: base_statement.DisputeRepository = DisputeRepository(connection)
        self.events: base.EventRepository = EventRepository(connection, head, platform, clock)
        self.snapshot: base.SnapshotRepository = SnapshotRepository(connection, head)
        self.work = OutboxRepository(connection)
        self.outbox: base.OutboxRepository = self.work
        self.idempotency: base.IdempotencyRepository = IdempotencyRepository(connection)
        self.after_commit: list[Callable[[], None]] = []
        self._open_federation(connection, clock, head)

    def call_after_commit(self, act: Callable[[], None]) -> None:
        """Have `act` called once the transaction has committed; not at all where it does not."""
        self.after_commit.append(act)

    def _open_federation(self, connection: GuardedConnection, clock: Clock, head: HeadRow) -> None:
        self.links: base_neighbour.LinkRepository = LinkRepository(connection)
        self.invitations: base_neighbour.InvitationRepository = InvitationRepository(connection)
        self.grants: base_grant.GrantRepository = GrantRepository(connection)
        self.grant_terms: base_grant.GrantTermsRepository = GrantTermsRepository(connection)
        self.grant_wants: base_grant.GrantWantRepository = GrantWantRepository(connection)
        self.admissions: base_credit.AdmissionRepository = AdmissionRepository(connection)
        self.platform_tickets: base_credit.PlatformTicketRepository = PlatformTicketRepository(connection)
        self.cross_charges: base_credit.CrossChargeRepository = CrossChargeRepository(connection)
        self.outgoing_logs: base_link.OutgoingLogRepository = OutgoingLogRepository(connection, clock)
        self.incoming_logs: base_link.IncomingLogRepository = IncomingLogRepository(connection, clock)
        self.registers: base_link.RegisterRepository = RegisterRepository(connection, head)
        self.refused_letters: base_link.RefusedLetterRepository = RefusedLetterRepository(connection)
        self.cross_records: base_settlement.CrossRecordRepository = CrossRecordRepository(connection)
        self.cross_batches: base_settlement.CrossBatchRepository = CrossBatchRepository(connection)
        self.totals: base_settlement.TotalRepository = TotalRepository(connection)
        self.settlements: base_settlement.SettlementRepository = SettlementRepository(
            connection, PlatformRepository(connection)
        )
        self.platform_disputes: base_settlement.PlatformDisputeRepository = PlatformDisputeRepository(connection)
        self.site_reports: base_region.SiteReportRepository = SiteReportRepository(connection)
        self.exchanges: base_region.ExchangeRepository = ExchangeRepository(connection)


class Database:
    """Storage on one database."""

    def __init__(self, dialect: Dialect, clock: Clock) -> None:
        self._dialect = dialect
        self._clock = clock

    @asynccontextmanager
    async def read(self) -> AsyncIterator[DatabaseTransaction]:
        """Open a read view: consistent, and nothing is written. Raises StorageUnavailable."""
        async with self._dialect.open_reader() as connection:
            yield DatabaseTransaction(GuardedConnection(connection, self._dialect, is_writable=False), self._clock)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[DatabaseTransaction]:
        """Open a write transaction, committed when the block ends. Raises StorageUnavailable.

        A block that goes on after the database refused a statement is rolled back and raises InvariantBroken.
        """
        async with self._dialect.open_writer() as connection:
            guarded = GuardedConnection(connection, self._dialect, is_writable=True)
            transaction = DatabaseTransaction(guarded, self._clock)
            yield transaction
            guarded.require_whole()
            await transaction.work.flush()
            await self._commit(connection)
            for act in transaction.after_commit:
                act()

    async def migrate(self) -> None:
        """Bring the schema to the newest revision, alone. Raises StorageUnavailable for a schema newer than that."""
        await self.change_schema(upgrade_schema)

    async def downgrade(self, revision: str) -> None:
        """Take the schema back to a revision, or to "base": for tests of the migrations, it drops data."""
        await self.change_schema(lambda connection: downgrade_schema(connection, revision))

    async def change_schema(self, change: Callable[[Connection], None]) -> None:
        """Run a change of the schema alone and commit it whole."""
        async with self._dialect.open_migrator() as connection:
            with translate_errors(self._dialect):
                await connection.run_sync(change)
                await self._dialect.check_migrated(connection)
            await self._commit(connection)

    async def check(self) -> None:
        """Raise StorageUnavailable unless the database answers and its schema is the one expected."""
        async with self._dialect.open_reader() as connection:
            with translate_errors(self._dialect):
                revision = await connection.run_sync(read_revision)
        expected = name_newest_revision()
        if revision != expected:
            raise StorageUnavailable(
                "the database is not at this release's schema", f"expected {expected}, got {revision}"
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._dialect.close()

    async def _commit(self, connection: AsyncConnection) -> None:
        with translate_errors(self._dialect):
            await connection.commit()
