"""Answers to challenges: when one came is kept at once; then it waits for its turn, is checked, and what is wrong with it noted."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from keisan.control.challenge import EVERYTHING, check_move, get_own, require_site, write_answer
from keisan.control.challenge_check import OpenedResult, check_opened
from keisan.control.challenge_queue import CheckQueue
from keisan.control.context import Control
from keisan.domain.access import Principal
from keisan.domain.challenge import Challenge, ChallengeFlag, ChallengeState, ChallengeWork
from keisan.domain.errors import StateConflict
from keisan.domain.ids import ChallengeId, SiteId
from keisan.domain.limits import CHALLENGE_SEEDS_TRIED_MAX
from keisan.wire.challenge import ChallengeAnswer

CHECKS = CheckQueue()


async def answer_challenge(
    control: Control, principal: Principal, challenge_id: ChallengeId, body: ChallengeAnswer
) -> ChallengeState:
    """Check the opened parts and note what is wrong with them; the round is judged when all have been checked.

    In time is what comes in time, whenever it is checked. The first answer counts, and one after it changes nothing: an
    agent whose answer was lost asks again. Raises PermissionDenied, NotFound, StateConflict as for a commitment; Postponed for
    an answer that has no room to wait: it came, and is to be handed in again.
    """
    # First: whatever is done after this is not the agent's time.
    arrived_at = control.clock.now()
    found = await _keep_arrival(control, require_site(principal), challenge_id, arrived_at)
    if found.state is not ChallengeState.COMMITTED:
        return found.state
    async with control.storage.read() as view:
        same = await view.challenges.list_committed(EVERYTHING, found.commitment)
        beside = await view.challenges.list_round(EVERYTHING, found.round_id)
        before = await view.challenges.list_device(EVERYTHING, found.device_id, CHALLENGE_SEEDS_TRIED_MAX)
    others = [each for each in beside if each.id != found.id][:CHALLENGE_SEEDS_TRIED_MAX]
    others += [each for each in before if each.round_id != found.round_id]
    works = [found.work, *(each.work for each in others)]
    # Seconds for the largest work, and devices of a node answer together.
    outcome = CHECKS.put(found.site_id, found.id, partial(_check, found, body, works))
    # Whoever handed in the same answer waits for it too.
    index = await asyncio.shield(asyncio.wrap_future(outcome))
    stolen = [each for each in same if each.id != found.id] + ([others[index - 1]] if index else [])
    flags = () if index == 0 else (_name_fault(found, stolen),)
    return await _keep_answer(control, found, flags)


async def _keep_arrival(
    control: Control, site_id: SiteId, challenge_id: ChallengeId, arrived_at: datetime
) -> Challenge:
    """Write down when a challenge's first answer came, and return the challenge, as it is if it has been answered."""
    async with control.storage.read() as view:
        found = await get_own(view, site_id, challenge_id)
    if not _is_arriving(found, arrived_at):
        return found
    async with control.storage.write() as transaction:
        found = await get_own(transaction, site_id, challenge_id)
        if not _is_arriving(found, arrived_at):
            return found
        arrived = replace(found, answered_at=arrived_at, version=found.version + 1)
        await transaction.challenges.update(arrived)
    return arrived


def _is_arriving(found: Challenge, arrived_at: datetime) -> bool:
    """Tell whether no answer came before; raises StateConflict for one that is not due, or that comes too late."""
    if found.positions and found.state in (ChallengeState.ANSWERED, ChallengeState.JUDGED):
        return False
    check_move(found, ChallengeState.ANSWERED)
    if found.answered_at is not None:
        return False
    if arrived_at > found.due_at:
        raise StateConflict("the challenge's deadline is over")
    return True


def _check(found: Challenge, body: ChallengeAnswer, works: Sequence[ChallengeWork]) -> int | None:
    leaves = tuple((leaf.decode(), leaf.path) for leaf in body.leaves)
    return check_opened(OpenedResult(found.commitment, found.positions, leaves), works)


async def _keep_answer(control: Control, found: Challenge, flags: tuple[ChallengeFlag, ...]) -> ChallengeState:
    async with control.storage.write() as transaction:
        stored = await transaction.challenges.get(EVERYTHING, found.id)
        # Another who waited for the same check wrote it down, or the round was judged without it.
        if stored.state is not ChallengeState.COMMITTED:
            return stored.state
        answered = replace(stored, state=ChallengeState.ANSWERED, flags=flags, version=stored.version + 1)
        await write_answer(transaction, answered, control)
    return ChallengeState.ANSWERED


def _name_fault(found: Challenge, stolen: Sequence[Challenge]) -> ChallengeFlag:
    """Return which lie a wrong answer is: of which other challenges it is the answer, as far as that is known."""
    if any(each.round_id != found.round_id for each in stolen):
        return ChallengeFlag.REPLAYED
    return ChallengeFlag.COPIED if stolen else ChallengeFlag.WRONG_ANSWER
