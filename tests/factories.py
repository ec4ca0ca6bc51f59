"""Nouns with new ids, and a small world of two organizations and two providers that is whole: every name it uses exists."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.domain.access import MachineKind
from keisan.domain.account import AccountKey, AccountKind
from keisan.domain.alert import Alert
from keisan.domain.budget import Budget, PeriodKind
from keisan.domain.challenge import Challenge, ChallengeState
from keisan.domain.claim import Claim
from keisan.domain.deduction import Deduction, DeductionKind
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.deployment import Deployment
from keisan.domain.device import Device
from keisan.domain.dispute import Dispute
from keisan.domain.door import Door
from keisan.domain.entry import Entry, EntryKind
from keisan.domain.facility import Facility
from keisan.domain.ids import (
    AccountId,
    AlertId,
    BudgetId,
    ChallengeId,
    ChallengeRoundId,
    ClaimId,
    DeductionId,
    DeliveryId,
    DeploymentId,
    DeviceId,
    DisputeId,
    EntryId,
    FacilityId,
    InvitationId,
    JoinTokenId,
    KeyId,
    LinkId,
    MachineId,
    ModelId,
    NodeId,
    OfferId,
    OrganizationId,
    PayoutId,
    PlatformId,
    PriceId,
    ProjectId,
    ProviderId,
    ReplicaId,
    ServingChallengeId,
    SiteId,
    StatementId,
    SurveyId,
    WebhookId,
    hash_public_key,
)
from keisan.domain.key import Key
from keisan.domain.key_chain import KeyChain
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.machine import JoinToken, Machine
from keisan.domain.model import Model
from keisan.domain.node import Node
from keisan.domain.offer import Offer
from keisan.domain.organization import Billing, Organization
from keisan.domain.payout import Payout
from keisan.domain.platform import Platform, PlatformKind
from keisan.domain.price import Price
from keisan.domain.project import Project
from keisan.domain.provider import Provider
from keisan.domain.replica import Replica
from keisan.domain.serving_challenge import ServingChallenge, ServingState
from keisan.domain.site import Site
from keisan.domain.statement import Statement, StatementHolder, StatementState
from keisan.domain.statement_document import digest_document, write_document
from keisan.domain.survey import SurveyLine
from keisan.domain.top_up import TopUp
from keisan.domain.usage import UsageRecord
from keisan.domain.webhook import Webhook, WebhookState
from keisan.federation.identity import LinkIdentity
from keisan.kit.clock import Clock
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner
from keisan.ledger.journal import Journal
from keisan.storage.base import Storage, Transaction
from tests.domain.challenge_samples import build_challenge
from tests.domain.samples import (
    ENTRY_ID,
    FACTS,
    build_alert,
    build_budget,
    build_claim,
    build_deduction,
    build_delivery,
    build_deployment,
    build_device,
    build_dispute,
    build_door,
    build_facility,
    build_key,
    build_model,
    build_node,
    build_offer,
    build_organization,
    build_posted,
    build_price,
    build_project,
    build_record,
    build_replica,
    build_site,
    build_statement_content,
    build_survey_line,
    build_top_up,
    build_webhook,
    create_record_id,
)
from tests.domain.serving_samples import build_serving_challenge

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIGNER = KeySigner(Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
IDENTITY = LinkIdentity(KeyChain(SIGNER.public_key), SIGNER, bytes(32))
# That of a platform which wants to be a child.
CHILD_SIGNER = KeySigner(Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
PUBLIC_KEY = SIGNER.public_key
PLATFORM_ID = hash_public_key(PUBLIC_KEY)


@dataclass
class FixedClock:
    """A clock that stands still until it is moved; waiting moves it."""

    instant: datetime = NOW

    def now(self) -> datetime:
        return self.instant

    def monotonic_s(self) -> float:
        return (self.instant - NOW).total_seconds()

    async def sleep(self, duration_s: float) -> None:
        self.instant += timedelta(seconds=duration_s)


@dataclass(frozen=True)
class Side:
    """What belongs to one organization and one provider."""

    organization: Organization
    project: Project
    key: Key
    budget: Budget
    provider: Provider
    site: Site
    node: Node
    device: Device
    challenge: Challenge
    serving_challenge: ServingChallenge
    agent: Machine
    deployment: Deployment
    replica: Replica
    record: UsageRecord
    offer: Offer
    margin: Deduction
    tax: Deduction
    facility: Facility
    claim: Claim
    webhook: Webhook
    alert: Alert
    delivery: Delivery
    top_up: TopUp
    wallet_id: AccountId
    payable_id: AccountId


@dataclass(frozen=True)
class World:
    """The platform, what is public on it, a gateway, and two sides that must not see each other."""

    platform: Platform
    model: Model
    price: Price
    gateway: Machine
    survey_line: SurveyLine
    left: Side
    right: Side
    link: Link


def create_platform() -> Platform:
    return Platform(PLATFORM_ID, "national", PlatformKind.NATIONAL, "JP-13", PUBLIC_KEY, 1, NOW)


def create_organization(name: str = "") -> Organization:
    new_id = create_id()
    return build_organization(
        id=OrganizationId(new_id),
        platform_id=PLATFORM_ID,
        name=name or f"organization {new_id}",
        billing=Billing.PREPAID,
        created_at=NOW,
    )


def create_project(organization: Organization, name: str = "default") -> Project:
    return build_project(
        id=ProjectId(create_id()),
        platform_id=PLATFORM_ID,
        organization_id=organization.id,
        name=name,
        created_at=NOW,
    )


def create_key(project: Project) -> Key:
    new_id = create_id()
    return build_key(
        id=KeyId(new_id),
        platform_id=PLATFORM_ID,
        organization_id=project.organization_id,
        project_id=project.id,
        digest=new_id.hex * 2,
        created_at=NOW,
    )


def create_budget(key: Key, **changes: object) -> Budget:
    """Return a budget of a key that bounds nothing a test spends, unless it says otherwise."""
    values: dict[str, object] = {
        "id": BudgetId(create_id()),
        "platform_id": PLATFORM_ID,
        "organization_id": key.organization_id,
        "project_id": key.project_id,
        "key_id": key.id,
        "amount_nano": 10**30,
        "period": PeriodKind.MONTH,
    }
    return build_budget(**(values | changes))


def create_provider(name: str = "") -> Provider:
    new_id = create_id()
    return Provider(ProviderId(new_id), PLATFORM_ID, name or f"provider {new_id}", 1, NOW)


def create_site(provider: Provider, name: str = "tokyo-1") -> Site:
    new_id = SiteId(create_id())
    return build_site(id=new_id, platform_id=PLATFORM_ID, provider_id=provider.id, name=name, version=1, created_at=NOW)


def create_door(site: Site) -> Door:
    """Return a door that is closed: its site has none now."""
    return build_door(id=site.id, platform_id=PLATFORM_ID, place=None, shown_salt="", moved_at=None, version=1)


def create_node(site: Site) -> Node:
    new_id = NodeId(create_id())
    return build_node(id=new_id, platform_id=PLATFORM_ID, site_id=site.id, hardware_id=new_id.hex)


def create_device(node: Node) -> Device:
    new_id = DeviceId(create_id())
    return build_device(
        id=new_id, platform_id=PLATFORM_ID, site_id=node.site_id, node_id=node.id, hardware_id=new_id.hex
    )


def create_challenge(device: Device, **changes: object) -> Challenge:
    """Return a planned challenge of a device, of a round of its own."""
    values: dict[str, object] = {
        "id": ChallengeId(create_id()),
        "round_id": ChallengeRoundId(create_id()),
        "site_id": device.site_id,
        "node_id": device.node_id,
        "device_id": device.id,
        "hardware_id": device.hardware_id,
        "chip": device.chip,
    }
    return build_challenge(**(values | changes))


def create_serving_challenge(replica: Replica, key: Key, **changes: object) -> ServingChallenge:
    """Return a planned serving challenge of a replica's deployment at its site, paid by a key's project."""
    values: dict[str, object] = {
        "id": ServingChallengeId(create_id()),
        "site_id": replica.site_id,
        "deployment_id": replica.deployment_id,
        "model_id": replica.model_id,
        "project_id": key.project_id,
        "asked_by": key.id,
        "state": ServingState.PLANNED,
    }
    return build_serving_challenge(**(values | changes))


def create_machine(site: Site | None = None) -> Machine:
    """Return a site's agent, or a gateway without a site."""
    new_id = create_id()
    return Machine(
        id=MachineId(new_id),
        platform_id=PLATFORM_ID,
        kind=MachineKind.SITE if site else MachineKind.GATEWAY,
        site_id=site.id if site else None,
        name="machine",
        digest=new_id.hex * 2,
        acknowledged_version=0,
        seen_at=None,
        version=1,
        created_at=NOW,
        revoked_at=None,
    )


