"""The gateway's machine identity (R11): its own secret, saved before it joins, so that a join survives any crash.

The platform gives the same machine for the same token and digest, so the join may be repeated until its answer is saved.
"""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from keisan.domain.errors import Failed, PlatformUnreachable, Unauthenticated
from keisan.domain.ids import MachineId, PlatformId, parse_platform_id
from keisan.domain.key import MACHINE_PREFIX, Secret, create_secret, digest_secret
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.private_file import write_private_file
from keisan.wire.base import SecretText, WireView
from keisan.wire.machine import MachineJoin, MachineView

JOIN_PATH = "/api/v1/machines/join"


class IdentityFile(WireView):
    """What the identity file holds; the two ids are missing until the platform has answered."""

    secret: SecretText
    machine_id: UUID | None = None
    platform_id: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this gateway is, on which platform, and the secret that proves it."""

    machine_id: MachineId
    platform_id: PlatformId
    secret: Secret


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Where and as what to join; `token` is needed until the join has been answered once."""

    platform_url: str
    ca_path: str | None
    name: str
    token: Secret | None


async def ensure_identity(path: Path, request: JoinRequest) -> Identity:
    """Return the identity kept at `path`, joining the platform first if it has not been answered yet.

    Raises PlatformUnreachable (try again), Unauthenticated (the token is wrong, used or too old) or Failed.
    """
    kept = _load_file(path)
    known = _to_identity(kept)
    if known is not None:
        return known
    if request.token is None:
        raise Unauthenticated(f"no machine identity in {path.parent} and no join token given; make one and set it")
    machine = await _join(request, request.token, Secret(kept.secret))
    joined = kept.model_copy(update={"machine_id": machine.id, "platform_id": machine.platform_id})
    _save_file(path, joined)
    return Identity(MachineId(machine.id), parse_platform_id(machine.platform_id), Secret(kept.secret))


def _load_file(path: Path) -> IdentityFile:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        fresh = IdentityFile(secret=create_secret(MACHINE_PREFIX).reveal())
        _save_file(path, fresh)
        return fresh
    try:
        return IdentityFile.model_validate_json(content)
    except ValueError as fault:
        # The fault quotes the file, and so the secret: neither its text nor its traceback may reach a log.
        raise Failed(f"{path} is damaged; remove it and join with a new token", type(fault).__name__) from None


def _save_file(path: Path, content: IdentityFile) -> None:
    write_private_file(path, content.model_dump_json().encode())


def _to_identity(kept: IdentityFile) -> Identity | None:
    if kept.machine_id is None or kept.platform_id is None:
        return None
    return Identity(MachineId(kept.machine_id), parse_platform_id(kept.platform_id), Secret(kept.secret))


async def _join(request: JoinRequest, token: Secret, secret: Secret) -> MachineView:
    body = MachineJoin(token=token.reveal(), name=request.name, secret_digest=digest_secret(secret))
    try:
        async with open_async_client(HttpTarget(request.platform_url, ca_path=request.ca_path)) as client:
            answer = await client.post(JOIN_PATH, content=body.model_dump_json(), headers=_JSON)
    except httpx.HTTPError as fault:
        raise PlatformUnreachable("the platform does not answer", repr(fault)) from fault
    if answer.status_code in (401, 403, 404):
        raise Unauthenticated("the platform refused the join token", answer.text[:500])
    if answer.status_code == 429 or answer.status_code >= 500:
        raise PlatformUnreachable(f"the platform answered the join with {answer.status_code}", answer.text[:500])
    if not answer.is_success:
        raise Failed(f"the platform answered the join with {answer.status_code}", answer.text[:500])
    try:
        return MachineView.model_validate_json(answer.content)
    except ValueError as fault:
        raise Failed("the platform's answer to the join cannot be read", str(fault)) from fault


_JSON = {"content-type": "application/json"}
