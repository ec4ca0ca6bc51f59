"""Links between real disks: letters arrive once, registers reach as far as they should, whatever is cut or restored meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from keisan.control import letter_handler, link_hub
from keisan.control.link_place import Ways
from keisan.control.link_session import LinkSession
from keisan.control.office import Office
from keisan.domain.access import PlatformScope
from keisan.domain.letter import Arrival, Letter, LetterKind
from keisan.federation.link import LinkStart
from keisan.storage.base import Transaction
from keisan.storage.sqlite import open_sqlite
from tests.control.town import NOTE, Country, Town
from tests.deadline import let_time_pass_async, wait_until_async

# The hub's own look is put off for so long: whatever is told before was rung for.
NEVER_S = 3_600.0


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    monkeypatch.setitem(cast("dict[str, object]", letter_handler.HANDLERS), NOTE, made.take_note)
    yield made
    await made.end()


async def wait_for_register(town: Town, author: Town, kind: str, name: str, body: bytes) -> None:
    found: list[bytes | None] = []

    async def look() -> None:
        found.append(await town.find(author, kind, name))

    for _ in range(1_000):
        await look()
        if found[-1] == body:
            return
        await let_time_pass_async(0.01)
    raise AssertionError(f"{town.name} has {found[-1]!r} of {author.name}, not {body!r}")


async def wait_until_known(town: Town, author: Town) -> None:
    for _ in range(3_000):
        if await town.find(author, LetterKind.PLATFORM, "platform") is not None:
            return
        await let_time_pass_async(0.01)
    raise AssertionError(f"{town.name} never heard of {author.name}")


async def found_nation(country: Country) -> tuple[Town, Town, Town, Town]:
    """A nation with two provinces, and a city below the first."""
    nation = await country.found("cn")
    shanxi, shanghai, taiyuan = [await country.found(name) for name in ("sx", "sh", "sx.ty")]
    await country.join(shanxi, nation)
    await country.join(shanghai, nation)
    await country.join(taiyuan, shanxi)
    return nation, shanxi, shanghai, taiyuan


async def test_letters_go_up_down_and_across_and_arrive_once(country: Country) -> None:
    nation, shanxi, shanghai, taiyuan = await found_nation(country)
    for town in (shanxi, shanghai, taiyuan):
        country.connect(town)
    await wait_until_known(nation, taiyuan)
    await taiyuan.send(nation, "1", "2")
    await taiyuan.send(shanghai, "3")
    await shanghai.send(taiyuan, "4")
    await nation.send(taiyuan, "5")
    await country.wait_for(nation, "1", "2")
    await country.wait_for(shanghai, "3")
    await wait_until_async(lambda: sorted(country.list_arrived(taiyuan)) == ["4", "5"], "both letters")
    assert country.list_arrived(shanxi) == []
    for town in country.towns:
        await country.settle(town)
    assert [await town.list_refused() for town in country.towns] == [[], [], [], []]


async def test_what_is_written_while_the_link_is_cut_arrives_after_it_once(country: Country) -> None:
    nation, shanxi, _, taiyuan = await found_nation(country)
    country.connect(shanxi)
    country.connect(taiyuan)
    await taiyuan.send(nation, "1")
    await country.wait_for(nation, "1")
    country.cut(shanxi)
    for number in range(2, 8):
        await taiyuan.send(nation, str(number))
    await wait_until_async(lambda: not nation.hub.open_ids, "the cut is seen")
    country.connect(shanxi)
    await country.wait_for(nation, *(str(number) for number in range(1, 8)))


async def test_what_took_long_to_commit_is_sent_at_once_after_it(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_hub, "LOOK_S", NEVER_S)
    nation, shanxi, _, _ = await found_nation(country)
    country.connect(shanxi)
    await shanxi.send(nation, "1")
    await country.wait_for(nation, "1")
    commit = shanxi.storage._commit

    async def commit_late(connection: AsyncConnection) -> None:
        await let_time_pass_async(10 * link_hub.REST_S)
        await commit(connection)

    monkeypatch.setattr(shanxi.storage, "_commit", commit_late)
    await shanxi.send(nation, "2")
    await country.wait_for(nation, "1", "2")
    await shanxi.put(LetterKind.OFFER, "m", b"offer")
    await wait_for_register(nation, shanxi, LetterKind.OFFER, "m", b"offer")


async def test_registers_reach_as_far_as_their_kind_and_no_further(country: Country) -> None:
    nation, shanxi, shanghai, taiyuan = await found_nation(country)
    await taiyuan.put(LetterKind.OFFER, "m", b"offer")
    await taiyuan.put(LetterKind.ROLL_UP, "r", b"sums")
    await taiyuan.put("diary", "d", b"private")
    await nation.put(LetterKind.PRICE, "p", b"price")
    await shanghai.put(LetterKind.CREDIT, "c", b"credit", audience=taiyuan)
    for town in (shanxi, shanghai, taiyuan):
        country.connect(town)
    await wait_for_register(shanghai, taiyuan, LetterKind.OFFER, "m", b"offer")
    await wait_for_register(nation, taiyuan, LetterKind.ROLL_UP, "r", b"sums")
    await wait_for_register(taiyuan, nation, LetterKind.PRICE, "p", b"price")
    await wait_for_register(taiyuan, shanghai, LetterKind.CREDIT, "c", b"credit")
    # Later than all of these, so that what should not come had its time.
    await taiyuan.put(LetterKind.OFFER, "m", b"another")
    await wait_for_register(shanghai, taiyuan, LetterKind.OFFER, "m", b"another")
    assert await shanghai.find(taiyuan, LetterKind.ROLL_UP, "r") is None
    assert await shanxi.find(taiyuan, "diary", "d") is None


async def test_a_province_restored_from_an_old_disk_loses_nothing(country: Country, tmp_path: Path) -> None:
    nation, shanxi, _, taiyuan = await found_nation(country)
    country.connect(shanxi)
    country.connect(taiyuan)
    await taiyuan.send(nation, "1")
    await country.wait_for(nation, "1")
    old = tmp_path / "old.db"
    async with shanxi.storage.write():
        shutil.copyfile(tmp_path / "sx.db", old)
        shutil.copyfile(tmp_path / "sx.db-wal", f"{old}-wal")
    await taiyuan.send(nation, "2", "3")
    await shanxi.send(nation, "own")
    await wait_until_async(lambda: sorted(country.list_arrived(nation)) == ["1", "2", "3", "own"], "all arrived")
    country.cut(shanxi)
    country.cut(taiyuan)
    await country.shut(shanxi)
    restored = open_sqlite(old, shanxi.control.clock)
    country.replace_storage(shanxi, restored)
    country.connect(shanxi)
    country.connect(taiyuan)
    await taiyuan.send(nation, "4")
    await wait_until_async(lambda: "4" in country.list_arrived(nation), "it goes on")
    assert sorted(country.list_arrived(nation)) == ["1", "2", "3", "4", "own"]


async def test_a_letter_nobody_can_take_is_kept_and_blocks_nothing(country: Country) -> None:
    nation, shanxi, _, _ = await found_nation(country)
    country.connect(shanxi)
    await shanxi.send(nation, "?", kind="song")
    await shanxi.send(nation, "1")
    await country.wait_for(nation, "1")
    # It arrived before, and in the same transaction or an earlier one: once that has committed, both are seen.
    await country.settle(nation)
    assert [code for code, _ in await nation.list_refused()] == ["letter_unknown"]


async def test_a_stranger_is_not_heard(country: Country) -> None:
    nation, shanxi, _, _ = await found_nation(country)
    stranger = await country.found("xx")
    stranger.parent = nation
    country.connect(stranger)
    await wait_until_async(lambda: country.pipes["xx", "cn"].other is None, "the connection is ended")
    assert not nation.hub.open_ids
    async with nation.storage.read() as view:
        assert len(await view.registers.list_kind(PlatformScope(), LetterKind.PLATFORM)) == 1
    assert shanxi.parent is nation


async def test_another_connection_takes_the_place_of_the_first(country: Country) -> None:
    nation, shanxi, _, _ = await found_nation(country)
    country.connect(shanxi)
    await shanxi.send(nation, "1")
    await country.wait_for(nation, "1")
    first = country.pipes["sx", "cn"]
    country.connect(shanxi)
    await wait_until_async(lambda: first.other is None, "the first is ended")
    await shanxi.send(nation, "2")
    await country.wait_for(nation, "1", "2")


async def test_another_connection_begins_where_the_first_one_s_last_write_left_the_disk(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi, _, _ = await found_nation(country)
    writing, written, looked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def take_slowly(transaction: Transaction, office: Office, arrival: Arrival, letter: Letter) -> None:
        writing.set()
        await written.wait()
        await country.take_note(transaction, office, arrival, letter)

    async def load_start(session: LinkSession, ways: Ways) -> LinkStart:
        if writing.is_set() and session._control is nation.control:
            looked.set()
        return await real_load_start(session, ways)

    real_load_start = LinkSession.load_start
    monkeypatch.setattr(LinkSession, "load_start", load_start)
    monkeypatch.setitem(cast("dict[str, object]", letter_handler.HANDLERS), NOTE, take_slowly)
    country.connect(shanxi)
    await shanxi.send(nation, "1")
    await writing.wait()
    country.connect(shanxi)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(looked.wait(), 0.5)
    written.set()
    await looked.wait()
    await shanxi.send(nation, "2")
    await country.wait_for(nation, "1", "2")


async def test_a_letter_to_whom_nobody_knows_yet_goes_on_when_somebody_does(country: Country) -> None:
    nation, shanxi, shanghai, taiyuan = await found_nation(country)
    country.connect(shanghai)
    await shanghai.send(taiyuan, "early")
    await wait_until_async(lambda: bool(nation.hub.open_ids), "the link is open")
    for _ in range(1_000):
        if [code for code, _ in await nation.list_refused()] == ["letter_unroutable"]:
            break
        await let_time_pass_async(0.01)
    country.connect(shanxi)
    country.connect(taiyuan)
    await country.wait_for(taiyuan, "early")
    await country.settle(nation)
    assert await nation.list_refused() == []
