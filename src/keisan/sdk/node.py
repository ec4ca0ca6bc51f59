"""Nodes of a platform."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.node import NodeView
from keisan.wire.page import Page


class AsyncNodes:
    """Nodes within the key's scope."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[NodeView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[NodeView], "/nodes")

    async def get(self, node_id: UUID) -> NodeView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(NodeView, f"/nodes/{node_id}")


class Nodes(Blocking[AsyncNodes]):
    """Nodes within the key's scope."""

    list = iterate(AsyncNodes.list)
    get = wait_for(AsyncNodes.get)
