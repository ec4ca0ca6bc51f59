"""Serving challenges over HTTP: started and read by people; the platform itself makes the calls."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import serving_challenge as commands
from keisan.domain.ids import ServingChallengeId
from keisan.domain.serving_challenge import ServingChallenge, ServingState
from keisan.wire.page import ListQuery, Page
from keisan.wire.serving_challenge import ServingChallengeStart, ServingChallengeView

router = APIRouter(prefix="/serving-challenges", tags=["challenges"])


@router.get("")
async def list_serving_challenges(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ServingChallengeView]:
    async with caller.read() as view:
        found = await view.serving_challenges.list(caller.scope, read_page(query))
    return build_page(found, _build_view)


@router.get("/{serving_challenge_id}")
async def get_serving_challenge(caller: CallerOf, serving_challenge_id: UUID) -> ServingChallengeView:
    async with caller.read() as view:
        found = await view.serving_challenges.get(caller.scope, ServingChallengeId(serving_challenge_id))
    return _build_view(found)


@router.post("", status_code=201)
async def start_serving_challenge(caller: CallerOf, body: ServingChallengeStart) -> ServingChallengeView:
    started = await commands.start_serving_challenge(caller.control, caller.principal, body)
    return _build_view(started)


def _build_view(found: ServingChallenge) -> ServingChallengeView:
    """Return what is shown: the site's owner may read it, and with the seed would know each prompt before it comes."""
    if found.state is not ServingState.JUDGED:
        found = replace(found, work=replace(found.work, seed=""))
    return ServingChallengeView.model_validate(found)
