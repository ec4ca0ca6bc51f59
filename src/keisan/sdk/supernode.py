"""Templates of supernodes that a platform's catalogue has."""

from keisan.domain.errors import NotFound
from keisan.sdk.blocking import Blocking, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.supernode import SupernodeTemplateList, SupernodeTemplateView


class AsyncSupernodeTemplates:
    """Templates, the same for everybody."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> SupernodeTemplateList:
        """Return all, by id."""
        return await self._transport.fetch(SupernodeTemplateList, "/supernode-templates")

    async def get(self, template_id: str) -> SupernodeTemplateView:
        """Return one; raises NotFound naming those there are."""
        found = (await self.list()).items
        for template in found:
            if template.id == template_id:
                return template
        names = ", ".join(template.id for template in found) or "none"
        raise NotFound(f"there is no template '{template_id}'; there are: {names}")


class SupernodeTemplates(Blocking[AsyncSupernodeTemplates]):
    """Templates, the same for everybody."""

    list = wait_for(AsyncSupernodeTemplates.list)
    get = wait_for(AsyncSupernodeTemplates.get)
