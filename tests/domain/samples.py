"""One good value of each noun, all of one small platform; `replace` or the keywords make the case a test needs."""

import secrets
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from keisan.domain.access import Role
from keisan.domain.alert import Alert, AlertKind
from keisan.domain.budget import Budget, PeriodKind
from keisan.domain.call_limits import CallLimits
from keisan.domain.chip import Chip, ChipFact
from keisan.domain.claim import Claim, ClaimedCapacity
from keisan.domain.closing import Closing
from keisan.domain.deduction import Deduction, DeductionKind
from keisan.domain.delivery import Delivery, DeliveryState
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.device import Device, DeviceUse
from keisan.domain.dispute import Dispute, DisputeState
from keisan.domain.door import Door, DoorPlace, DoorStage
from keisan.domain.engine import EngineProfile, RunningUsage
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.facility import Facility, FacilityFigures
from keisan.domain.fact import FactName
from keisan.domain.figure import Precision
from keisan.domain.ids import (
    AlertId,
    BudgetId,
    ClaimId,
    ClosingId,
    DeductionId,
    DeliveryId,
    DeploymentId,
    DeviceId,
    DisputeId,
    EntryId,
    FacilityId,
    KeyId,
    MachineId,
    ModelId,
    NodeId,
    OfferId,
    OrganizationId,
    PlatformId,
    PriceId,
    ProjectId,
    ProviderId,
    RecordId,
    ReplicaId,
    SiteId,
    StatementId,
    SurveyId,
    TicketId,
    WebhookId,
)
from keisan.domain.key import Key
from keisan.domain.model import Model, ModelFacts, Surface
from keisan.domain.node import Node
from keisan.domain.offer import Offer, OfferKind
from keisan.domain.organization import Billing, Organization
from keisan.domain.price import Price, TokenClass, compute_amount_nano
from keisan.domain.project import Project
from keisan.domain.replica import Endpoint, Replica, ReplicaState
from keisan.domain.site import Site
from keisan.domain.statement import (
    Adjustment,
    Balances,
    HolderKind,
    Period,
    StatementContent,
    StatementHolder,
    StatementLine,
    StatementSum,
    Totals,
)
from keisan.domain.statement_draft import OpenSeal, StatementDraft
from keisan.domain.survey import SurveyedFacility, SurveyLine
from keisan.domain.suspense import SuspendedRecord
from keisan.domain.ticket import CreditTerms, Ticket, TicketState
from keisan.domain.top_up import TopUp, TopUpKind, TopUpState
from keisan.domain.usage import CallOutcome, Charge, PostedRecord, UsageContext, UsageRecord, UsageSource
from keisan.domain.verdict import Verdict
from keisan.domain.webhook import Webhook, WebhookState
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id


def name_id(group: int, number: int = 1) -> UUID:
    """Return a fixed UUIDv7; `group` tells the noun, `number` one from another."""
    return UUID(f"019ab000-{group:04x}-7000-8000-{number:012x}")


NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PLATFORM_ID = PlatformId("ab" * 32)
ORGANIZATION_ID = OrganizationId(name_id(1))
PROJECT_ID = ProjectId(name_id(2))
KEY_ID = KeyId(name_id(3))
GATEWAY_ID = MachineId(name_id(4))
PROVIDER_ID = ProviderId(name_id(5))
SITE_ID = SiteId(name_id(6))
NODE_ID = NodeId(name_id(7))
DEVICE_ID = DeviceId(name_id(8))
MODEL_ID = ModelId(name_id(9))
PRICE_ID = PriceId(name_id(10))
DEPLOYMENT_ID = DeploymentId(name_id(11))
REPLICA_ID = ReplicaId(name_id(12))
ENTRY_ID = EntryId(name_id(16))


def create_record_id(instant: datetime = NOW) -> RecordId:
    """Return a new id of a record that was admitted at `instant`."""
    milliseconds = to_milliseconds(instant)
    return RecordId(
        UUID(int=milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))
    )


