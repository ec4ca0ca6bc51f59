"""Commands on serving challenges: start one. Its steps are run and judged by a lease loop: see reconcilers/serving_challenge.py."""

from collections.abc import Sequence
from datetime import timedelta
from random import SystemRandom

from keisan.control.context import Control, name_actor
from keisan.control.machine import is_connected
from keisan.control.policy import settle_policy
from keisan.domain.access import MachineKind, PlatformScope, Principal, Right
from keisan.domain.deployment import Deployment, DeploymentState
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.event import EventDraft
from keisan.domain.fact import FactName
from keisan.domain.ids import DeploymentId, KeyId, ProjectId, ServingChallengeId, SiteId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import CHALLENGE_WAIT_S
from keisan.domain.project import Project
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.serving_challenge import ServingChallenge, ServingState, ServingWork
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.serving_challenge import ServingChallengeStart

EVERYTHING = PlatformScope()
SEED_BITS = 256


async def start_serving_challenge(
    control: Control, principal: Principal, body: ServingChallengeStart
) -> ServingChallenge:
    """Plan a serving challenge of a deployment at a site, paid by a project that the asker may make keys in.

    Raises PermissionDenied, NotFound outside the asker's scope, InvalidInput if a site must be named or the project's policy
    admits nothing there, StateConflict if nothing can be served now: no gateway, no ready replica, or another one runs.
    """
    principal.require(Right.CHALLENGE_DEVICES)
    principal.require(Right.WRITE_KEYS)
    async with control.storage.write() as transaction:
        deployment = await transaction.deployments.get(principal.scope, DeploymentId(body.deployment_id))
        project_id = principal.project_id if body.project_id is None else ProjectId(body.project_id)
        if project_id is None:
            raise InvalidInput("expected the project that pays", "project_id")
        project = await transaction.projects.get(principal.scope, project_id)
        if deployment.state is not DeploymentState.ACTIVE:
            raise StateConflict(f"the deployment is {deployment.state}")
        await check_gateway(control, transaction)
        replicas = await transaction.replicas.list_deployment(EVERYTHING, deployment.id)
        site_id = choose_site(replicas, None if body.site_id is None else SiteId(body.site_id))
        await settle_site_policy(control, transaction, project, site_id)
        if await transaction.serving_challenges.list_open(EVERYTHING, deployment.id):
            raise StateConflict("the deployment is under a serving challenge")
        planned = _plan(control, principal, body, (deployment, project, site_id))
        await transaction.serving_challenges.insert(planned)
        detail = {
            "site_id": str(site_id),
            "deployment_id": str(deployment.id),
            "project_id": str(project.id),
        }
        draft = EventDraft(name_actor(principal), "serving_challenge.planned", planned.id, detail)
        await transaction.events.append(draft)
        await transaction.outbox.put(WorkNoun.SERVING_CHALLENGE, planned.id, planned.created_at)
    return planned


def _plan(
    control: Control,
    principal: Principal,
    body: ServingChallengeStart,
    of_what: tuple[Deployment, Project, SiteId],
) -> ServingChallenge:
    deployment, project, site_id = of_what
    now = control.clock.now()
    return ServingChallenge(
        id=ServingChallengeId(create_id()),
        platform_id=control.platform_id,
        site_id=site_id,
        deployment_id=deployment.id,
        model_id=deployment.model_id,
        project_id=project.id,
        key_id=None,
        asked_by=KeyId(principal.id),
        work=ServingWork(
            seed=f"{SystemRandom().getrandbits(SEED_BITS):064x}",
            first_token_ms=body.first_token_ms,
            step_s=body.step_s,
            output_tokens_max=body.output_tokens_max,
            concurrency_max=body.concurrency_max,
        ),
        claim_milli_per_s=body.claim_milli_per_s,
        state=ServingState.PLANNED,
        due_at=now + timedelta(seconds=CHALLENGE_WAIT_S),
        steps=(),
        replica_ids=(),
        message="",
        verdict=Verdict.UNKNOWN,
        flags=(),
        rate_milli_per_s=None,
        concurrency=None,
        judged_at=None,
        version=1,
        created_at=now,
    )


async def check_gateway(control: Control, transaction: Transaction) -> None:
    """Raise StateConflict unless a gateway is connected and the platform knows where one answers."""
    if control.find_gateway() is None:
        raise StateConflict("this platform knows no gateway to call: name one as platform.challenges.gateway_url")
    now = control.clock.now()
    gateways = await transaction.machines.list_kind(EVERYTHING, MachineKind.GATEWAY)
    if not any(is_connected(gateway, now) for gateway in gateways):
        raise StateConflict("no gateway is connected")


def choose_site(replicas: Sequence[Replica], wanted: SiteId | None) -> SiteId:
    """Return the site at which replicas are ready; raises StateConflict without one, InvalidInput if it must be named."""
    ready = [each for each in replicas if each.state is ReplicaState.READY and each.verdict is Verdict.OK]
    sites = {each.site_id for each in ready if wanted in (None, each.site_id)}
    if not sites:
        raise StateConflict("no replica of the deployment is ready" + ("" if wanted is None else " at this site"))
    if len(sites) > 1:
        raise InvalidInput(f"replicas are ready at {len(sites)} sites; name one of them", "site_id")
    return sites.pop()


async def settle_site_policy(control: Control, transaction: Transaction, project: Project, site_id: SiteId) -> str:
    """Return the policy of a key in a project whose calls go to one site alone; raises InvalidInput if none can."""
    organization = await transaction.organizations.get(EVERYTHING, project.organization_id)
    return settle_policy(control, f"{FactName.SITE} in {site_id}", (organization.policy, project.policy))