def create_link(signer: KeySigner = SIGNER) -> Link:
    """Return a child's link that was asked for; another signer is another child."""
    keys = KeyChain(signer.public_key)
    return Link(
        id=LinkId(create_id()),
        platform_id=PLATFORM_ID,
        neighbour_id=keys.platform_id,
        side=LinkSide.CHILD,
        state=LinkState.REQUESTED,
        name="Shanxi",
        kind=PlatformKind.REGIONAL,
        region=None,
        prefix="",
        epoch=1,
        keys=keys,
        url="",
        invitation_id=InvitationId(create_id()),
        certificate="",
        certificate_ends_at=None,
        ca="",
        offset_ms=None,
        heard_at=None,
        reviewer="",
        reviewed_at=None,
        ended_at=None,
        version=1,
        created_at=NOW,
        link_key=signer.public_key,
    )


def create_join_token(site: Site | None = None) -> JoinToken:
    new_id = create_id()
    return JoinToken(
        id=JoinTokenId(new_id),
        platform_id=PLATFORM_ID,
        kind=MachineKind.SITE if site else MachineKind.GATEWAY,
        site_id=site.id if site else None,
        digest=new_id.hex * 2,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        used_by=None,
    )


def create_model(name: str = "") -> Model:
    new_id = create_id()
    facts = replace(FACTS, name=name or f"model-{new_id}")
    return build_model(id=ModelId(new_id), platform_id=PLATFORM_ID, facts=facts, created_at=NOW)


