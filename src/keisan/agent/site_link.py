"""The way of a node's agent to its site's: the platform's protocol for frames, one level down."""

from typing import Self
from uuid import UUID

from keisan.agent.link import post_bytes
from keisan.domain.frame import FrameOutcome
from keisan.domain.key import Secret
from keisan.kit.http import HttpTarget, open_async_client
from keisan.wire.arrow import ARROW_TYPE
from keisan.wire.node import HostReport, HostTaken
from keisan.wire.telemetry import FrameAnswer, InventoryAnswer

REPORT_PATH, INVENTORY_PATH, FRAME_PATH = "/node/report", "/node/inventory", "/node/frame"
NODE_HEADER, AGENT_HEADER = "keisan-node", "keisan-agent"
_WHOM = "the site's agent"


class SiteLink:
    """The requests of one node, `sender` its hardware id and its agent's id. Close it after use.

    All raise PlatformUnreachable for what may pass later, else as PlatformLink's.
    """

    def __init__(self, site_url: str, secret: Secret, ca_path: str | None, sender: tuple[str, UUID]) -> None:
        self._client = open_async_client(HttpTarget(base_url=site_url, bearer=secret.reveal(), ca_path=ca_path))
        self._client.headers.update({NODE_HEADER: sender[0], AGENT_HEADER: str(sender[1])})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def report(self, body: HostReport) -> HostTaken:
        """Tell what this node is and which devices it has."""
        content = (body.model_dump_json().encode(), "application/json")
        return await post_bytes(self._client, REPORT_PATH, content, HostTaken, _WHOM)

    async def send_inventory(self, body: bytes) -> None:
        """Tell the node's inventory; raises StateConflict for one that takes back what was told."""
        await post_bytes(self._client, INVENTORY_PATH, (body, ARROW_TYPE), InventoryAnswer, _WHOM)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        """Hand in a frame; raises StateConflict if the site does not know the inventory it counts by."""
        return (await post_bytes(self._client, FRAME_PATH, (body, ARROW_TYPE), FrameAnswer, _WHOM)).outcome