def name_record_id(number: int = 1) -> RecordId:
    """Return a fixed id of a record that was admitted at NOW."""
    return RecordId(UUID(int=to_milliseconds(NOW) << 80 | 7 << 76 | 2 << 62 | number))


RECORD_ID = name_record_id()
OFFER_ID = OfferId(name_id(20))
DEDUCTION_ID = DeductionId(name_id(21))
FACILITY_ID = FacilityId(name_id(41))
CLAIM_ID = ClaimId(name_id(42))
SURVEY_ID = SurveyId(name_id(43))
FIGURES = FacilityFigures(
    address="計算 street 1",
    latitude_microdegrees=40_076_800,
    longitude_microdegrees=-113_300_100,
    standard_racks=2000,
    standard_racks_in_use=1500,
    rated_power_w=5_000_000,
    power_w=3_700_000,
    pue_permille=1250,
    wue_ml_per_kwh=1100,
    green_power_permille=480,
    ports={"400": 12, "100": 3},
    latency_hub_us=18_500,
    latency_city_us=5_001,
    latency_node_us=900,
    storage_bytes=2**60,
)
WEIGHTS_SHA256 = "5e" * 32
MODEL_DIGEST = f"sha256:{WEIGHTS_SHA256}"
MEMORY_BYTES = 300_000_000
ENGINE = EngineProfile(RunningUsage.LLAMA_CPP_TIMINGS, 5, 100, is_usage_summed_over_choices=False)
ENDPOINT = Endpoint("unix", "/run/keisan/e.sock")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
DOOR_PLACE = DoorPlace("door.example", 8443, is_tls=True, certificates=CERTIFICATE)
PRICES = {
    TokenClass.INPUT: 500_000_000,
    TokenClass.INPUT_CACHED: 50_000_000,
    TokenClass.OUTPUT: 1_500_000_000,
}

FACTS = ModelFacts(
    name="smollm2-135m-instruct",
    owner="HuggingFaceTB",
    architecture="llama",
    parameter_count=134_515_008,
    precision="q4_1",
    licence="Apache-2.0",
    surfaces=(Surface.CHAT, Surface.COMPLETIONS),
    capabilities=("stream",),
    engines=("llama_cpp",),
    context_tokens=2048,
    output_tokens_max=512,
    template_tokens_max=64,
    weights="path:/weights/smollm2.gguf",
    weights_sha256=WEIGHTS_SHA256,
    weights_bytes=98_362_432,
    memory_bytes=MEMORY_BYTES,
)


def build_organization(**changes: Any) -> Organization:
    organization = Organization(
        id=ORGANIZATION_ID,
        platform_id=PLATFORM_ID,
        name="alpha",
        billing=Billing.POSTPAID,
        snapshot_age_s_max=None,
        time_zone="UTC",
        limits=CallLimits(),
        policy="",
        version=1,
        created_at=NOW,
    )
    return replace(organization, **changes)


def build_budget(**changes: Any) -> Budget:
    """Return a budget of 100 nano-units for each month of the whole organization."""
    budget = Budget(
        id=BudgetId(name_id(17)),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        project_id=None,
        key_id=None,
        currency="CNY",
        amount_nano=100,
        period=PeriodKind.MONTH,
        window_s=None,
        version=1,
        created_at=NOW,
    )
    return replace(budget, **changes)


def build_project(**changes: Any) -> Project:
    project = Project(
        id=PROJECT_ID,
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        name="first",
        limits=CallLimits(),
        policy="",
        version=1,
        created_at=NOW,
    )
    return replace(project, **changes)


def build_chip(chip_id: str = "cpu-x86-64", **facts: tuple[str, ...]) -> Chip:
    """Return a chip whose facts are all from its vendor."""
    evidence = Evidence("the vendor's sheet", Grade.VENDOR, NOW.date())
    known = {FactName(name): ChipFact(values, evidence) for name, values in facts.items()}
    return Chip(chip_id, f"chip {chip_id}", "cpu", "x86-64", evidence, known)


