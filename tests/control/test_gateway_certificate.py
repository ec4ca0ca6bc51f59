"""Certificates of gateways: of the parent where there is one, for the gateway's own key, in this platform's name, renewed in time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.gateway_certificate import certify_gateway
from keisan.domain.access import Principal
from keisan.domain.errors import InvalidInput, PermissionDenied, PlatformUnreachable, StateConflict
from keisan.domain.limits import LINK_CERTIFICATE_S
from keisan.domain.platform import PlatformKind
from keisan.federation.certificate import parse_certificate, read_authority_key, split_certificates
from keisan.kit.signature import KeySigner
from keisan.wire.gateway_certificate import GatewayCertificateAsk, GatewayCertificateView
from keisan.wire.letter import decode_letter
from tests.control.link_world import Member, Nation, make_keys, open_nation
from tests.factories import create_machine

KEY = KeySigner(make_keys(200)[0]).public_key


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    """A nation, a province of it, and a city of that."""
    async with open_nation(tmp_path, migrated_file) as opened:
        parent = await opened.add(PlatformKind.NATIONAL)
        province, city = await opened.add(), await opened.add()
        await parent.take_in(province, "CN-SX", "sx")
        await province.take_in(city, "CN-SX", "ty")
        yield opened


def build_gateway() -> Principal:
    return create_machine().to_principal()


async def certify(member: Member, certificate: str = "") -> GatewayCertificateView:
    body = GatewayCertificateAsk(public_key=KEY.hex(), certificate=certificate)
    return await certify_gateway(member.control, build_gateway(), body, member.ask)


async def test_a_root_certifies_its_own_gateways(nation: Nation) -> None:
    root = nation.members[1]
    given = await certify(root)
    keys = root.control.get_identity().keys.keys
    holder = parse_certificate(given.certificate, keys).holder
    assert (holder.platform_id, holder.public_key, given.parent_id) == (root.control.platform_id, KEY, None)
    assert [read_authority_key(each) for each in split_certificates(given.authorities)] == [keys[-1]]


async def test_a_child_is_certified_by_its_parent_and_trusts_itself_its_parent_and_whoever_certifies_that(
    nation: Nation,
) -> None:
    root, province, city = (member.control.get_identity().keys for member in nation.members.values())
    for member, parent, trusted in (
        (nation.members[2], root, [province, root]),
        (nation.members[3], province, [city, province, root]),
    ):
        given = await certify(member)
        found = parse_certificate(given.certificate, parent.keys)
        assert (found.holder.platform_id, found.holder.public_key) == (member.control.platform_id, KEY)
        assert (found.holder.region, given.parent_id) == ("CN-SX", parent.platform_id)
        authorities = [read_authority_key(each) for each in split_certificates(given.authorities)]
        assert authorities == [each.newest_key for each in trusted]


async def test_what_holds_is_given_again_and_what_does_not_is_replaced(nation: Nation) -> None:
    province = nation.members[2]
    first = await certify(province)
    asked = len(nation.letters)
    again = await certify(province, first.certificate)
    assert (again.certificate, again.authorities, len(nation.letters)) == (first.certificate, "", asked)
    for member in nation.members.values():
        member.clock.instant += timedelta(seconds=LINK_CERTIFICATE_S * 2 / 3 + 1)
    assert (await certify(province, first.certificate)).certificate != first.certificate


async def test_a_newer_key_of_the_parent_makes_another_certificate(nation: Nation) -> None:
    root, province = nation.members[1], nation.members[2]
    first = await certify(province)
    root.rotate(2)
    for member in nation.members.values():
        member.clock.instant += timedelta(hours=7)
    await province.work()
    given = await certify(province, first.certificate)
    parse_certificate(given.certificate, [root.control.get_identity().keys.newest_key])


async def test_a_certificate_of_another_key_is_not_taken_for_the_gateways(nation: Nation) -> None:
    province = nation.members[2]
    other = GatewayCertificateAsk(public_key=KeySigner(make_keys(201)[0]).public_key.hex())
    wrong = await certify_gateway(province.control, build_gateway(), other, province.ask)
    given = await certify(province, wrong.certificate)
    assert given.certificate != wrong.certificate


async def test_the_question_changes_nothing_of_the_link_and_may_come_again(nation: Nation) -> None:
    root, province = nation.members[1], nation.members[2]
    before = [replace(link, heard_at=None, offset_ms=None) for link in await root.list_links()]
    await certify(province)
    answer = decode_letter(await province.ask(root.url, nation.letters[-1]))
    assert answer.author == root.control.platform_id
    assert [replace(link, heard_at=None, offset_ms=None) for link in await root.list_links()] == before


async def test_nobody_else_is_given_one(nation: Nation) -> None:
    province = nation.members[2]
    body = GatewayCertificateAsk(public_key=KEY.hex())
    with pytest.raises(PermissionDenied):
        await certify_gateway(province.control, province.admin, body, province.ask)
    alone = await nation.add()
    with pytest.raises(StateConflict):
        await certify(alone)


async def test_a_parent_that_is_cut_off_is_told_of_and_a_liar_is_not_believed(nation: Nation) -> None:
    province, city = nation.members[2], nation.members[3]
    province.is_cut = True
    with pytest.raises(PlatformUnreachable):
        await certify(province)
    province.is_cut = False

    async def answer_for_another(url: str, letter: bytes) -> bytes:
        await city.ask(province.url, nation.letters[-1])
        return await city.ask(url, nation.letters[0])

    await certify(city)
    body = GatewayCertificateAsk(public_key=KEY.hex())
    with pytest.raises((InvalidInput, StateConflict)):
        await certify_gateway(province.control, build_gateway(), body, answer_for_another)
