"""A child that asks its parent: it believes nothing but the parent's signed word to its own question, and keeps what it has."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keisan.control.link_join import join_parent
from keisan.control.reconcilers.link import LinkReconciler
from keisan.domain.errors import PlatformUnreachable
from keisan.domain.ids import LetterId
from keisan.domain.link import Link, LinkState
from keisan.domain.platform import PlatformKind
from keisan.kit.ids import create_id
from keisan.wire.letter import LetterDraft, decode_letter, encode_letter, sign_letter
from keisan.wire.link_ask import encode_body, read_told_body
from keisan.wire.name import encode_key_chain
from tests.control.link_world import Member, Nation, build_identity, open_nation
from tests.control.people import count_actions


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    async with open_nation(tmp_path, migrated_file) as opened:
        await opened.add(PlatformKind.NATIONAL)
        await opened.add()
        yield opened


@dataclass
class Forger:
    """Stands between a child and its parent and changes what the parent says: body and header, signed by whom it likes."""

    child: Member
    changes: dict[str, Any]
    signer_seed: int = 1

    async def ask(self, url: str, letter: bytes) -> bytes:
        answer = decode_letter(await self.child.ask(url, letter))
        given = {name: value for name, value in self.changes.items() if not callable(value)}
        given |= {name: value(answer) for name, value in self.changes.items() if callable(value)}
        author = given.pop("author", answer.author)
        header: dict[str, Any] = {"kind": answer.kind, "audience": answer.audience}
        header |= {name: given.pop(name) for name in list(given) if name in header}
        given |= {name.removesuffix("_"): given.pop(name) for name in list(given) if name.endswith("_")}
        body = encode_body(msgspec.structs.replace(read_told_body(answer), **given))
        draft = LetterDraft(LetterId(create_id()), made_at_ms=1, body=body, **header)
        return encode_letter(sign_letter(draft, author, build_identity(self.signer_seed).signer))


async def ask_once(child: Member, ask: Callable[..., Any]) -> Link:
    """Let the child ask through somebody else, and return its link after it."""
    reconciler = LinkReconciler(child.control, ask)
    link = await child.get_parent()
    async with child.control.storage.read() as view:
        work = await reconciler.load(view, link.id)
    assert work is not None
    change = await reconciler.perform(reconciler.decide(work, child.clock.now()))
    async with child.control.storage.write() as transaction:
        await reconciler.apply(transaction, change, child.clock.now())
    return await child.get_parent()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "usage"}, "not the parent's word to this platform"),
        ({"audience": None}, "not the parent's word to this platform"),
        ({"author": "0" * 64}, "not the parent's word to this platform"),
        ({"answers": create_id()}, "to this question"),
        ({"state": "crowned"}, "does not know"),
        ({"kind_": "imperial"}, "does not know"),
        ({"epoch": 2**60}, "does not know"),
        ({"epoch": 2**52}, "does not know"),
        ({"now_ms": -1}, "does not know"),
        ({"certificate": "none"}, "not a certificate"),
        ({"ca": "none"}, "not a certificate"),
    ],
)
async def test_an_answer_that_is_not_the_parents_changes_nothing(
    nation: Nation, changes: dict[str, Any], text: str
) -> None:
    parent, child = nation.members[1], nation.members[2]
    await join_parent(child.control, child.admin, await parent.invite())
    await child.work()
    await parent.approve("CN-SX", "sx")
    link = await ask_once(child, Forger(child, dict(changes)).ask)
    assert (link.state, link.certificate) == (LinkState.REQUESTED, "")
    assert text in link.fault
    await child.work(2)
    link = await child.get_parent()
    assert (link.state, link.fault) == (LinkState.JOINED, "")


async def test_whoever_answers_in_the_parents_place_is_not_believed(nation: Nation) -> None:
    parent, child, thief = nation.members[1], nation.members[2], await nation.add(PlatformKind.NATIONAL)
    await join_parent(child.control, child.admin, await parent.invite())
    await child.work()
    await parent.approve("CN-SX", "sx")
    own = thief.control.get_identity()
    for changes in ({}, {"keys": encode_key_chain(own.keys)}):
        link = await ask_once(child, Forger(child, dict(changes), signer_seed=thief.seed).ask)
        assert link.state is LinkState.REQUESTED
        assert link.fault


async def test_the_certificate_of_another_child_or_authority_is_refused(nation: Nation) -> None:
    parent, child, other = nation.members[1], nation.members[2], await nation.add()
    await parent.take_in(other, "CN-HB", "hb")
    theirs = await other.get_parent()
    foreign = await nation.add(PlatformKind.NATIONAL)
    stranger = await nation.add()
    await foreign.take_in(stranger, "CN-JS", "js")
    await join_parent(child.control, child.admin, await parent.invite())
    await child.work()
    await parent.approve("CN-SX", "sx")
    link = await ask_once(child, Forger(child, {"certificate": theirs.certificate}).ask)
    assert "not this platform's" in link.fault
    link = await ask_once(child, Forger(child, {"ca": (await stranger.get_parent()).ca}).ask)
    assert "not its own" in link.fault
    assert link.state is LinkState.REQUESTED


async def test_a_certificate_is_renewed_before_it_ends_and_after(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    first = await child.get_parent()
    assert first.certificate_ends_at is not None
    for member in nation.members.values():
        member.clock.instant = first.certificate_ends_at - timedelta(days=31)
    await child.work()
    assert (await child.get_parent()).certificate == first.certificate
    for member in nation.members.values():
        member.clock.instant += timedelta(days=1)
    await child.work()
    second = await child.get_parent()
    assert second.certificate_ends_at == first.certificate_ends_at + timedelta(days=60) + timedelta(seconds=31)
    # Cut for so long that it has ended: the pinned key still renews.
    child.is_cut = True
    for member in nation.members.values():
        member.clock.instant = second.certificate_ends_at + timedelta(days=10)
    await child.work()
    held = await child.get_parent()
    assert (held.state, held.certificate) == (LinkState.JOINED, second.certificate)
    assert "does not answer" in held.fault
    child.is_cut = False
    await child.work(2)
    third = await child.get_parent()
    assert third.certificate_ends_at is not None
    assert third.certificate_ends_at > child.clock.now() + timedelta(days=89)
    assert (await count_actions(parent.control))["link.renewed"] == 2


async def test_rotated_keys_of_either_side_reach_the_other(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    first = await child.get_parent()
    child.rotate(3)
    parent.rotate(2)
    for member in nation.members.values():
        member.clock.instant += timedelta(hours=7)
    await child.work()
    link = await child.get_parent()
    assert link.keys == parent.control.get_identity().keys
    assert (await parent.get_child()).keys == child.control.get_identity().keys
    # The newer authority has issued a certificate for the newer key.
    assert link.certificate != first.certificate
    assert link.ca != first.ca
    # A parent that comes with its first keys alone, from an old disk or a thief, is not believed any more.
    parent.rotate(1)
    for member in nation.members.values():
        member.clock.instant += timedelta(hours=7)
    await child.work()
    held = await child.get_parent()
    assert "do not follow" in held.fault
    assert held.keys == link.keys


async def test_clocks_that_are_apart_are_measured(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    parent.clock.instant += timedelta(seconds=45)
    await parent.take_in(child, "CN-SX", "sx")
    seen_by_child, seen_by_parent = await child.get_parent(), await parent.get_child()
    assert (seen_by_child.offset_ms, seen_by_parent.offset_ms) == (45_000, -45_000)
    assert seen_by_child.is_clock_off
    assert seen_by_parent.is_clock_off


async def test_a_clock_that_was_set_back_makes_no_question_a_replay(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    child.rotate(2)
    child.clock.instant += timedelta(days=1)
    await ask_once(child, child.ask)
    child.rotate(3)
    # It asks at once, too: what was heard last was, by this clock, in a month.
    child.clock.instant -= timedelta(days=30)
    assert (await ask_once(child, child.ask)).fault == ""
    assert (await parent.get_child()).keys == child.control.get_identity().keys


async def test_a_question_that_nobody_answered_is_remembered_when_the_clock_is_set_back(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    child.rotate(2)
    child.clock.instant += timedelta(days=1)

    async def lose_answer(url: str, content: bytes) -> bytes:
        await child.ask(url, content)
        raise PlatformUnreachable("the answer was lost")

    assert (await ask_once(child, lose_answer)).fault
    child.rotate(3)
    child.clock.instant -= timedelta(days=30)
    assert (await ask_once(child, child.ask)).fault == ""
    assert (await parent.get_child()).keys == child.control.get_identity().keys


async def test_a_link_to_a_child_and_one_that_is_gone_are_nothing_to_work_on(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    reconciler = LinkReconciler(parent.control, parent.ask)
    async with parent.control.storage.write() as transaction:
        assert await reconciler.load(transaction, create_id()) is None
        work = await reconciler.load(transaction, (await parent.get_child()).id)
        assert work is not None
        change = await reconciler.perform(reconciler.decide(work, parent.clock.now()))
        assert change.step is None
        assert await reconciler.apply(transaction, change, parent.clock.now()) is None