def build_key(**changes: Any) -> Key:
    key = Key(
        id=KEY_ID,
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        project_id=PROJECT_ID,
        provider_id=None,
        name="first",
        role=Role.DEVELOPER,
        digest="d1" * 32,
        models=None,
        limits=CallLimits(),
        policy="",
        version=1,
        created_at=NOW,
        revoked_at=None,
    )
    return replace(key, **changes)


def build_model(**changes: Any) -> Model:
    return replace(Model(MODEL_ID, PLATFORM_ID, FACTS, 1, NOW), **changes)


def build_price(**changes: Any) -> Price:
    return replace(Price(PRICE_ID, PLATFORM_ID, MODEL_ID, 1, "CNY", PRICES, NOW, NOW), **changes)


def build_offer(**changes: Any) -> Offer:
    """Return an offer of the model, for calls."""
    offer = Offer(
        id=OFFER_ID,
        platform_id=PLATFORM_ID,
        provider_id=PROVIDER_ID,
        model_id=MODEL_ID,
        chip=None,
        kind=OfferKind.FIXED,
        currency="CNY",
        nano_per_million=PRICES,
        nano_per_device_hour=None,
        quantity_max=None,
        term_hours=None,
        effective_from=NOW,
        effective_until=None,
        version=1,
        created_at=NOW,
    )
    return replace(offer, **changes)


def build_chip_offer(**changes: Any) -> Offer:
    """Return an offer of a chip's device-hours."""
    own: dict[str, Any] = {
        "model_id": None,
        "chip": "nvidia-h20",
        "nano_per_million": {},
        "nano_per_device_hour": 12_000_000_000,
    }
    return build_offer(**(own | changes))


def build_facility(**changes: Any) -> Facility:
    """Return a record of the site's facility in which everything was measured."""
    facility = Facility(
        id=FACILITY_ID,
        platform_id=PLATFORM_ID,
        site_id=SITE_ID,
        day=NOW.date(),
        measured_at=NOW,
        figures=FIGURES,
        recorded_by=KEY_ID,
        recorded_at=NOW,
        version=1,
        created_at=NOW,
    )
    return replace(facility, **changes)


def build_claim(**changes: Any) -> Claim:
    """Return a claim of eight H20."""
    claim = Claim(
        id=CLAIM_ID,
        platform_id=PLATFORM_ID,
        site_id=SITE_ID,
        chip="nvidia-h20",
        claimed=ClaimedCapacity(8, 4, 768_000_000_000, 32_000_000_000_000, {Precision.FP16: 1_184_000}),
        claimed_by=KEY_ID,
        claimed_at=NOW,
        version=1,
        created_at=NOW,
    )
    return replace(claim, **changes)


def build_survey_line(**changes: Any) -> SurveyLine:
    """Return the first line of a survey."""
    line = SurveyLine(
        id=SURVEY_ID,
        platform_id=PLATFORM_ID,
        evidence=Evidence("a yearbook", Grade.PRESS, NOW.date()),
        line=1,
        facility=SurveyedFacility("CN-SX", "Datong", "NVIDIA", "nvidia-h20", 100, 50, gflops={Precision.FP16: 7}),
        uploaded_by=KEY_ID,
        version=1,
        created_at=NOW,
    )
    return replace(line, **changes)


def build_deduction(**changes: Any) -> Deduction:
    """Return everybody's margin of a tenth."""
    deduction = Deduction(
        id=DEDUCTION_ID,
        platform_id=PLATFORM_ID,
        kind=DeductionKind.MARGIN,
        provider_id=None,
        organization_id=None,
        rate_ppm=100_000,
        effective_from=NOW,
        effective_until=None,
        version=1,
        created_at=NOW,
    )
    return replace(deduction, **changes)


def build_site(**changes: Any) -> Site:
    site = Site(
        id=SITE_ID,
        platform_id=PLATFORM_ID,
        provider_id=PROVIDER_ID,
        name="tokyo-1",
        region="JP-13",
        engines={"llama_cpp": ENGINE},
        verdict=Verdict.OK,
        reported_at=NOW,
        version=3,
        created_at=NOW,
    )
    return replace(site, **changes)


