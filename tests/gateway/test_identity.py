"""The machine identity: made and kept before the join, repeatable after a crash at any point."""

import hashlib
import json
import traceback
from pathlib import Path
from uuid import uuid4

import pytest

from keisan.domain.errors import Failed, PlatformUnreachable, Unauthenticated
from keisan.domain.key import MACHINE_PREFIX, Secret
from keisan.gateway.identity import JOIN_PATH, Identity, JoinRequest, ensure_identity
from tests.gateway.small_platform import PLATFORM_ID, Reply, Request, run_platform

MACHINE_ID = str(uuid4())


def answer_join(request: Request) -> Reply:
    machine = {
        "id": MACHINE_ID,
        "platform_id": PLATFORM_ID,
        "kind": "gateway",
        "site_id": None,
        "name": json.loads(request.body)["name"],
        "acknowledged_version": 0,
        "seen_at": None,
        "version": 1,
        "created_at": "2026-11-23T00:00:00Z",
        "revoked_at": None,
    }
    return 201, machine


async def ensure(path: Path, url: str, token: str | None = "jt-keisan-x") -> Identity:
    return await ensure_identity(path, JoinRequest(url, None, "gateway-1", Secret(token) if token else None))


async def test_join_hands_in_only_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    async with run_platform(answer_join) as platform:
        identity = await ensure(path, platform.url)
    [request] = platform.requests
    assert request.path == JOIN_PATH
    secret = identity.secret.reveal()
    body = json.loads(request.body)
    assert body == {
        "token": "jt-keisan-x",
        "name": "gateway-1",
        "secret_digest": hashlib.sha256(secret.encode()).hexdigest(),
    }
    assert secret.startswith(MACHINE_PREFIX)
    assert (str(identity.machine_id), identity.platform_id) == (MACHINE_ID, PLATFORM_ID)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_joined_gateway_needs_neither_token_nor_platform(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    async with run_platform(answer_join) as platform:
        first = await ensure(path, platform.url)
    again = await ensure(path, platform.url, token=None)
    assert again.secret.reveal() == first.secret.reveal()
    assert again.machine_id == first.machine_id


async def test_lost_answer_is_asked_for_again_with_the_same_digest(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    async with run_platform(lambda request: (503, None)) as platform:
        with pytest.raises(PlatformUnreachable):
            await ensure(path, platform.url)
        platform.handler = answer_join
        await ensure(path, platform.url)
    lost, answered = (json.loads(request.body) for request in platform.requests)
    assert lost == answered


async def test_platform_gone_is_unreachable(tmp_path: Path) -> None:
    async with run_platform(None) as platform:
        with pytest.raises(PlatformUnreachable):
            await ensure(tmp_path / "identity.json", platform.url)


async def test_refused_token_is_told(tmp_path: Path) -> None:
    async with run_platform(lambda request: (401, {"code": "unauthenticated"})) as platform:
        with pytest.raises(Unauthenticated, match="join token"):
            await ensure(tmp_path / "identity.json", platform.url)


async def test_no_token_and_no_identity_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated, match="no join token"):
        await ensure(tmp_path / "identity.json", "http://127.0.0.1:1", token=None)


async def test_damaged_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    path.write_bytes(b'{"secret": ')
    with pytest.raises(Failed, match="damaged"):
        await ensure(path, "http://127.0.0.1:1")
    assert path.read_bytes() == b'{"secret": '


async def test_fault_of_a_torn_file_does_not_tell_the_secret_in_it(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    path.write_bytes(b'{"secret":"mk-keisan-0123456789abcdef')
    with pytest.raises(Failed) as caught:
        await ensure(path, "http://127.0.0.1:1")
    assert "abcdef" not in "".join(traceback.format_exception(caught.value)) + caught.value.inside


@pytest.mark.parametrize("reply", [(400, {}), (200, {"id": 1})])
async def test_strange_answer_is_a_failure(tmp_path: Path, reply: Reply) -> None:
    async with run_platform(lambda request: reply) as platform:
        with pytest.raises(Failed):
            await ensure(tmp_path / "identity.json", platform.url)
