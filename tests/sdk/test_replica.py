"""Replicas through the client."""

from keisan.kit.ids import create_id
from keisan.sdk import AsyncKeisan
from tests.api.stage import Stage


async def test_list_get_and_log(stage: Stage, admin: AsyncKeisan) -> None:
    [replica] = [line async for line in admin.replicas.list(stage.ids["deployment"])]
    assert await admin.replicas.get(replica.id) == replica
    assert (await admin.replicas.read_log(replica.id)).log_tail == "ready\n"
    assert [line async for line in admin.replicas.list()] == [replica]
    assert [line async for line in admin.replicas.list(create_id())] == []
