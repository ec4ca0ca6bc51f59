"""Policies over HTTP: what one would say, before it is set on an organization, a project or a key."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.control.policy import explain_policy
from keisan.wire.policy import PolicyQuery, PolicyView

router = APIRouter(prefix="/policies", tags=["policies"])


@router.get("/check")
async def check_policy(caller: CallerOf, query: Annotated[PolicyQuery, Query()]) -> PolicyView:
    """A policy that could not be set is refused with the clause that is wrong."""
    return explain_policy(caller.control, caller.principal, query.policy)
