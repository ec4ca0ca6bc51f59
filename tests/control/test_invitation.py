"""Invitations: made by who may, for what can be, with a secret of which only the digest is kept."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.control.invitation import create_invitation
from keisan.domain.access import PlatformScope, Right
from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.key import digest_secret
from keisan.domain.platform import PlatformKind
from keisan.wire.invitation import InvitationCreate, decode_token
from tests.control.link_world import Member, open_nation
from tests.control.people import count_actions


@pytest.fixture
async def parent(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Member]:
    async with open_nation(tmp_path, migrated_file) as nation:
        yield await nation.add(PlatformKind.NATIONAL)


async def test_an_invitation_keeps_the_digest_of_what_its_token_holds(parent: Member) -> None:
    body = InvitationCreate(url="https://nation.example", region="CN-SX", prefix="sx", kind=PlatformKind.REGIONAL)
    created = await create_invitation(parent.control, parent.admin, body)
    token = decode_token(created.token)
    assert (token.url, token.platform_id) == ("https://nation.example", parent.control.platform_id)
    async with parent.control.storage.read() as view:
        kept = await view.invitations.find(PlatformScope(), token.invitation_id)
    assert kept == created.invitation
    assert (kept.digest, kept.used_by) == (digest_secret(token.secret), None)
    assert (await count_actions(parent.control))["invitation.created"] == 1
    assert token.secret.reveal() not in repr((created, token))


async def test_who_may_not_invite_and_what_cannot_be_is_refused(parent: Member) -> None:
    nobody = replace(parent.admin, rights=frozenset({Right.READ}))
    with pytest.raises(PermissionDenied):
        await create_invitation(parent.control, nobody, InvitationCreate(url="https://nation.example"))
    for refused in (
        {"kind": PlatformKind.NATIONAL},
        {"kind": PlatformKind.INDUSTRY, "region": "CN-SX"},
    ):
        body = InvitationCreate.model_validate({"url": "https://nation.example", **refused})
        with pytest.raises(InvalidInput):
            await create_invitation(parent.control, parent.admin, body)
