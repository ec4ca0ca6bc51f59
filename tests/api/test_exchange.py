"""Exchanges over HTTP: the platform's own people see what those below told, and nobody else."""

from dataclasses import replace

from keisan.domain.access import PlatformScope
from keisan.domain.ids import LinkId
from keisan.domain.link import LinkState
from tests.api.stage import Stage


async def take_in(stage: Stage) -> None:
    """Let the platform that asked be a child, and look at it once."""
    async with stage.storage.write() as transaction:
        link = await transaction.links.get(PlatformScope(), LinkId(stage.ids["link"]))
        joined = replace(link, state=LinkState.JOINED, region="CN-SX", prefix="sx", version=link.version + 1)
        await transaction.links.update(joined)
    await stage.regions.step()


async def test_a_child_that_has_told_nothing_is_on_the_list(stage: Stage) -> None:
    regions = stage.regions
    await take_in(stage)
    found = (await stage.ask("admin", "GET", "/exchanges")).json()["items"]
    children = [known.id for known in regions.hearing.list_platforms()]
    assert [each["platform_id"] for each in found] == children
    assert len(found) == 1
    [child] = found
    assert [line["exchange"] for line in child["exchanges"]] == [
        "platform",
        "subjects",
        "resources",
        "ecosystem",
        "scenarios",
    ]
    assert {line["state"] for line in child["exchanges"]} == {"not_yet"}
    assert all(line["since"] is not None for line in child["exchanges"])
    assert (child["heard_at"], child["is_heard"], child["subjects"], child["share_ppm"]) == (None, False, None, None)
    assert set(child["device_counts"].values()) == {None}
    one = (await stage.ask("admin", "GET", f"/exchanges?platform_id={child['platform_id']}")).json()
    assert one["items"] == found
    capacity = (await stage.ask("admin", "GET", "/capacity")).json()
    assert [each["platform_id"] for each in capacity["platforms"]] == children


async def test_nobody_else_sees_it(stage: Stage) -> None:
    await take_in(stage)
    child = stage.regions.hearing.list_platforms()[0].id
    for who in ("owner", "developer", "provider"):
        assert (await stage.ask(who, "GET", "/exchanges")).json() == {"items": []}
        assert (await stage.ask(who, "GET", f"/exchanges?platform_id={child}")).status_code == 404
        assert (await stage.ask(who, "GET", "/capacity")).json()["platforms"] == []
    assert (await stage.ask("admin", "GET", f"/exchanges?platform_id={'0' * 64}")).status_code == 404
