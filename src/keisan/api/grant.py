"""Grants over HTTP: what this platform granted to its parents, and what it would have of its children."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import Caller, CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import ExpectedVersion, tag_version
from keisan.control import grant as commands
from keisan.control import grant_want as want_commands
from keisan.control.grant import find_grant_end
from keisan.control.grant_want import find_want_end
from keisan.domain.errors import NotFound
from keisan.domain.grant import Grant, GrantWant
from keisan.domain.ids import GrantId, GrantWantId
from keisan.wire.grant import (
    GrantAsk,
    GrantEnd,
    GrantTermsUpdate,
    GrantTermsView,
    GrantView,
    WantView,
    WorkUpdate,
    show_grant,
    show_terms,
    show_want,
)
from keisan.wire.page import ListQuery, Page

router = APIRouter(tags=["grants"])


@router.get("/grants")
async def list_grants(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[GrantView]:
    async with caller.read() as view:
        found = await view.grants.list(caller.scope, read_page(query))
        ends = {each.id: await find_grant_end(view, each) for each in found.items}
    return build_page(found, lambda grant: show_grant(grant, ends[grant.id]))


@router.get("/grants/{grant_id}")
async def get_grant(caller: CallerOf, grant_id: UUID, response: Response) -> GrantView:
    async with caller.read() as view:
        found = await view.grants.get(caller.scope, GrantId(grant_id))
    return await _show(caller, response, found)


@router.post("/grants/{grant_id}/approve")
async def approve_grant(caller: CallerOf, grant_id: UUID, response: Response) -> GrantView:
    approved = await commands.approve_grant(caller.control, caller.principal, GrantId(grant_id))
    return await _show(caller, response, approved)


@router.post("/grants/{grant_id}/refuse")
async def refuse_grant(caller: CallerOf, grant_id: UUID, body: GrantEnd, response: Response) -> GrantView:
    refused = await commands.refuse_grant(caller.control, caller.principal, GrantId(grant_id), body)
    return await _show(caller, response, refused)


@router.post("/grants/{grant_id}/end")
async def end_grant(caller: CallerOf, grant_id: UUID, body: GrantEnd, response: Response) -> GrantView:
    ended = await commands.end_grant(caller.control, caller.principal, GrantId(grant_id), body)
    return await _show(caller, response, ended)


@router.get("/grant-terms")
async def get_grant_terms(caller: CallerOf, response: Response) -> GrantTermsView:
    """Return the terms; raises NotFound before the first join."""
    async with caller.read() as view:
        terms = await view.grant_terms.find(caller.scope, caller.control.platform_id)
    if terms is None:
        raise NotFound("this platform grants nothing before it has joined another")
    return tag_version(response, show_terms(terms))


@router.patch("/grant-terms")
async def update_grant_terms(
    caller: CallerOf, expected_version: ExpectedVersion, body: GrantTermsUpdate, response: Response
) -> GrantTermsView:
    updated = await commands.update_terms(caller.control, caller.principal, expected_version, body)
    return tag_version(response, show_terms(updated))


@router.get("/grant-wants")
async def list_grant_wants(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[WantView]:
    async with caller.read() as view:
        found = await view.grant_wants.list(caller.scope, read_page(query))
        ends = {each.id: await find_want_end(view, each) for each in found.items}
    return build_page(found, lambda want: show_want(want, ends[want.id]))


@router.get("/grant-wants/{want_id}")
async def get_grant_want(caller: CallerOf, want_id: UUID, response: Response) -> WantView:
    async with caller.read() as view:
        found = await view.grant_wants.get(caller.scope, GrantWantId(want_id))
    return await _show_want(caller, response, found)


@router.post("/grant-wants", status_code=201)
async def ask_grant(caller: CallerOf, body: GrantAsk, response: Response) -> WantView:
    asked = await want_commands.ask_grant(caller.control, caller.principal, body)
    return await _show_want(caller, response, asked)


@router.post("/grant-wants/{want_id}/renew")
async def renew_grant_want(caller: CallerOf, want_id: UUID, response: Response) -> WantView:
    renewed = await want_commands.renew_want(caller.control, caller.principal, GrantWantId(want_id))
    return await _show_want(caller, response, renewed)


@router.post("/grant-wants/{want_id}/end")
async def end_grant_want(caller: CallerOf, want_id: UUID, response: Response) -> WantView:
    ended = await want_commands.end_grant_want(caller.control, caller.principal, GrantWantId(want_id))
    return await _show_want(caller, response, ended)


@router.patch("/grant-wants/{want_id}/run")
async def set_grant_work(
    caller: CallerOf, want_id: UUID, expected_version: ExpectedVersion, body: WorkUpdate, response: Response
) -> WantView:
    own = GrantWantId(want_id)
    changed = await want_commands.set_grant_work(caller.control, caller.principal, own, expected_version, body)
    return await _show_want(caller, response, changed)


@router.delete("/grant-wants/{want_id}/run")
async def end_grant_work(
    caller: CallerOf, want_id: UUID, expected_version: ExpectedVersion, response: Response
) -> WantView:
    own = GrantWantId(want_id)
    changed = await want_commands.set_grant_work(caller.control, caller.principal, own, expected_version, None)
    return await _show_want(caller, response, changed)


async def _show(caller: Caller, response: Response, grant: Grant) -> GrantView:
    async with caller.read() as view:
        return tag_version(response, show_grant(grant, await find_grant_end(view, grant)))


async def _show_want(caller: Caller, response: Response, want: GrantWant) -> WantView:
    async with caller.read() as view:
        return tag_version(response, show_want(want, await find_want_end(view, want)))