def create_price(model: Model, version: int = 1, currency: str = "CNY") -> Price:
    return build_price(
        id=PriceId(create_id()), platform_id=PLATFORM_ID, model_id=model.id, version=version, currency=currency
    )


def create_offer(provider: Provider, model: Model, version: int = 1) -> Offer:
    return build_offer(
        id=OfferId(create_id()), platform_id=PLATFORM_ID, provider_id=provider.id, model_id=model.id, version=version
    )


def create_facility(site: Site, **changes: Any) -> Facility:
    born = {"id": FacilityId(create_id()), "platform_id": PLATFORM_ID, "site_id": site.id}
    return build_facility(**(born | changes))


def create_claim(site: Site, chip: str = "nvidia-h20") -> Claim:
    return build_claim(id=ClaimId(create_id()), platform_id=PLATFORM_ID, site_id=site.id, chip=chip)


def create_survey_line(line: int = 1) -> SurveyLine:
    return build_survey_line(id=SurveyId(create_id()), platform_id=PLATFORM_ID, line=line)


def create_margin(provider: Provider | None = None, version: int = 1) -> Deduction:
    """Return a margin of one provider, or everybody's."""
    return build_deduction(
        id=DeductionId(create_id()),
        platform_id=PLATFORM_ID,
        provider_id=provider.id if provider else None,
        version=version,
    )


def create_tax(organization: Organization | None = None, version: int = 1) -> Deduction:
    """Return the tax of one organization, or everybody's."""
    return build_deduction(
        id=DeductionId(create_id()),
        platform_id=PLATFORM_ID,
        kind=DeductionKind.TAX,
        organization_id=organization.id if organization else None,
        version=version,
    )


def create_deployment(model: Model, site: Site | None = None) -> Deployment:
    return build_deployment(
        id=DeploymentId(create_id()),
        platform_id=PLATFORM_ID,
        model_id=model.id,
        site_id=site.id if site else None,
    )


def create_replica(deployment: Deployment, site: Site, node: Node) -> Replica:
    return build_replica(
        id=ReplicaId(create_id()),
        platform_id=PLATFORM_ID,
        deployment_id=deployment.id,
        model_id=deployment.model_id,
        provider_id=site.provider_id,
        site_id=site.id,
        node_id=node.id,
        version=1,
    )


