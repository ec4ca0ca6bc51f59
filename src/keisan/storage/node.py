"""Nodes: a provider sees those of its sites, organizations see none."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, ForeignKey, Table, Text, UniqueConstraint

from keisan.domain.access import Scope
from keisan.domain.ids import NodeId, SiteId
from keisan.domain.node import Node
from keisan.storage.repository import TableRepository, Visibility
from keisan.storage.schema import Instant, build_column, build_id, build_noun_columns, metadata
from keisan.storage.site import limit_to_sites

node = Table(
    "node",
    metadata,
    *build_noun_columns(),
    build_id("site_id", ForeignKey("site.id")),
    build_column("hardware_id", Text()),
    build_column("hostname", Text()),
    build_column("boot_id", Text()),
    build_column("cpu_count", BigInteger()),
    build_column("memory_bytes", BigInteger()),
    build_column("reported_at", Instant()),
    UniqueConstraint("site_id", "hardware_id"),
)


class NodeRepository(TableRepository[Node, NodeId]):
    """Nodes by id and by site."""

    table = node
    noun_type = Node
    unique = "hardware id on its site"
    visibility = Visibility(provider=limit_to_sites(node.c.site_id))

    async def list_site(self, scope: Scope, site_id: SiteId) -> Sequence[Node]:
        """Return the nodes of a site."""
        return await self._list_where(scope, node.c.site_id == site_id)