def build_door(**changes: Any) -> Door:
    """Return a door that gateways know, and whose secret is not being replaced."""
    door = Door(
        id=SITE_ID,
        platform_id=PLATFORM_ID,
        place=DOOR_PLACE,
        stage=DoorStage.STEADY,
        shown_salt="5a" * 32,
        other_salt="",
        is_rotation_wanted=False,
        moved_at=NOW,
        moved_version=1,
        version=2,
        created_at=NOW,
    )
    return replace(door, **changes)


def build_node(**changes: Any) -> Node:
    node = Node(
        id=NODE_ID,
        platform_id=PLATFORM_ID,
        site_id=SITE_ID,
        hardware_id="machine-1",
        hostname="host-1",
        boot_id="boot-1",
        cpu_count=2,
        memory_bytes=8_000_000_000,
        version=1,
        created_at=NOW,
        reported_at=NOW,
    )
    return replace(node, **changes)


def build_device(**changes: Any) -> Device:
    device = Device(
        id=DEVICE_ID,
        platform_id=PLATFORM_ID,
        site_id=SITE_ID,
        node_id=NODE_ID,
        hardware_id="cpu-machine-1",
        chip="cpu-x86-64",
        name="a processor",
        memory_bytes=8_000_000_000,
        facts={},
        verdict=Verdict.OK,
        use=DeviceUse.OPEN,
        use_reason="",
        use_actor="",
        use_changed_at=None,
        version=1,
        created_at=NOW,
        reported_at=NOW,
    )
    return replace(device, **changes)


def build_deployment(**changes: Any) -> Deployment:
    deployment = Deployment(
        id=DEPLOYMENT_ID,
        platform_id=PLATFORM_ID,
        model_id=MODEL_ID,
        engine="llama_cpp",
        replica_count=1,
        slots=4,
        site_id=None,
        state=DeploymentState.ACTIVE,
        reason="",
        version=1,
        created_at=NOW,
    )
    return replace(deployment, **changes)


def build_replica(**changes: Any) -> Replica:
    replica = Replica(
        id=REPLICA_ID,
        platform_id=PLATFORM_ID,
        deployment_id=DEPLOYMENT_ID,
        model_id=MODEL_ID,
        provider_id=PROVIDER_ID,
        site_id=SITE_ID,
        node_id=NODE_ID,
        device_id=None,
        engine="llama_cpp",
        chip="cpu-x86-64",
        slots=4,
        state=ReplicaState.READY,
        verdict=Verdict.OK,
        endpoint=ENDPOINT,
        model_digest=MODEL_DIGEST,
        restart_count=0,
        message="",
        version=5,
        created_at=NOW,
        reported_at=NOW,
    )
    return replace(replica, **changes)


CONTEXT_FIELDS = {field.name for field in fields(UsageContext)}


def build_record(**changes: Any) -> UsageRecord:
    """Return a record whose amount follows from `PRICES` unless it is given; fields of its context may be given as its own."""
    quantities = changes.get("quantities", {TokenClass.INPUT: 37, TokenClass.INPUT_CACHED: 0, TokenClass.OUTPUT: 8})
    context = UsageContext(
        platform_id=PLATFORM_ID,
        gateway_id=GATEWAY_ID,
        organization_id=ORGANIZATION_ID,
        project_id=PROJECT_ID,
        key_id=KEY_ID,
        model_id=MODEL_ID,
        price_id=PRICE_ID,
        deployment_id=DEPLOYMENT_ID,
        replica_id=REPLICA_ID,
        provider_id=PROVIDER_ID,
        site_id=SITE_ID,
        model_digest=MODEL_DIGEST,
    )
    record = UsageRecord(
        id=RECORD_ID,
        day=NOW.date(),
        context=context,
        surface=Surface.CHAT,
        is_stream=True,
        admitted_at=NOW,
        duration_us=1_000_000,
        first_byte_us=30_000,
        outcome=CallOutcome.COMPLETED,
        http_status=200,
        usage_source=UsageSource.ENGINE,
        quantities=quantities,
        amount_nano=compute_amount_nano(PRICES, quantities),
        request_bytes=300,
        response_bytes=900,
        event_count=12,
        ticket_id=None,
        content_digest=b"\xc0" * 32,
    )
    return change_record(record, **changes)


