"""Links and invitations: what is asked of them beyond what all nouns have, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.domain.access import OrganizationScope, PlatformScope
from keisan.domain.errors import AlreadyExists, NotFound, StateConflict, VersionMismatch
from keisan.domain.ids import InvitationId, LinkId, OrganizationId
from keisan.domain.link import ENDED_STATES, Invitation, LinkState
from keisan.domain.platform import PlatformKind
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner
from keisan.storage.database import Database
from tests.factories import NOW, PLATFORM_ID, create_link

EVERYTHING = PlatformScope()
OTHER = KeySigner(Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))


def create_invitation() -> Invitation:
    return Invitation(
        id=InvitationId(create_id()),
        platform_id=PLATFORM_ID,
        digest="d" * 64,
        kind=PlatformKind.REGIONAL,
        region="CN-SX",
        label="sx",
        created_by="key:1",
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
        used_by=None,
    )


async def test_links_are_listed_by_state_and_by_neighbour(storage: Database) -> None:
    links = [replace(create_link(), state=state) for state in LinkState]
    other = create_link(OTHER)
    async with storage.write() as transaction:
        for each in (*links, other):
            await transaction.links.insert(each)
    async with storage.read() as view:
        ended = await view.links.list_states(EVERYTHING, ENDED_STATES)
        assert {each.state for each in ended} == ENDED_STATES
        assert list(await view.links.list_neighbour(EVERYTHING, other.neighbour_id)) == [other]
        assert list(await view.links.list_neighbour(EVERYTHING, links[0].neighbour_id)) == links
        nobody = OrganizationScope(OrganizationId(create_id()))
        assert not await view.links.list_states(nobody, LinkState)
        assert not await view.links.list_neighbour(nobody, other.neighbour_id)


async def test_what_was_heard_is_noted_beside_updates_and_turned_back_by_none(storage: Database) -> None:
    link = create_link()
    async with storage.write() as transaction:
        await transaction.links.insert(link)
        await transaction.links.note_heard(link.id, NOW, -45_000)
        await transaction.links.update(replace(link, state=LinkState.JOINED, version=2))
        await transaction.links.note_heard(link.id, NOW + timedelta(seconds=1), None)
    async with storage.read() as view:
        found = await view.links.get(EVERYTHING, link.id)
    assert (found.offset_ms, found.heard_at, found.version) == (-45_000, NOW + timedelta(seconds=1), 2)
    assert found.is_clock_off
    with pytest.raises(NotFound):
        async with storage.write() as transaction:
            await transaction.links.note_heard(LinkId(create_id()), NOW, 1)


async def test_an_invitation_is_used_by_one_platform(storage: Database) -> None:
    made, other = create_invitation(), create_link(OTHER).neighbour_id
    async with storage.write() as transaction:
        await transaction.invitations.insert(made)
        for _ in range(2):
            await transaction.invitations.use(made.id, PLATFORM_ID)
    with pytest.raises(StateConflict, match="another platform"):
        async with storage.write() as transaction:
            await transaction.invitations.use(made.id, other)
    async with storage.read() as view:
        assert await view.invitations.find(EVERYTHING, made.id) == replace(made, used_by=PLATFORM_ID)
        assert await view.invitations.find(OrganizationScope(OrganizationId(create_id())), made.id) is None
        assert await view.invitations.find(EVERYTHING, InvitationId(create_id())) is None
    with pytest.raises(AlreadyExists):
        async with storage.write() as transaction:
            await transaction.invitations.insert(made)
    with pytest.raises(NotFound):
        async with storage.write() as transaction:
            await transaction.invitations.use(InvitationId(create_id()), other)


async def test_of_two_writers_of_one_link_the_second_is_refused(storage: Database) -> None:
    link = create_link()
    async with storage.write() as transaction:
        await transaction.links.insert(link)
        await transaction.links.update(replace(link, state=LinkState.JOINED, version=2))
    with pytest.raises(VersionMismatch):
        async with storage.write() as transaction:
            await transaction.links.update(replace(link, state=LinkState.REJECTED, version=2))
