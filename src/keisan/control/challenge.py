"""Commands on challenges: start rounds; hand them out, and take commitments of a site's agent.

Answers are taken by challenge_answer.py. A round is judged by the lease loop: see reconcilers/challenge.py. Time is this platform's: from the order to the commitment.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import SystemRandom

from keisan.control.context import Control, name_actor
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.challenge import (
    Challenge,
    ChallengeFlag,
    ChallengeState,
    Workload,
    can_move_challenge,
)
from keisan.domain.challenge_rule import find_deadline, plan_work
from keisan.domain.claim import Claim, find_claimed_per_s
from keisan.domain.device import Device, DeviceUse
from keisan.domain.errors import LimitExceeded, NotFound, PermissionDenied, StateConflict, VersionMismatch
from keisan.domain.event import EventDraft
from keisan.domain.ids import ChallengeId, ChallengeRoundId, KeyId, NodeId, SiteId
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import (
    CHALLENGE_DEVICES_MAX,
    CHALLENGE_POSITIONS,
    CHALLENGE_WAIT_S,
)
from keisan.domain.verdict import Verdict
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.challenge import ChallengeCommit, ChallengeOpening, ChallengeOrder, ChallengeStart
from keisan.wire.challenge_work import count_leaves

EVERYTHING = PlatformScope()
SEED_BITS = 256


@dataclass(frozen=True, slots=True)
class RoundWish:
    """What a round is to be: of which workload, against which claim, and who asked for it (None: the platform itself)."""

    workload: Workload
    claim_per_s: int | None = None
    may_disturb: bool = False
    asked_by: KeyId | None = None


async def start_challenges(control: Control, principal: Principal, body: ChallengeStart) -> tuple[Challenge, ...]:
    """Plan a round for each node of a site; its agent gets all orders with its next report.

    Raises PermissionDenied, NotFound outside the asker's scope, StateConflict if no node of the site can be challenged now.
    """
    principal.require(Right.CHALLENGE_DEVICES)
    wish = RoundWish(body.workload, body.claim_per_s, body.may_disturb, KeyId(principal.id))
    async with control.storage.write() as transaction:
        site = await transaction.sites.get(principal.scope, SiteId(body.site_id))
        planned = await plan_rounds(control, transaction, site.id, wish)
        if not planned:
            raise StateConflict(
                f"no node of '{site.name}' can be challenged now: each has no device that is ok, runs replicas, or is under a "
                "challenge"
            )
        await insert_rounds(transaction, planned, name_actor(principal))
    return planned


async def plan_rounds(
    control: Control, transaction: Transaction, site_id: SiteId, wish: RoundWish
) -> tuple[Challenge, ...]:
    """Return challenges for all devices of the site's nodes that may be challenged; nothing is written.

    Raises LimitExceeded for a node of more devices than a round has.
    """
    listed = await transaction.devices.list_site(EVERYTHING, site_id)
    devices = [each for each in listed if each.verdict is Verdict.OK and each.use is not DeviceUse.RETIRED]
    busy: set[NodeId] = {each.node_id for each in await transaction.challenges.list_open(EVERYTHING, site_id)}
    if not wish.may_disturb:
        busy |= {each.node_id for each in await transaction.replicas.list_site(EVERYTHING, site_id)}
    claims = await transaction.claims.list_chips(EVERYTHING, {(site_id, device.chip) for device in devices})
    planned: list[Challenge] = []
    for node_id in sorted({device.node_id for device in devices} - busy):
        own = [device for device in devices if device.node_id == node_id]
        if len(own) > CHALLENGE_DEVICES_MAX:
            raise LimitExceeded(f"a round has at most {CHALLENGE_DEVICES_MAX} devices, this node has {len(own)}")
        round_id = ChallengeRoundId(create_id())
        planned += [_plan(control, device, (round_id, claims.get((site_id, device.chip))), wish) for device in own]
    return tuple(planned)


async def insert_rounds(transaction: Transaction, planned: Sequence[Challenge], actor: str) -> None:
    """Write planned rounds, an event for each, and when they are to be judged."""
    for challenge in planned:
        await transaction.challenges.insert(challenge)
    for round_id in sorted({challenge.round_id for challenge in planned}):
        own = [challenge for challenge in planned if challenge.round_id == round_id]
        detail = {
            "site_id": str(own[0].site_id),
            "node_id": str(own[0].node_id),
            "workload": str(own[0].work.workload),
            "device_count": str(len(own)),
        }
        await transaction.events.append(EventDraft(actor, "challenge.planned", round_id, detail))
        await transaction.outbox.put(WorkNoun.CHALLENGE, round_id, own[0].due_at)


def _plan(
    control: Control, device: Device, of_round: tuple[ChallengeRoundId, Claim | None], wish: RoundWish
) -> Challenge:
    round_id, claim = of_round
    claim_per_s = wish.claim_per_s or find_claimed_per_s(claim, control.chips.get(device.chip), wish.workload)
    now = control.clock.now()
    seed = f"{SystemRandom().getrandbits(SEED_BITS):064x}"
    return Challenge(
        id=ChallengeId(create_id()),
        platform_id=control.platform_id,
        round_id=round_id,
        site_id=device.site_id,
        node_id=device.node_id,
        device_id=device.id,
        hardware_id=device.hardware_id,
        chip=device.chip,
        work=plan_work(wish.workload, seed, claim_per_s, device.memory_bytes, control.challenge_terms),
        claim_per_s=claim_per_s,
        asked_by=wish.asked_by,
        state=ChallengeState.PLANNED,
        issued_at=None,
        due_at=now + timedelta(seconds=CHALLENGE_WAIT_S),
        commitment="",
        positions=(),
        committed_at=None,
        answered_at=None,
        told_us=None,
        message="",
        verdict=Verdict.UNKNOWN,
        flags=(),
        rate_per_s=None,
        peers=None,
        judged_at=None,
        version=1,
        created_at=now,
    )


async def issue_challenges(control: Control, site_id: SiteId) -> tuple[ChallengeOrder, ...]:
    """Return the orders for a site's devices; their time begins with the first answer that carries them."""
    async with control.storage.read() as view:
        found = await view.challenges.list_open(EVERYTHING, site_id)
    now = control.clock.now()
    given = [each for each in found if each.state is ChallengeState.ISSUED and now < each.due_at]
    planned = [each for each in found if each.state is ChallengeState.PLANNED and now < each.due_at]
    if planned:
        # Where another answer to this site begins them now, the next one says them again.
        with suppress(VersionMismatch):
            given += await _begin(control, planned)
    now = control.clock.now()
    return tuple(_order(each, now) for each in given)