def change_record(record: UsageRecord, **changes: Any) -> UsageRecord:
    """Return a record with other values of its own or of its context."""
    shared = {name: changes.pop(name) for name in CONTEXT_FIELDS & changes.keys()}
    return record._replace(context=replace(record.context, **shared), **changes)


def build_charge(**changes: Any) -> Charge:
    """Return the charge of `build_record`'s record: all of its amount is its provider's."""
    charge = Charge(entry_id=ENTRY_ID, currency="CNY", chip="cpu-x86-64", provider_nano=30_500, tax_nano=0)
    return charge._replace(**changes)


def build_posted(record: UsageRecord | None = None, **changes: Any) -> PostedRecord:
    """Return a record with a charge, of which some values may be given."""
    record = record or build_record()
    return PostedRecord(record, build_charge(**({"provider_nano": record.amount_nano} | changes)))


def build_ticket(**changes: Any) -> Ticket:
    """Return an open ticket of 100 nano-units that was leased at NOW."""
    ticket = Ticket(
        id=TicketId(name_id(14)),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        project_id=None,
        key_id=None,
        currency="CNY",
        gateway_id=GATEWAY_ID,
        incarnation=name_id(15),
        state=TicketState.OPEN,
        credit_nano=100,
        returned_nano=0,
        spent_nano=0,
        reserved_nano=0,
        posted_nano=0,
        give_back_nano=0,
        wanted_nano=0,
        wanting_since=None,
        is_contested=False,
        expires_at=NOW + timedelta(seconds=CreditTerms().lease_s),
        created_at=NOW,
        closed_at=None,
    )
    return replace(ticket, **changes)


def build_suspended(**changes: Any) -> SuspendedRecord:
    """Return what is noted of a record that suspense paid for and nobody has judged."""
    suspended = SuspendedRecord(
        record_id=create_record_id(NOW),
        day=NOW.date(),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        ticket_id=None,
        currency="CNY",
        amount_nano=30_500,
        code="late",
        created_at=NOW,
    )
    return replace(suspended, **changes)


def build_webhook(**changes: Any) -> Webhook:
    """Return a webhook of the organization for alerts of all kinds."""
    webhook = Webhook(
        id=WebhookId(name_id(16)),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        url="https://receiver.example/alerts",
        kinds=(),
        state=WebhookState.ENABLED,
        salt="5a" * 32,
        other_salt="",
        rotated_at=None,
        version=1,
        created_at=NOW,
    )
    return replace(webhook, **changes)


def build_alert(**changes: Any) -> Alert:
    alert = Alert(
        id=AlertId(name_id(17)),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        kind=AlertKind.WALLET_LOW,
        subject_id=name_id(18),
        detail={"currency": "CNY"},
        created_at=NOW,
    )
    return replace(alert, **changes)


def build_delivery(**changes: Any) -> Delivery:
    """Return the first delivery of the webhook, which was not tried yet."""
    delivery = Delivery(
        id=DeliveryId(name_id(19)),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        webhook_id=WebhookId(name_id(16)),
        sequence=1,
        alert_id=AlertId(name_id(17)),
        state=DeliveryState.PENDING,
        attempt_count=0,
        wanted_since=NOW,
        next_at=NOW,
        last_answer="",
        version=1,
        created_at=NOW,
    )
    return replace(delivery, **changes)


def build_top_up(**changes: Any) -> TopUp:
    """Return a top-up that one key proposed and nobody has decided on."""
    top_up = TopUp(
        id=EntryId(name_id(20)),
        platform_id=PLATFORM_ID,
        organization_id=ORGANIZATION_ID,
        kind=TopUpKind.TOP_UP,
        currency="CNY",
        amount_nano=5_000_000_000,
        note="invoice 7",
        record_id=None,
        statement_id=None,
        state=TopUpState.PROPOSED,
        proposed_by=KEY_ID,
        decided_by=None,
        decided_at=None,
        expires_at=NOW + timedelta(days=7),
        balance_nano=None,
        version=1,
        created_at=NOW,
    )
    return replace(top_up, **changes)


