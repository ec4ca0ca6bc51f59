"""The settings of links to children: where they are taken, and where children find that."""

from typing import Annotated

from pydantic import Field

from keisan.daemon.settings_address import ListenAddress
from keisan.daemon.settings_section import Section


class LinkSettings(Section):
    """Connections of children are taken at `listen`, always with certificates on both sides; without it this platform has none.

    `url` is where children find it from outside, `wss://` and `listen` without one. `tells_names` lets the names of
    organizations, providers and owners go up to a parent; without it only counts do.
    """

    listen: ListenAddress | None = None
    url: Annotated[str, Field(pattern=r"^wss://[^/\s]+$")] | None = None
    tells_names: bool = False

    @property
    def outside_url(self) -> str:
        """Return where children dial, empty for a platform that takes none."""
        if self.url is not None:
            return self.url
        return "" if self.listen is None else f"wss://{self.listen}"
