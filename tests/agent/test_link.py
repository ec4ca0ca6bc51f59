"""The way to the platform: every failure is one of the tree, and says whether to try again."""

from collections.abc import AsyncIterator

import httpx
import pytest

from keisan.agent.link import PlatformLink, read_problem
from keisan.domain.errors import (
    KeisanError,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PlatformUnreachable,
    Refused,
    StateConflict,
    Unauthenticated,
)
from keisan.domain.key import Secret, digest_secret
from keisan.wire.machine import MachineJoin
from keisan.wire.site import SiteReport
from tests.agent.site_fakes import REPLICA_ID
from tests.agent.small_platform import JOIN_TOKEN, MACHINE_ID, SmallPlatform

SECRET = Secret("mk-keisan-test")
REPORT = SiteReport(agent_id=REPLICA_ID, nodes=(), devices=(), replicas=(), engines={})


def build_join(token: str = JOIN_TOKEN) -> MachineJoin:
    return MachineJoin(token=token, name="m", secret_digest=digest_secret(SECRET))


@pytest.fixture
async def link(platform: SmallPlatform) -> AsyncIterator[PlatformLink]:
    async with PlatformLink(platform.url, SECRET, None) as link:
        yield link


async def test_a_joined_machine_may_report(link: PlatformLink, platform: SmallPlatform) -> None:
    assert (await link.join(build_join())).id == MACHINE_ID
    assert (await link.report(REPORT)).orders == ()
    assert platform.reports == [REPORT]


async def test_an_unknown_machine_may_not(link: PlatformLink) -> None:
    with pytest.raises(Unauthenticated, match="401: unknown"):
        await link.report(REPORT)


async def test_wrong_token_is_told(link: PlatformLink) -> None:
    with pytest.raises(Unauthenticated, match="this join token is unknown"):
        await link.join(build_join("other"))


async def test_absent_platform_may_be_tried_again(link: PlatformLink, platform: SmallPlatform) -> None:
    platform.stop()
    with pytest.raises(PlatformUnreachable) as failure:
        await link.report(REPORT)
    assert failure.value.is_retryable


async def test_answer_that_is_not_understood_may_be_tried_again(
    link: PlatformLink, platform: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "answer", lambda *_: (200, b'{"orders": 1}'))
    with pytest.raises(PlatformUnreachable, match="not understood"):
        await link.report(REPORT)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, PlatformUnreachable),
        (503, PlatformUnreachable),
        (408, PlatformUnreachable),
        (429, PlatformUnreachable),
        (401, Unauthenticated),
        (403, PermissionDenied),
        (400, Refused),
        (409, StateConflict),
        (404, NotFound),
        (412, Refused),
        (413, LimitExceeded),
        (302, Refused),
    ],
)
def test_status_becomes_one_of_the_tree(status: int, kind: type[KeisanError]) -> None:
    assert type(read_problem(httpx.Response(status, json={"detail": "d"}))) is kind


@pytest.mark.parametrize(
    ("body", "told"),
    [(b'{"detail": "d", "title": "t"}', "d"), (b'{"title": "t"}', "t"), (b"[]", "Conflict"), (b"<html>", "Conflict")],
)
def test_detail_is_taken_where_there_is_one(body: bytes, told: str) -> None:
    assert f"409: {told}" in str(read_problem(httpx.Response(409, content=body)))