def build_draft(**changes: Any) -> StatementDraft:
    """Return a draft of October that is summed, and sealed up to its second record of two."""
    unnamed = StatementLine(build_statement_sum())
    content = build_statement_content(id=None, records_root=None, closed_at=None, holder_name="", lines=[unnamed])
    seal = OpenSeal(2, 61_000, (b"\x0a" * 32,), RecordId(name_id(4)))
    draft = StatementDraft(content, StatementId(name_id(19)), 2**40, content.period.last_day, seal)
    return replace(draft, **changes)


def build_closing(**changes: Any) -> Closing:
    """Return a closing of everybody's October that was only just asked for."""
    closing = Closing(
        id=ClosingId(create_id()),
        platform_id=PLATFORM_ID,
        version=1,
        created_at=NOW,
        asked_by="key:1",
        period=Period(date(2026, 10, 1), date(2026, 10, 31)),
        holder_id=None,
    )
    return replace(closing, **changes)


def build_statement_sum(**changes: Any) -> StatementSum:
    """Return a customer's sum over two of `build_record`'s records."""
    own = StatementSum(
        project_id=PROJECT_ID,
        key_id=KEY_ID,
        price_id=PRICE_ID,
        site_id=None,
        chip=None,
        model_id=MODEL_ID,
        is_late=False,
        record_count=2,
        quantities={TokenClass.INPUT: 74, TokenClass.OUTPUT: 16},
        amount_nano=61_000,
        tax_nano=1_000,
    )
    return replace(own, **changes)


def build_statement_line(**changes: Any) -> StatementLine:
    """Return the line of `build_statement_sum`."""
    line = StatementLine(
        sum=build_statement_sum(),
        project_name="first",
        key_name="first",
        model_name=FACTS.name,
        price_version=1,
        nano_per_million=PRICES,
    )
    return replace(line, **changes)


def build_adjustment(**changes: Any) -> Adjustment:
    """Return what a dispute of another statement gave."""
    adjustment = Adjustment(
        dispute_id=DisputeId(name_id(18)),
        statement_id=StatementId(name_id(19)),
        amount_nano=500,
        resolution="counted twice",
        resolved_at=NOW,
    )
    return replace(adjustment, **changes)


def build_statement_content(**changes: Any) -> StatementContent:
    """Return a customer's closed statement of October with one line."""
    content = StatementContent(
        id=StatementId(name_id(17)),
        platform_id=PLATFORM_ID,
        holder=StatementHolder(HolderKind.CUSTOMER, ORGANIZATION_ID, "CNY"),
        holder_name="alpha",
        period=Period(date(2026, 10, 1), date(2026, 10, 31)),
        totals=Totals(record_count=2, amount_nano=61_000, tax_nano=1_000, adjustment_nano=0),
        balances=Balances(opening_nano=0, closing_nano=-61_000),
        entry_sequence=7,
        records_root="0a" * 32,
        closed_at=NOW,
        lines=[build_statement_line()],
        adjustments=[],
    )
    return replace(content, **changes)


def build_dispute(**changes: Any) -> Dispute:
    """Return an open dispute of all of a statement."""
    dispute = Dispute(
        id=DisputeId(name_id(20)),
        platform_id=PLATFORM_ID,
        statement_id=StatementId(name_id(17)),
        holder=StatementHolder(HolderKind.CUSTOMER, ORGANIZATION_ID, "CNY"),
        reason="counted twice",
        record_ids=(),
        state=DisputeState.OPEN,
        resolution="",
        amount_nano=None,
        entry_id=None,
        entry_sequence=None,
        version=1,
        created_at=NOW,
        resolved_at=None,
    )
    return replace(dispute, **changes)
