"""The settings of links to children: where they are taken, and where children find that."""

from typing import Annotated

from pydantic import Field

from keisan.daemon.settings_address import ListenAddress
from keisan.daemon.settings_section import Section
from keisan.wire.base import Name

LinkUrl = Annotated[str, Field(pattern=r"^wss://[^/\s]+$")]


class LinkSettings(Section):
    """Connections of children are taken at `listen`, always with certificates on both sides; without it this platform has none.

    `url` is where children find it from outside, `wss://` and `listen` without one. `gateway_address` is where gateways of children,
    and of others that can, reach this platform's gateways. `parent_url` is where this platform reaches its parent's links, if that is
    another address than the parent tells. `offered_models` are those that are offered to other platforms; all
    that have a price, without it. `tells_names` lets the names of organizations, providers and owners go up to a parent; without
    it only counts do.
    """

    listen: ListenAddress | None = None
    url: LinkUrl | None = None
    tells_names: bool = False

    gateway_address: ListenAddress | None = None
    parent_url: LinkUrl | None = None
    offered_models: tuple[Name, ...] | None = None

    @property
    def outside_url(self) -> str:
        """Return where children dial, empty for a platform that takes none."""
        if self.url is not None:
            return self.url
        return "" if self.listen is None else f"wss://{self.listen}"