def build_entry() -> Entry:
    """Return an entry for who needs one and does not look into it."""
    return Entry(ENTRY_ID, PLATFORM_ID, 1, EntryKind.USAGE, 1, b"header", "00" * 32, b"signature", NOW)


def build_journal(platform_id: PlatformId, clock: Clock) -> Journal:
    """Return a journal signed with a key of the tests' own."""
    return Journal(platform_id, clock, SIGNER)


def create_record(key: Key, price: Price, replica: Replica, gateway: Machine) -> UsageRecord:
    new_id = create_record_id(NOW)
    return build_record(
        id=new_id,
        admitted_at=NOW,
        platform_id=PLATFORM_ID,
        gateway_id=gateway.id,
        organization_id=key.organization_id,
        project_id=key.project_id,
        key_id=key.id,
        model_id=price.model_id,
        price_id=price.id,
        deployment_id=replica.deployment_id,
        replica_id=replica.id,
        provider_id=replica.provider_id,
        site_id=replica.site_id,
        content_digest=new_id.bytes * 2,
    )


def create_webhook(organization: Organization | None) -> Webhook:
    """Return a webhook of an organization, or the platform's own."""
    return build_webhook(
        id=WebhookId(create_id()),
        platform_id=PLATFORM_ID,
        organization_id=organization.id if organization else None,
        created_at=NOW,
    )


def create_alert(organization: Organization | None) -> Alert:
    return build_alert(
        id=AlertId(create_id()),
        platform_id=PLATFORM_ID,
        organization_id=organization.id if organization else None,
        subject_id=create_id(),
        created_at=NOW,
    )


def create_delivery(webhook: Webhook, alert: Alert, sequence: int = 1) -> Delivery:
    return build_delivery(
        id=DeliveryId(create_id()),
        platform_id=PLATFORM_ID,
        organization_id=webhook.organization_id,
        webhook_id=webhook.id,
        sequence=sequence,
        alert_id=alert.id,
        wanted_since=NOW,
        next_at=NOW,
        created_at=NOW,
    )


def create_top_up(key: Key) -> TopUp:
    """Return what a key proposed for its own organization."""
    return build_top_up(
        id=EntryId(create_id()),
        platform_id=PLATFORM_ID,
        organization_id=key.organization_id,
        proposed_by=key.id,
        expires_at=NOW + timedelta(days=7),
        created_at=NOW,
    )


def create_statement(holder: StatementHolder, **changes: Any) -> Statement:
    """Return a closed statement of October as the platform's own, signed; changes are of its content."""
    content = build_statement_content(
        id=StatementId(create_id()), platform_id=PLATFORM_ID, holder=holder, closed_at=NOW
    )
    content = replace(content, **changes)
    assert content.id is not None
    assert content.closed_at is not None
    document = write_document(content)
    return Statement(
        id=content.id,
        platform_id=content.platform_id,
        holder=content.holder,
        period=content.period,
        state=StatementState.CLOSED,
        totals=content.totals,
        balances=content.balances,
        after_sequence=None,
        entry_sequence=content.entry_sequence,
        records_root=content.records_root or "",
        document=document,
        document_sha256=digest_document(document),
        signature=SIGNER.sign(document),
        closed_at=content.closed_at,
    )


def create_payout(statement: Statement, amount_nano: int = 61_000) -> Payout:
    return Payout(
        id=PayoutId(create_id()),
        platform_id=PLATFORM_ID,
        statement_id=statement.id,
        provider_id=ProviderId(statement.holder.id),
        currency=statement.holder.currency,
        amount_nano=amount_nano,
        note="reference 7",
        entry_id=EntryId(create_id()),
        created_at=NOW,
    )


def create_dispute(statement: Statement) -> Dispute:
    return build_dispute(id=DisputeId(create_id()), statement_id=statement.id, holder=statement.holder)


async def plant_world(storage: Storage) -> World:
    """Insert a world and return it."""
    platform, model, gateway = create_platform(), create_model(), create_machine()
    survey_line = create_survey_line()
    price = create_price(model)
    async with storage.write() as transaction:
        await transaction.platform.insert(platform)
        await transaction.models.insert(model)
        await transaction.prices.insert(price)
        await transaction.machines.insert(gateway)
        await transaction.surveys.insert(survey_line)
        left = await plant_side(transaction, price, model, gateway)
        right = await plant_side(transaction, price, model, gateway)
        # The left site has none, so that a test can give it one.
        await transaction.doors.insert(create_door(right.site))
        link = create_link(CHILD_SIGNER)
        await transaction.links.insert(link)
    return World(platform, model, price, gateway, survey_line, left, right, link)


