"""Templates of supernodes over HTTP: the same for everybody who has a key."""

from fastapi import APIRouter

from keisan.api.context import CallerOf, ContextOf
from keisan.domain.access import Right
from keisan.wire.supernode import SupernodeTemplateList, build_template_view

router = APIRouter(prefix="/supernode-templates", tags=["supernodes"])


@router.get("")
async def list_supernode_templates(caller: CallerOf, context: ContextOf) -> SupernodeTemplateList:
    caller.principal.require(Right.READ)
    return SupernodeTemplateList(items=tuple(map(build_template_view, context.supernode_templates)))
