"""Nodes through the client."""

from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_list_and_get(stage: Stage, admin: AsyncKeisan) -> None:
    [line, _] = [line async for line in admin.nodes.list()]
    assert line.hostname == "one"
    assert await admin.nodes.get(stage.ids["node"]) == line