async def _begin(control: Control, planned: Sequence[Challenge]) -> list[Challenge]:
    begun = []
    async with control.storage.write() as transaction:
        now = control.clock.now()
        for each in planned:
            due_at = now + find_deadline(each.work, each.claim_per_s, control.challenge_terms)
            issued = replace(each, state=ChallengeState.ISSUED, issued_at=now, due_at=due_at, version=each.version + 1)
            await transaction.challenges.update(issued)
            begun.append(issued)
    return begun


def _order(challenge: Challenge, now: datetime) -> ChallengeOrder:
    work = challenge.work
    return ChallengeOrder(
        challenge_id=challenge.id,
        hardware_id=challenge.hardware_id,
        workload=work.workload,
        width=work.width,
        count=work.count,
        seed=work.seed,
        due_s=(challenge.due_at - now).total_seconds(),
    )


async def commit_challenge(
    control: Control, principal: Principal, challenge_id: ChallengeId, body: ChallengeCommit
) -> ChallengeOpening:
    """Take a commitment, which ends the time that is measured, and draw which parts are to be opened.

    The same commitment again is answered the same. Raises PermissionDenied for anybody but a site's agent, NotFound for
    another site's challenge, StateConflict for another commitment or after the deadline.
    """
    # First: whatever is asked for after this is not the device's time.
    committed_at = control.clock.now()
    site_id = require_site(principal)
    async with control.storage.write() as transaction:
        found = await get_own(transaction, site_id, challenge_id)
        if found.state is ChallengeState.COMMITTED and found.commitment == body.commitment:
            return ChallengeOpening(positions=found.positions)
        check_move(found, ChallengeState.COMMITTED)
        if committed_at > found.due_at:
            raise StateConflict("the challenge's deadline is over")
        taken = replace(found, committed_at=committed_at, version=found.version + 1)
        if body.commitment is None:
            # No work was done, so no time is told of it.
            flags = (ChallengeFlag.UNABLE,)
            refused = replace(taken, state=ChallengeState.ANSWERED, flags=flags, message=body.message)
            await write_answer(transaction, refused, control)
            return ChallengeOpening(positions=())
        most = count_leaves(found.work)
        positions = tuple(sorted(SystemRandom().sample(range(most), min(CHALLENGE_POSITIONS, most))))
        taken = replace(
            taken,
            state=ChallengeState.COMMITTED,
            commitment=body.commitment,
            told_us=body.told_us,
            positions=positions,
        )
        await transaction.challenges.update(taken)
    return ChallengeOpening(positions=positions)


async def write_answer(transaction: Transaction, answered: Challenge, control: Control) -> None:
    """Write an answered challenge, and have its round looked at."""
    await transaction.challenges.update(answered)
    await transaction.outbox.put(WorkNoun.CHALLENGE, answered.round_id, control.clock.now())


def require_site(principal: Principal) -> SiteId:
    """Return whose agent asks; raises PermissionDenied for anybody else."""
    principal.require(Right.SERVE_SITE)
    if principal.site_id is None:
        raise PermissionDenied("this machine belongs to no site")
    return principal.site_id


async def get_own(transaction: Transaction, site_id: SiteId, challenge_id: ChallengeId) -> Challenge:
    """Return a site's challenge; raises NotFound for another's."""
    found = await transaction.challenges.get(EVERYTHING, challenge_id)
    if found.site_id != site_id:
        raise NotFound(f"there is no challenge {challenge_id}")
    return found


def check_move(found: Challenge, after: ChallengeState) -> None:
    """Raise StateConflict unless the challenge can go on to a state."""
    if found.commitment and after is ChallengeState.COMMITTED:
        raise StateConflict("the challenge has another commitment")
    if not can_move_challenge(found.state, after) or (after is ChallengeState.ANSWERED and not found.commitment):
        raise StateConflict(f"the challenge is {found.state}")
