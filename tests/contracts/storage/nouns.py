"""Every repository of nouns as a case: how to make one more of its noun, change it, and who sees which of a world's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from keisan.domain.alert import AlertKind
from keisan.domain.call_limits import CallLimits
from keisan.domain.challenge import ChallengeFlag, ChallengeState, Peers
from keisan.domain.claim import ClaimedCapacity
from keisan.domain.delivery import DeliveryState
from keisan.domain.departure import plan_departure
from keisan.domain.deployment import DeploymentState
from keisan.domain.door import DoorStage
from keisan.domain.facility import FacilityFigures
from keisan.domain.figure import Precision
from keisan.domain.ids import KeyId, ReplicaId
from keisan.domain.key_chain import Rotation
from keisan.domain.link import LinkState
from keisan.domain.offer import OfferKind
from keisan.domain.organization import Billing
from keisan.domain.page import PageOf
from keisan.domain.platform import PlatformKind
from keisan.domain.price import TokenClass
from keisan.domain.replica import Endpoint, ReplicaState
from keisan.domain.serving_challenge import ServingFlag, ServingState
from keisan.domain.top_up import TopUpKind, TopUpState
from keisan.domain.verdict import Verdict
from keisan.domain.webhook import WebhookState
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.storage.base_noun import Repository
from tests.domain.samples import DOOR_PLACE
from tests.domain.serving_samples import STEP
from tests.factories import (
    NOW,
    World,
    create_alert,
    create_budget,
    create_challenge,
    create_claim,
    create_delivery,
    create_deployment,
    create_device,
    create_door,
    create_facility,
    create_key,
    create_link,
    create_machine,
    create_margin,
    create_model,
    create_node,
    create_offer,
    create_organization,
    create_price,
    create_project,
    create_provider,
    create_replica,
    create_serving_challenge,
    create_site,
    create_survey_line,
    create_top_up,
    create_webhook,
)

# The suite treats all nouns alike, so their types are open here.
Noun = Any
LEFT = "left"
RIGHT = "right"


@dataclass(frozen=True)
class NounCase:
    """`seen` maps the scope (left organization, left provider) to the nouns of the world that it sees."""

    name: str
    create: Callable[[World], Noun]
    change: Callable[[Noun], Noun]
    planted: Callable[[World], set[Noun]]
    seen_by_organization: Callable[[World], set[Noun]]
    seen_by_provider: Callable[[World], set[Noun]]
    clash: Callable[[Noun, Noun], Noun] | None = None

    def choose(self, transaction: Transaction) -> Repository[Noun, Any]:
        repository: Repository[Noun, Any] = getattr(transaction, self.name)
        return repository


def see_none(_world: World) -> set[Noun]:
    return set()


NOUNS = (
    NounCase(
        "organizations",
        create=lambda _: create_organization(),
        change=lambda noun: replace(
            noun,
            name=f"{noun.name} renamed",
            billing=Billing.PREPAID,
            snapshot_age_s_max=3600,
            limits=CallLimits(2**62, None, 1, None),
            policy="region in CN-SX",
            wallet_low_nano={"CNY": 2**80, "USD": -1},
        ),
        planted=lambda world: {world.left.organization.id, world.right.organization.id},
        seen_by_organization=lambda world: {world.left.organization.id},
        seen_by_provider=see_none,
        clash=lambda noun, other: replace(noun, name=other.name),
    ),
    NounCase(
        "projects",
        create=lambda world: create_project(world.left.organization, "another"),
        change=lambda noun: replace(noun, name="renamed", limits=CallLimits(1, 2, 3, 4), policy="advisory none"),
        planted=lambda world: {world.left.project.id, world.right.project.id},
        seen_by_organization=lambda world: {world.left.project.id},
        seen_by_provider=see_none,
        clash=lambda noun, other: replace(noun, organization_id=other.organization_id, name=other.name),
    ),
    NounCase(
        "keys",
        create=lambda world: replace(create_key(world.left.project), models=("a", "b"), limits=CallLimits(600)),
        change=lambda noun: replace(
            noun, revoked_at=NOW + timedelta(microseconds=1), limits=CallLimits(None, 10), policy="region in CN"
        ),
        planted=lambda world: {world.left.key.id, world.right.key.id},
        seen_by_organization=lambda world: {world.left.key.id},
        seen_by_provider=see_none,
        clash=lambda noun, other: replace(noun, digest=other.digest),
    ),
    NounCase(
        "budgets",
        create=lambda world: create_budget(world.left.key),
        change=lambda noun: replace(noun, amount_nano=10**37),
        planted=lambda world: {world.left.budget.id, world.right.budget.id},
        seen_by_organization=lambda world: {world.left.budget.id},
        seen_by_provider=see_none,
        clash=lambda noun, other: replace(noun, key_id=other.key_id, currency=other.currency, period=other.period),
    ),
    NounCase(
        "machines",
        create=lambda world: create_machine(world.left.site),
        change=lambda noun: replace(noun, name="renamed", revoked_at=NOW),
        planted=lambda world: {world.left.agent.id, world.right.agent.id, world.gateway.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.agent.id},
        clash=lambda noun, other: replace(noun, digest=other.digest),
    ),
    NounCase(
        "providers",
        create=lambda _: create_provider(),
        change=lambda noun: replace(noun, name=f"{noun.name} renamed"),
        planted=lambda world: {world.left.provider.id, world.right.provider.id},
        seen_by_organization=lambda world: {world.left.provider.id, world.right.provider.id},
        seen_by_provider=lambda world: {world.left.provider.id},
        clash=lambda noun, other: replace(noun, name=other.name),
    ),
    NounCase(
        "sites",
        create=lambda world: create_site(world.left.provider, "osaka-1"),
        change=lambda noun: replace(noun, verdict=Verdict.UNKNOWN, engines={}),
        planted=lambda world: {world.left.site.id, world.right.site.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.site.id},
        clash=lambda noun, other: replace(noun, provider_id=other.provider_id, name=other.name),
    ),
    NounCase(
        "doors",
        create=lambda world: create_door(world.left.site),
        change=lambda noun: replace(
            noun,
            place=DOOR_PLACE,
            stage=DoorStage.LEAVING,
            shown_salt="a" * 64,
            other_salt="b" * 64,
            is_rotation_wanted=True,
            moved_at=NOW,
            moved_version=2**40,
        ),
        planted=lambda world: {world.right.site.id},
        seen_by_organization=see_none,
        seen_by_provider=see_none,
    ),
    NounCase(
        "nodes",
        create=lambda world: create_node(world.left.site),
        change=lambda noun: replace(noun, boot_id="boot-2", memory_bytes=2**40),
        planted=lambda world: {world.left.node.id, world.right.node.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.node.id},
        clash=lambda noun, other: replace(noun, site_id=other.site_id, hardware_id=other.hardware_id),
    ),
    NounCase(
        "devices",
        create=lambda world: create_device(world.left.node),
        change=lambda noun: replace(noun, verdict=Verdict.FAILED, name="計算"),
        planted=lambda world: {world.left.device.id, world.right.device.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.device.id},
        clash=lambda noun, other: replace(noun, site_id=other.site_id, hardware_id=other.hardware_id),
    ),
    NounCase(
        "facilities",
        create=lambda world: create_facility(world.left.site, day=NOW.date() - timedelta(days=1)),
        change=lambda noun: replace(noun, measured_at=NOW + timedelta(microseconds=1), figures=FacilityFigures()),
        planted=lambda world: {world.left.facility.id, world.right.facility.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.facility.id},
        clash=lambda noun, other: replace(noun, site_id=other.site_id, day=other.day),
    ),
    NounCase(
        "claims",
        create=lambda world: create_claim(world.left.site, "metax-c600"),
        change=lambda noun: replace(noun, claimed=ClaimedCapacity(2**62, gflops={Precision.INT8: 2**62})),
        planted=lambda world: {world.left.claim.id, world.right.claim.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.claim.id},
        clash=lambda noun, other: replace(noun, site_id=other.site_id, chip=other.chip),
    ),
    NounCase(
        "challenges",
        create=lambda world: create_challenge(world.left.device),
        change=lambda noun: replace(
            noun,
            state=ChallengeState.JUDGED,
            issued_at=NOW,
            committed_at=NOW,
            commitment="ab" * 32,
            positions=(0, 2**31),
            told_us=2**62,
            message="計算",
            verdict=Verdict.FAILED,
            flags=(ChallengeFlag.BELOW_CLAIM, ChallengeFlag.TOLD_SHORTER),
            rate_per_s=2**62,
            peers=Peers(3, 2**62, 1),
            judged_at=NOW,
        ),
        planted=lambda world: {world.left.challenge.id, world.right.challenge.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.challenge.id},
    ),
    NounCase(
        "serving_challenges",
        create=lambda world: create_serving_challenge(world.left.replica, world.left.key),
        change=lambda noun: replace(
            noun,
            key_id=KeyId(create_id()),
            state=ServingState.JUDGED,
            claim_milli_per_s=2**62,
            steps=(STEP, replace(STEP, first_token_p95_us=None, is_held=False)),
            replica_ids=(ReplicaId(create_id()),),
            message="計算",
            verdict=Verdict.FAILED,
            flags=(ServingFlag.BELOW_CLAIM, ServingFlag.TOLD_SHORTER),
            rate_milli_per_s=2**62,
            concurrency=256,
            judged_at=NOW,
        ),
        planted=lambda world: {world.left.serving_challenge.id, world.right.serving_challenge.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.serving_challenge.id},
    ),
    NounCase(
        "models",
        create=lambda _: create_model(),
        change=lambda noun: replace(noun, facts=replace(noun.facts, capabilities=("stream", "tools"), memory_bytes=1)),
        planted=lambda world: {world.model.id},
        seen_by_organization=lambda world: {world.model.id},
        seen_by_provider=lambda world: {world.model.id},
        clash=lambda noun, other: replace(noun, facts=replace(noun.facts, name=other.facts.name)),
    ),
    NounCase(
        "deployments",
        create=lambda world: create_deployment(world.model, world.left.site),
        change=lambda noun: replace(noun, state=DeploymentState.DELETING, reason="asked to"),
        planted=lambda world: {world.left.deployment.id, world.right.deployment.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.deployment.id},
    ),
    NounCase(
        "replicas",
        create=lambda world: replace(
            create_replica(world.left.deployment, world.left.site, world.left.node), endpoint=None, reported_at=None
        ),
        change=lambda noun: replace(
            noun, state=ReplicaState.READY, endpoint=Endpoint("unix", "/run/x"), reported_at=NOW
        ),
        planted=lambda world: {world.left.replica.id, world.right.replica.id},
        seen_by_organization=see_none,
        seen_by_provider=lambda world: {world.left.replica.id},
    ),
    NounCase(
        "top_ups",
        create=lambda world: create_top_up(world.left.key),
        change=lambda noun: replace(
            noun,
            kind=TopUpKind.CREDIT_NOTE,
            state=TopUpState.POSTED,
            amount_nano=10**27,
            record_id=create_id(),
            statement_id=create_id(),
            decided_by=noun.proposed_by,
            decided_at=NOW,
            balance_nano=-(10**30),
        ),
        planted=lambda world: {world.left.top_up.id, world.right.top_up.id},
        seen_by_organization=lambda world: {world.left.top_up.id},
        seen_by_provider=see_none,
    ),
    NounCase(
        "links",
        create=lambda _: create_link(),
        change=lambda noun: replace(
            noun,
            state=LinkState.JOINED,
            name="renamed",
            kind=PlatformKind.INDUSTRY,
            region="CN-SX",
            prefix="cn.sx",
            epoch=2**40,
            keys=replace(noun.keys, rotations=(Rotation(1, bytes(32), bytes(64)),)),
            url="https://other",
            invitation_id=None,
            certificate="one",
            certificate_ends_at=NOW,
            ca="two",
            reviewer="key:1",
            reviewed_at=NOW,
            ended_at=NOW,
            departure=plan_departure(is_move=True),
            successor_id=noun.id,
            link_key=bytes(32),
            asked_ms=2**50,
            digest="d",
            fault="none",
        ),
        planted=lambda world: {world.link.id},
        seen_by_organization=see_none,
        seen_by_provider=see_none,
    ),
    NounCase(
        "webhooks",
        create=lambda _: create_webhook(None),
        change=lambda noun: replace(
            noun,
            url="https://receiver.example/other",
            kinds=(AlertKind.WALLET_LOW, AlertKind.TOP_UP_PROPOSED),
            state=WebhookState.DISABLED,
            salt="5b" * 32,
            other_salt=noun.salt,
            rotated_at=NOW,
        ),
        planted=lambda world: {world.left.webhook.id, world.right.webhook.id},
        seen_by_organization=lambda world: {world.left.webhook.id},
        seen_by_provider=see_none,
    ),
    NounCase(
        "deliveries",
        create=lambda world: create_delivery(world.left.webhook, world.left.alert, 2),
        change=lambda noun: replace(
            noun,
            state=DeliveryState.DEAD,
            attempt_count=7,
            wanted_since=NOW + timedelta(seconds=1),
            next_at=NOW + timedelta(hours=1),
            last_answer="HTTP 503",
        ),
        planted=lambda world: {world.left.delivery.id, world.right.delivery.id},
        seen_by_organization=lambda world: {world.left.delivery.id},
        seen_by_provider=see_none,
        clash=lambda noun, other: replace(noun, webhook_id=other.webhook_id, sequence=other.sequence),
    ),
)
ALERTS = NounCase(
    "alerts",
    create=lambda _: create_alert(None),
    change=lambda noun: noun,
    planted=lambda world: {world.left.alert.id, world.right.alert.id},
    seen_by_organization=lambda world: {world.left.alert.id},
    seen_by_provider=see_none,
)
PRICES = NounCase(
    "prices",
    create=lambda world: create_price(world.model, 2),
    change=lambda noun: noun,
    planted=lambda world: {world.price.id},
    seen_by_organization=lambda world: {world.price.id},
    seen_by_provider=lambda world: {world.price.id},
    clash=lambda noun, other: replace(noun, version=other.version),
)
OFFERS = NounCase(
    "offers",
    create=lambda world: replace(
        create_offer(world.left.provider, world.model, 2),
        kind=OfferKind.RESERVED,
        nano_per_million={TokenClass.INPUT: 10**18, TokenClass.OUTPUT: 0, TokenClass.IMAGE: 7},
        quantity_max=2**62,
        term_hours=720,
        effective_from=NOW + timedelta(microseconds=1),
        effective_until=NOW + timedelta(days=365),
    ),
    change=lambda noun: noun,
    planted=lambda world: {world.left.offer.id, world.right.offer.id},
    seen_by_organization=see_none,
    seen_by_provider=lambda world: {world.left.offer.id},
    clash=lambda noun, other: replace(noun, version=other.version),
)
DEDUCTIONS = NounCase(
    "deductions",
    create=lambda world: replace(
        create_margin(world.left.provider, 2), rate_ppm=None, effective_until=NOW + timedelta(days=1)
    ),
    change=lambda noun: noun,
    planted=lambda world: {side.id for one in (world.left, world.right) for side in (one.margin, one.tax)},
    seen_by_organization=lambda world: {world.left.tax.id},
    seen_by_provider=lambda world: {world.left.margin.id},
    clash=lambda noun, other: replace(noun, version=other.version),
)
SURVEYS = NounCase(
    "surveys",
    create=lambda _: create_survey_line(2),
    change=lambda noun: noun,
    planted=lambda world: {world.survey_line.id},
    seen_by_organization=lambda world: {world.survey_line.id},
    seen_by_provider=lambda world: {world.survey_line.id},
    clash=lambda noun, other: replace(noun, line=other.line),
)
# Written once: there is no update.
FIXED = (PRICES, OFFERS, DEDUCTIONS, ALERTS, SURVEYS)


def list_page_ids(page: PageOf[Noun]) -> list[Noun]:
    return [noun.id for noun in page.items]
