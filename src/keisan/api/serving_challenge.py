"""Serving challenges over HTTP: started and read by people; the platform itself makes the calls."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import serving_challenge as commands
from keisan.domain.ids import ServingChallengeId
from keisan.wire.page import ListQuery, Page
from keisan.wire.serving_challenge import ServingChallengeStart, ServingChallengeView

router = APIRouter(prefix="/serving-challenges", tags=["challenges"])


@router.get("")
async def list_serving_challenges(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[ServingChallengeView]:
    async with caller.read() as view:
        found = await view.serving_challenges.list(caller.scope, read_page(query))
    return build_page(found, ServingChallengeView.model_validate)


@router.get("/{serving_challenge_id}")
async def get_serving_challenge(caller: CallerOf, serving_challenge_id: UUID) -> ServingChallengeView:
    async with caller.read() as view:
        found = await view.serving_challenges.get(caller.scope, ServingChallengeId(serving_challenge_id))
    return ServingChallengeView.model_validate(found)


@router.post("", status_code=201)
async def start_serving_challenge(caller: CallerOf, body: ServingChallengeStart) -> ServingChallengeView:
    started = await commands.start_serving_challenge(caller.control, caller.principal, body)
    return ServingChallengeView.model_validate(started)
