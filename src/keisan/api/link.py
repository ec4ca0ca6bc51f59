"""Links to neighbours over HTTP: invitations, what children ask, what people on either side decide."""

import base64
import binascii
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf, ContextOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.control import link_join, link_review
from keisan.control.context import Control
from keisan.control.federation_check import check_federation
from keisan.control.invitation import create_invitation as make_invitation
from keisan.control.link_ask import answer_question
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import LinkId
from keisan.domain.link import Link
from keisan.federation.rule_check import METHODS, is_all_held
from keisan.wire.federation_check import FederationCheckView, FindingView
from keisan.wire.invitation import InvitationCreate, InvitationCreated
from keisan.wire.link_ask import LinkAsk, LinkTold
from keisan.wire.link_view import LinkApproval, LinkEnd, LinkJoin, LinkView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/links", tags=["federation"])


@router.get("")
async def list_links(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[LinkView]:
    async with caller.read() as view:
        found = await view.links.list(caller.scope, read_page(query))
    return build_page(found, lambda link: _view(caller.control, link))


@router.get("/check")
async def check_links(caller: CallerOf) -> FederationCheckView:
    """Check every invariant of the federation, with each neighbour that is connected; it takes seconds and changes nothing."""
    findings = await check_federation(caller.control, caller.principal)
    return FederationCheckView(
        platform_id=caller.control.platform_id,
        checked_at=caller.control.clock.now(),
        is_held=is_all_held(findings),
        findings=tuple(
            FindingView(
                invariant=each.invariant,
                neighbour=each.neighbour,
                state=each.state,
                numbers=dict(each.numbers),
                text=each.text,
                how=METHODS[each.invariant],
            )
            for each in findings
        ),
    )


@router.get("/{link_id}")
async def get_link(caller: CallerOf, link_id: UUID, response: Response) -> LinkView:
    async with caller.read() as view:
        link = await view.links.get(caller.scope, LinkId(link_id))
    return tag_version(response, _view(caller.control, link))


@router.post("/invitations", status_code=201)
async def create_invitation(caller: CallerOf, body: InvitationCreate) -> InvitationCreated:
    created = await make_invitation(caller.control, caller.principal, body)
    return InvitationCreated(
        id=created.invitation.id,
        token=created.token.reveal(),
        platform_id=created.invitation.platform_id,
        expires_at=created.invitation.expires_at,
    )


@router.post("/ask")
async def ask_parent(context: ContextOf, body: LinkAsk) -> LinkTold:
    """Answer a child's letter with a letter; raises InvalidInput for what is no base64. The letter's signature is what lets it in."""
    try:
        letter = base64.b64decode(body.letter, validate=True)
    except (ValueError, binascii.Error) as fault:
        raise InvalidInput("expected the base64 of a letter", "letter") from fault
    return LinkTold(letter=base64.b64encode(await answer_question(context.control, letter)).decode())


@router.post("", status_code=201)
async def join_parent(caller: CallerOf, body: LinkJoin, response: Response) -> LinkView:
    return _show(response, await link_join.join_parent(caller.control, caller.principal, body))


@router.post("/{link_id}/approve")
async def approve_link(caller: CallerOf, link_id: UUID, body: LinkApproval, response: Response) -> LinkView:
    return _show(response, await link_review.approve_link(caller.control, caller.principal, LinkId(link_id), body))


@router.post("/{link_id}/reject")
async def reject_link(caller: CallerOf, link_id: UUID, body: LinkEnd, response: Response) -> LinkView:
    return _show(response, await link_review.reject_link(caller.control, caller.principal, LinkId(link_id), body))


@router.post("/{link_id}/revoke")
async def revoke_link(caller: CallerOf, link_id: UUID, body: LinkEnd, response: Response) -> LinkView:
    return _show(response, await link_review.revoke_link(caller.control, caller.principal, LinkId(link_id), body))


@router.post("/{link_id}/leave")
async def leave_parent(caller: CallerOf, link_id: UUID, response: Response) -> LinkView:
    return _show(response, await link_join.leave_parent(caller.control, caller.principal, LinkId(link_id)))


@router.post("/{link_id}/move")
async def move_parent(caller: CallerOf, link_id: UUID, body: LinkJoin, response: Response) -> LinkView:
    return _show(response, await link_join.move_parent(caller.control, caller.principal, LinkId(link_id), body))


def _show(response: Response, link: Link) -> LinkView:
    return tag_version(response, LinkView.model_validate(link))


def _view(control: Control, link: Link) -> LinkView:
    shown = LinkView.model_validate(link)
    return shown.model_copy(update={"closed": dict(control.link_board.list_closed(link.neighbour_id))})
