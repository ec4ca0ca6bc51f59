"""Nodes over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.api.version import tag_version
from keisan.domain.ids import NodeId
from keisan.wire.node import NodeView
from keisan.wire.page import ListQuery, Page

router = APIRouter(prefix="/nodes", tags=["nodes"])


@router.get("")
async def list_nodes(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[NodeView]:
    async with caller.read() as view:
        found = await view.nodes.list(caller.scope, read_page(query))
    return build_page(found, NodeView.model_validate)


@router.get("/{node_id}")
async def get_node(caller: CallerOf, node_id: UUID, response: Response) -> NodeView:
    async with caller.read() as view:
        found = await view.nodes.get(caller.scope, NodeId(node_id))
    return tag_version(response, NodeView.model_validate(found))
