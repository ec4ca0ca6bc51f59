"""What a parent believes of letters: nothing that is not signed by the newest key, proven, for it, and newer than the last."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keisan.control.link_ask import answer_question
from keisan.control.link_join import join_parent
from keisan.domain.errors import InvalidInput, StateConflict, Unauthenticated
from keisan.domain.ids import LetterId
from keisan.domain.link import LinkState
from keisan.domain.platform import PlatformKind
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.wire.invitation import TOKEN_PREFIX
from keisan.wire.letter import LetterDraft, decode_letter, encode_letter, sign_letter
from keisan.wire.link_ask import LinkAskBody, encode_body, read_ask_body, read_told_body
from keisan.wire.link_view import LinkJoin
from keisan.wire.name import encode_key_chain
from tests.control.link_world import Member, Nation, open_nation
from tests.control.people import count_actions


@pytest.fixture
async def nation(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Nation]:
    async with open_nation(tmp_path, migrated_file) as opened:
        await opened.add(PlatformKind.NATIONAL)
        await opened.add()
        yield opened


def build_letter(child: Member, parent: Member, step: str = "renew", **changes: object) -> bytes:
    """Return a question of a child, well made but for what is changed."""
    own = child.control.get_identity()
    body = LinkAskBody(
        step=step, title="platform 2", kind="regional", keys=encode_key_chain(own.keys), link_key=own.link_key, epoch=1
    )
    header: dict[str, object] = {
        "audience": parent.control.platform_id,
        "kind": "link_ask",
        "made_at_ms": to_milliseconds(child.clock.now()),
    }
    header |= {name: changes.pop(name) for name in list(changes) if name in header}
    signer = changes.pop("signer", own.signer)
    content = encode_body(msgspec.structs.replace(body, **changes))
    draft = LetterDraft(LetterId(create_id()), body=content, **header)  # type: ignore[arg-type]  # by name
    return encode_letter(sign_letter(draft, own.platform_id, signer))  # type: ignore[arg-type]  # by name


async def test_only_a_proven_invitation_lets_a_platform_ask(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    token = (await parent.invite()).token
    content = msgspec.json.decode(base64.urlsafe_b64decode(token.removeprefix(TOKEN_PREFIX) + "=="))
    wrong = TOKEN_PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(content | {"secret": "guessed"})).decode()
    await join_parent(child.control, child.admin, LinkJoin(token=wrong))
    await child.work()
    assert "unknown" in (await child.get_parent()).fault
    for invitation_id in (None, create_id()):
        with pytest.raises(Unauthenticated, match="unknown"):
            await answer_question(parent.control, build_letter(child, parent, "join", invitation_id=invitation_id))
    assert not await parent.list_links()
    # The secret is in none of the letters that were sent.
    assert not any(b"guessed" in letter for letter in nation.letters)


async def test_an_invitation_ends_and_serves_one_platform(nation: Nation) -> None:
    parent, child, other = nation.members[1], nation.members[2], await nation.add()
    late, shared = await parent.invite(life_s=60), await parent.invite()
    await join_parent(other.control, other.admin, shared)
    await other.work(4)
    await join_parent(child.control, child.admin, shared)
    await child.work()
    assert "used by another" in (await child.get_parent()).fault
    third = await nation.add()
    await join_parent(third.control, third.admin, late)
    await third.work()
    assert "expired" in (await third.get_parent()).fault
    assert len(await parent.list_links()) == 1


async def test_a_platform_asks_once_at_a_time_and_never_itself(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    link = await child.get_parent()
    async with child.control.storage.write() as transaction:
        await transaction.links.update(replace(link, state=LinkState.LEFT, version=link.version + 1))
    await join_parent(child.control, child.admin, await parent.invite())
    await child.work()
    assert "has a link here already" in (await child.get_parent()).fault


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "usage"}, "asks this platform nothing"),
        ({"audience": "0" * 64}, "asks this platform nothing"),
        ({"audience": None}, "asks this platform nothing"),
        ({"made_at_ms": -1}, "asks this platform nothing"),
        ({"made_at_ms": 2**62}, "asks this platform nothing"),
        ({"step": "rule"}, "does not know"),
        ({"link_key": b"short"}, "names itself"),
        ({"epoch": -1}, "names itself"),
        ({"epoch": 2**60}, "names itself"),
        ({"title": ""}, "names itself"),
    ],
)
async def test_a_question_that_is_none_is_refused(nation: Nation, changes: dict[str, Any], text: str) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    before = await parent.get_child()
    with pytest.raises(InvalidInput, match=text):
        await answer_question(parent.control, build_letter(child, parent, **changes))
    assert await parent.get_child() == before


async def test_nobody_asks_for_another_or_with_keys_that_do_not_follow(nation: Nation) -> None:
    parent, child, other = nation.members[1], nation.members[2], await nation.add()
    await parent.take_in(child, "CN-SX", "sx")
    with pytest.raises(InvalidInput, match="newest key"):
        await answer_question(parent.control, build_letter(child, parent, signer=other.control.get_identity().signer))
    stolen = encode_key_chain(other.control.get_identity().keys)
    with pytest.raises(InvalidInput, match="another's"):
        await answer_question(parent.control, build_letter(child, parent, keys=stolen))
    with pytest.raises(Unauthenticated, match="no link"):
        await answer_question(parent.control, build_letter(other, parent))
    old = build_letter(child, parent)
    child.rotate(2)
    await answer_question(parent.control, build_letter(child, parent))
    assert (await parent.get_child()).keys == child.control.get_identity().keys
    assert (await count_actions(parent.control))["link.keys_rotated"] == 1
    with pytest.raises(InvalidInput, match="do not follow"):
        await answer_question(parent.control, old)


@pytest.mark.parametrize("content", [b"", b"x", b"\x93\xc4\x00\xc4\x00\xc4\x00"])
async def test_what_is_no_letter_is_refused(nation: Nation, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        await answer_question(nation.members[1].control, content)


async def test_an_older_letter_does_nothing_after_a_later_one(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    leave, renew = build_letter(child, parent, "leave"), build_letter(child, parent, made_at_ms=10**13)
    await answer_question(parent.control, renew)
    with pytest.raises(StateConflict, match="answered already"):
        await answer_question(parent.control, leave)
    assert (await parent.get_child()).state is LinkState.JOINED


async def test_the_epoch_rises_where_either_side_was_restored(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    letter = b""
    steps = [(1, 1), (7, 8), (8, 8), (3, 9), (9, 9)]
    for number, (told, expected) in enumerate(steps):
        letter = build_letter(child, parent, epoch=told, made_at_ms=to_milliseconds(child.clock.now()) + number)
        answer = decode_letter(await answer_question(parent.control, letter))
        assert read_told_body(answer).epoch == expected
        assert read_told_body(answer).answers == decode_letter(letter).id
    assert read_ask_body(decode_letter(letter)).epoch == 9


async def test_a_link_that_ended_answers_how_it_ended_and_nothing_more(nation: Nation) -> None:
    parent, child = nation.members[1], nation.members[2]
    await parent.take_in(child, "CN-SX", "sx")
    for step, state in (("leave", "leaving"), ("left", "left"), ("renew", "left")):
        child.clock.instant = parent.clock.instant = child.clock.instant.replace(year=child.clock.instant.year + 1)
        told = read_told_body(decode_letter(await answer_question(parent.control, build_letter(child, parent, step))))
        assert told.state == state
        assert bool(told.certificate) is (state == "leaving")