async def plant_side(transaction: Transaction, price: Price, model: Model, gateway: Machine) -> Side:
    """Insert one organization and one provider with all that belongs to them."""
    organization, provider = create_organization(), create_provider()
    project, site = create_project(organization), create_site(provider)
    key, node, agent = create_key(project), create_node(site), create_machine(site)
    budget = create_budget(key, period=PeriodKind.LIFETIME)
    device, deployment = create_device(node), create_deployment(model)
    replica = create_replica(deployment, site, node)
    await transaction.organizations.insert(organization)
    await transaction.projects.insert(project)
    await transaction.keys.insert(key)
    await transaction.budgets.insert(budget)
    await transaction.providers.insert(provider)
    await transaction.sites.insert(site)
    await transaction.nodes.insert(node)
    await transaction.devices.insert(device)
    await transaction.machines.insert(agent)
    await transaction.deployments.insert(deployment)
    await transaction.replicas.insert(replica)
    challenge, serving_challenge = await _plant_challenges(transaction, device, replica, key)
    record = create_record(key, price, replica, gateway)
    await transaction.usage.insert_many([build_posted(record, currency=price.currency, entry_id=None)])
    offer, margin, tax = create_offer(provider, model), create_margin(provider), create_tax(organization)
    await transaction.offers.insert(offer)
    await transaction.deductions.insert(margin)
    await transaction.deductions.insert(tax)
    facility, claim = await _plant_building(transaction, site)
    (webhook, alert, delivery), top_up = await _plant_alert(transaction, organization), create_top_up(key)
    await transaction.top_ups.insert(top_up)
    wallet = AccountKey(AccountKind.WALLET, organization.id, None, price.currency)
    payable = AccountKey(AccountKind.PROVIDER_PAYABLE, None, provider.id, price.currency)
    accounts = await transaction.accounts.open([wallet, payable])
    return Side(
        organization=organization,
        project=project,
        key=key,
        budget=budget,
        provider=provider,
        site=site,
        node=node,
        device=device,
        challenge=challenge,
        serving_challenge=serving_challenge,
        agent=agent,
        deployment=deployment,
        replica=replica,
        record=record,
        offer=offer,
        margin=margin,
        tax=tax,
        facility=facility,
        claim=claim,
        webhook=webhook,
        alert=alert,
        delivery=delivery,
        top_up=top_up,
        wallet_id=accounts[wallet],
        payable_id=accounts[payable],
    )


async def _plant_challenges(
    transaction: Transaction, device: Device, replica: Replica, key: Key
) -> tuple[Challenge, ServingChallenge]:
    """Insert challenges that are over, and without proof: they stand in the way of nothing."""
    challenge = create_challenge(device, state=ChallengeState.JUDGED, judged_at=NOW)
    served = create_serving_challenge(replica, key, state=ServingState.JUDGED, judged_at=NOW)
    await transaction.challenges.insert(challenge)
    await transaction.serving_challenges.insert(served)
    return challenge, served


async def _plant_building(transaction: Transaction, site: Site) -> tuple[Facility, Claim]:
    """Insert what a site's owner tells of it."""
    facility, claim = create_facility(site), create_claim(site)
    await transaction.facilities.insert(facility)
    await transaction.claims.insert(claim)
    return facility, claim


async def _plant_alert(transaction: Transaction, organization: Organization) -> tuple[Webhook, Alert, Delivery]:
    """Insert an alert that was delivered to a webhook."""
    # Disabled, so that nothing is sent where a test has no receiver.
    webhook = replace(create_webhook(organization), state=WebhookState.DISABLED)
    alert = create_alert(organization)
    delivery = replace(create_delivery(webhook, alert), state=DeliveryState.DELIVERED)
    await transaction.webhooks.insert(webhook)
    await transaction.alerts.insert(alert)
    await transaction.deliveries.insert(delivery)
    return webhook, alert, delivery
