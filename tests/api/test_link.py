"""Links over HTTP: people decide with a key; a child asks with a signed letter, and needs no key."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keisan.control.link_join import join_parent
from keisan.domain.errors import Failed
from keisan.domain.link import LinkState
from keisan.wire.link_view import LinkJoin
from tests.api.stage import NOBODY, Stage
from tests.control.link_world import Member, open_nation


class HttpMember(Member):
    """A child whose parent is the stage, by HTTP."""

    stage: Stage

    async def ask(self, url: str, letter: bytes) -> bytes:
        answer = await self.stage.ask(NOBODY, "POST", "/links/ask", {"letter": base64.b64encode(letter).decode()})
        if answer.status_code != 200:
            raise Failed(answer.json()["detail"])
        return base64.b64decode(answer.json()["letter"])


@pytest.fixture
async def child(stage: Stage, tmp_path: Path, migrated_file: Path) -> AsyncIterator[Member]:
    async with open_nation(tmp_path, migrated_file) as nation:
        made = await nation.add(seed=2)
        member = HttpMember(made.control, made.clock, made.admin, made.seed, nation)
        member.stage = stage
        member.clock.instant = stage.clock.now()
        nation.members[2] = member
        yield member


async def test_a_child_joins_over_http(stage: Stage, child: Member) -> None:
    body = {"url": "http://nation.test", "region": "CN-SX", "prefix": "sx"}
    created = await stage.ask("admin", "POST", "/links/invitations", body)
    assert created.status_code == 201
    await join_parent(child.control, child.admin, LinkJoin(token=created.json()["token"]))
    await child.work()
    listed = (await stage.ask("admin", "GET", "/links")).json()["items"]
    [waiting] = [link for link in listed if link["neighbour_id"] == child.control.platform_id]
    assert (waiting["state"], waiting["side"], waiting["name"]) == ("requested", "child", "platform 2")
    path = f"/links/{waiting['id']}"
    taken = await stage.ask("admin", "POST", f"{path}/approve", {"prefix": "jx"})
    assert (taken.status_code, taken.json()["state"], taken.json()["region"], taken.json()["prefix"]) == (
        200,
        "joined",
        "CN-SX",
        "jx",
    )
    await child.work()
    assert (await child.get_parent()).state is LinkState.JOINED
    found = await stage.ask("admin", "GET", path)
    assert (found.json()["state"], found.headers["etag"]) == ("joined", '"2"')
    assert (await stage.ask("admin", "POST", f"{path}/leave")).json()["code"] == "state_conflict"
    revoked = await stage.ask("admin", "POST", f"{path}/revoke", {"reason": "test"})
    assert revoked.json()["state"] == "revoked"


async def test_a_letter_that_is_none_is_refused_with_a_code(stage: Stage) -> None:
    for letter, status in (("!", 400), ("", 400), (base64.b64encode(b"x").decode(), 400), ("A" * 400_000, 400)):
        answer = await stage.ask(NOBODY, "POST", "/links/ask", {"letter": letter})
        assert (answer.status_code, answer.json()["code"]) == (status, "invalid_input")


async def test_links_are_the_platforms_own(stage: Stage) -> None:
    path = f"/links/{stage.ids['link']}"
    for who in ("owner", "provider", "developer"):
        assert (await stage.ask(who, "GET", "/links")).json()["items"] == []
        assert (await stage.ask(who, "GET", path)).status_code == 404
        assert (await stage.ask(who, "POST", f"{path}/approve", {})).status_code == 403
        assert (await stage.ask(who, "POST", "/links/invitations", {"url": "http://x"})).status_code == 403
    assert (await stage.ask("auditor", "GET", path)).status_code == 200
    assert (await stage.ask("auditor", "POST", f"{path}/reject", {})).status_code == 403
    assert (await stage.ask("admin", "POST", f"{path}/reject", {})).json()["state"] == "rejected"


async def test_a_platform_joins_and_moves_by_an_invitation_that_it_was_handed(stage: Stage, child: Member) -> None:
    token = (await child.invite()).token
    joined = await stage.ask("admin", "POST", "/links", {"token": token})
    assert (joined.status_code, joined.json()["side"], joined.json()["state"]) == (201, "parent", "requested")
    assert token not in joined.text
    moved = await stage.ask("admin", "POST", f"/links/{joined.json()['id']}/move", {"token": token})
    assert (moved.status_code, moved.json()["code"]) == (409, "state_conflict")
    assert (await stage.ask("admin", "POST", "/links", {"token": "x"})).status_code == 400
