"""Names: told when links change, carried as signed records, resolved while nobody can be asked, and after a move."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keisan.control.key_book import load_key_book
from keisan.control.lease import LeaseLoop
from keisan.control.link_join import move_parent
from keisan.control.link_review import revoke_link
from keisan.control.name import find_name, tell_names
from keisan.control.reconcilers.name import NameReconciler, start_names
from keisan.domain.access import PlatformScope
from keisan.domain.errors import AlreadyExists, NotFound
from keisan.domain.ids import LetterId
from keisan.domain.lease import WorkNoun
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.link import LinkState
from keisan.domain.name import NameType, PlatformName, encode_name
from keisan.domain.platform import PlatformKind
from keisan.federation.key_book import check_letter, order_for_book
from keisan.federation.resolve import Resolution
from keisan.kit.ids import create_id
from keisan.wire.letter import LetterDraft, sign_letter
from keisan.wire.link_view import LinkEnd
from keisan.wire.name import NameBody, encode_body, read_revocation_body
from tests.control.link_world import Member, Nation, open_nation

EVERYTHING = PlatformScope()


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    """A nation with two provinces, sx and hb."""
    async with open_nation(tmp_path, migrated_file) as opened:
        parent = await opened.add(PlatformKind.NATIONAL)
        for region, label in (("CN-SX", "sx"), ("CN-HB", "hb")):
            await parent.take_in(await opened.add(), region, label)
        for member in opened.members.values():
            async with member.control.storage.write() as transaction:
                await tell_names(transaction, member.control)
        yield opened


async def list_registers(member: Member) -> list[Letter]:
    async with member.control.storage.read() as view:
        kinds = (LetterKind.PLATFORM, LetterKind.NAME, LetterKind.REVOCATION)
        return [letter for kind in kinds for letter in await view.registers.list_kind(EVERYTHING, kind)]


async def carry(source: Member, target: Member) -> None:
    """Carry registers over the link between two, each checked by the book as it is then."""
    async with target.control.storage.write() as transaction:
        links = await transaction.links.list_neighbour(EVERYTHING, source.control.platform_id)
        for letter in order_for_book(await list_registers(source)):
            if letter.author != target.control.platform_id:
                check_letter(letter, await load_key_book(transaction, target.control))
                await transaction.registers.put(letter, links[-1].id)


async def carry_all(nation: Nation) -> None:
    """Carry what all tell to all: up to the root, and down again."""
    root, *others = nation.members.values()
    for other in others:
        await carry(other, root)
    for other in others:
        await carry(root, other)


async def find(
    member: Member, prefix: str, name_type: NameType = NameType.PLATFORM, suffix: str = "self"
) -> Resolution:
    return await find_name(member.control, member.admin, encode_name(PlatformName(prefix, name_type, suffix)))


async def test_a_name_is_resolved_at_a_platform_that_knows_it_by_records_alone(nation: Nation) -> None:
    root, sx, hb = nation.members.values()
    with pytest.raises(NotFound, match="whose the prefix"):
        await find(sx, "hb")
    await carry_all(nation)
    found = await find(sx, "hb")
    assert (found.platform_id, found.region, found.title) == (hb.control.platform_id, "CN-HB", "platform 3")
    assert found.path == (hb.control.platform_id, root.control.platform_id)
    assert found.told_at_ms is not None
    with pytest.raises(NotFound, match="no record here tells of it"):
        await find(sx, "hb", NameType.SITE, "wuhan")
    async with sx.control.storage.read() as view:
        book = await load_key_book(view, sx.control)
    assert {each.prefix: each.region for each in book.platforms.values() if each.prefix} == {
        "sx": "CN-SX",
        "hb": "CN-HB",
    }


async def test_a_thing_is_found_by_the_word_of_its_own_platform_alone(nation: Nation) -> None:
    _, sx, hb = nation.members.values()
    await carry_all(nation)
    name = encode_name(PlatformName("hb", NameType.SITE, "wuhan"))
    for teller, target_id in ((sx, "forged"), (hb, "the site's id")):
        own = teller.control.get_identity()
        body = encode_body(NameBody(platform_id=own.platform_id, target_id=target_id, title="Wuhan"))
        draft = LetterDraft(LetterId(create_id()), LetterKind.NAME, 1, name=name, version=1, body=body)
        async with sx.control.storage.write() as transaction:
            await transaction.registers.put(sign_letter(draft, own.platform_id, own.signer), None)
    found = await find(sx, "hb", NameType.SITE, "wuhan")
    assert (found.target_id, found.title, found.name) == ("the site's id", "Wuhan", name)


async def test_an_old_name_leads_to_where_the_platform_is_now(nation: Nation) -> None:
    """A province moves below another one; who asks for its old name, with links cut by then, finds it by the new one."""
    root, sx, hb = nation.members.values()
    await carry_all(nation)
    await move_parent(sx.control, sx.admin, (await sx.get_parent()).id, await hb.invite())
    await sx.work()
    async with hb.control.storage.write() as transaction:
        # Shanxi's platform becomes an industry's here: a province has no other province below it.
        link = await hb.get_child()
        await transaction.links.update(replace(link, kind=PlatformKind.INDUSTRY, version=link.version + 1))
    await hb.approve(None, "coal")
    await sx.work(4)
    assert [link.state for link in await sx.list_links()] == [LinkState.LEFT, LinkState.JOINED]
    await carry(hb, root)
    await carry(sx, hb)
    await carry(hb, root)
    for member in (root, hb):
        found = await find(member, "sx")
        assert (found.platform_id, found.name) == (
            sx.control.platform_id,
            encode_name(PlatformName("hb.coal", NameType.PLATFORM, "self")),
        )
        assert found.path == (sx.control.platform_id, hb.control.platform_id, root.control.platform_id)
    # Its old prefix is not another's, or its names would lead there.
    other = await nation.add()
    with pytest.raises(AlreadyExists, match="prefix sx"):
        await root.take_in(other, "CN-SX", "sx")


async def test_a_revocation_is_told_and_proven_anew_while_nothing_changes(nation: Nation) -> None:
    root, sx, hb = nation.members.values()
    await carry_all(nation)
    links = await root.list_links()
    await revoke_link(root.control, root.admin, links[1].id, LinkEnd())
    await carry(root, sx)
    assert (await find(root, "hb")).is_revoked
    async with sx.control.storage.read() as view:
        book = await load_key_book(view, sx.control)
    assert book.platforms.get(hb.control.platform_id) is None or book.platforms[hb.control.platform_id].revoked_at_ms
    await start_names(root.control.storage, root.clock.now())
    loop = LeaseLoop(root.control, {WorkNoun.NAME: NameReconciler(root.control)})
    proofs = []
    for _ in range(3):
        await loop.run_round()
        [letter] = [
            each
            for each in await list_registers(root)
            if each.author == root.control.platform_id and each.kind == LetterKind.REVOCATION
        ]
        proofs.append((read_revocation_body(letter).proved_at_ms, letter.version))
        assert [each.platform_id for each in read_revocation_body(letter).revoked] == [hb.control.platform_id]
        root.clock.instant += timedelta(seconds=600)
    assert proofs[0][0] < proofs[1][0] < proofs[2][0]
    assert proofs[0][1] < proofs[1][1] < proofs[2][1]


async def test_what_is_as_it_was_told_is_not_told_again(nation: Nation) -> None:
    root = nation.members[1]
    before = await list_registers(root)
    async with root.control.storage.write() as transaction:
        assert await tell_names(transaction, root.control) == 0
        assert await NameReconciler(root.control).load(transaction, create_id()) is None
    assert await list_registers(root) == before
