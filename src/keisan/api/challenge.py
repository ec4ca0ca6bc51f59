"""Challenges over HTTP: started and read by people, ordered with the report, committed to and answered by a site's agent."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import challenge as commands
from keisan.control.challenge_answer import answer_challenge as take_answer
from keisan.domain.challenge import Challenge, ChallengeState
from keisan.domain.ids import ChallengeId, SiteId
from keisan.wire.challenge import (
    ChallengeAnswer,
    ChallengeCommit,
    ChallengeOpening,
    ChallengeQuery,
    ChallengesStarted,
    ChallengeStart,
    ChallengeTaken,
    ChallengeView,
    VerifiedCapacityList,
    VerifiedCapacityView,
)
from keisan.wire.page import Page

router = APIRouter(prefix="/challenges", tags=["challenges"])
exchange_router = APIRouter(prefix="/site/challenges", tags=["machine exchanges"])


@router.get("")
async def list_challenges(caller: CallerOf, query: Annotated[ChallengeQuery, Query()]) -> Page[ChallengeView]:
    async with caller.read() as view:
        if query.site_id is None:
            found = await view.challenges.list(caller.scope, read_page(query))
        else:
            found = await view.challenges.list_site(caller.scope, SiteId(query.site_id), read_page(query))
    return build_page(found, _build_view)


@router.get("/verified")
async def sum_verified(caller: CallerOf) -> VerifiedCapacityList:
    async with caller.read() as view:
        found = await view.challenges.sum_verified(caller.scope)
    return VerifiedCapacityList(items=tuple(VerifiedCapacityView.model_validate(line) for line in found))


@router.get("/{challenge_id}")
async def get_challenge(caller: CallerOf, challenge_id: UUID) -> ChallengeView:
    async with caller.read() as view:
        found = await view.challenges.get(caller.scope, ChallengeId(challenge_id))
    return _build_view(found)


@router.post("", status_code=201)
async def start_challenges(caller: CallerOf, body: ChallengeStart) -> ChallengesStarted:
    planned = await commands.start_challenges(caller.control, caller.principal, body)
    return ChallengesStarted(challenges=tuple(_build_view(each) for each in planned))


@exchange_router.post("/{challenge_id}/commit")
async def commit_challenge(caller: CallerOf, challenge_id: UUID, body: ChallengeCommit) -> ChallengeOpening:
    return await commands.commit_challenge(caller.control, caller.principal, ChallengeId(challenge_id), body)


@exchange_router.post("/{challenge_id}/answer")
async def answer_challenge(caller: CallerOf, challenge_id: UUID, body: ChallengeAnswer) -> ChallengeTaken:
    state = await take_answer(caller.control, caller.principal, ChallengeId(challenge_id), body)
    return ChallengeTaken(state=state)


def _build_view(found: Challenge) -> ChallengeView:
    """Return what is shown: before it is ordered nobody has the seed, or the work could begin before its time does."""
    if found.state is ChallengeState.PLANNED:
        found = replace(found, work=replace(found.work, seed=""))
    return ChallengeView.model_validate(found)
