"""The check over real links and disks: it holds where all has arrived, finds what was lost behind its back, and never says held unasked."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from keisan.control import federation_check, letter_handler
from keisan.control.federation_check import check_federation
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.errors import PermissionDenied
from keisan.domain.federation_check import CheckState, Finding, Invariant
from keisan.domain.letter import LetterKind
from tests.control.town import NOTE, Country, Town
from tests.deadline import wait_until_async

# Where all must have arrived in the end, however long a disk takes.
PATIENT_ROUNDS = 150
AUDITOR = Principal(uuid4(), PlatformScope(), frozenset({Right.READ, Right.READ_EVENTS}))


@pytest.fixture
async def country(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Country]:
    made = Country(tmp_path, migrated_file)
    monkeypatch.setitem(cast("dict[str, object]", letter_handler.HANDLERS), NOTE, made.take_note)
    monkeypatch.setattr(federation_check, "ROUND_S", 0.2)
    yield made
    await made.end()


async def found_pair(country: Country) -> tuple[Town, Town]:
    nation, shanxi = [await country.found(name) for name in ("cn", "sx")]
    await country.join(shanxi, nation)
    country.connect(shanxi)
    await wait_until_async(lambda: bool(nation.hub.open_ids and shanxi.hub.open_ids), "the link is there", 30)
    return nation, shanxi


async def check(town: Town) -> dict[Invariant, Finding]:
    return {each.invariant: each for each in await check_federation(town.control, AUDITOR)}


def list_broken(found: dict[Invariant, Finding]) -> dict[Invariant, str]:
    return {name: each.text for name, each in found.items() if each.state is not CheckState.HELD}


async def test_all_is_held_on_both_sides_once_what_was_written_has_arrived(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federation_check, "ROUNDS_MAX", PATIENT_ROUNDS)
    nation, shanxi = await found_pair(country)
    await shanxi.send(nation, *map(str, range(50)))
    await nation.send(shanxi, "down")
    await nation.put(LetterKind.OFFER, "m", b"1")
    for town, sent, taken in ((shanxi, 50, 1), (nation, 1, 50)):
        found = await check(town)
        assert list_broken(found) == {}
        assert set(found) == set(Invariant)
        numbers = found[Invariant.LOGS].numbers
        assert (numbers["ledger_sent"] + numbers["event_sent"]) == sent
        assert (numbers["ledger_taken"] + numbers["event_taken"]) == taken


async def test_a_cut_neighbour_is_unknown_and_never_held(country: Country) -> None:
    nation, shanxi = await found_pair(country)
    country.cut(shanxi)
    await wait_until_async(lambda: not nation.hub.open_ids, "the cut is seen", 30)
    found = await check(nation)
    asked = {Invariant.LOGS, Invariant.REGISTERS, Invariant.LEDGERS}
    assert {name for name, each in found.items() if each.state is CheckState.UNKNOWN} == asked
    assert {found[name].neighbour for name in asked} == {"sx"}


async def spoil(country: Country, town: Town, statement: str) -> None:
    """Change a town's disk behind its back; in a thread, for who writes there meanwhile needs the loop to end."""

    def execute() -> None:
        with closing(sqlite3.connect(country._folder / f"{town.name}.db", timeout=30)) as connection, connection:
            connection.execute(statement)

    await asyncio.to_thread(execute)


async def test_what_a_disk_lost_behind_its_platform_is_found_from_both_sides(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    nation, shanxi = await found_pair(country)
    await shanxi.send(nation, *map(str, range(5)))
    await nation.put(LetterKind.OFFER, "m", b"1")
    await country.wait_for(nation, *map(str, range(5)))
    with monkeypatch.context() as patch:
        patch.setattr(federation_check, "ROUNDS_MAX", PATIENT_ROUNDS)
        assert list_broken(await check(nation)) == {}
    await spoil(country, nation, "UPDATE incoming_log SET sequence = sequence - 2")
    await spoil(country, shanxi, "DELETE FROM register WHERE kind = 'offer'")
    for town in (nation, shanxi):
        broken = list_broken(await check(town))
        assert "2 letters have not arrived" in broken[Invariant.LOGS]
        assert "buckets of registers differ" in broken[Invariant.REGISTERS]


async def test_a_letter_that_was_refused_is_told(country: Country) -> None:
    nation, shanxi = await found_pair(country)
    await shanxi.put(LetterKind.GRANT, "x", b"no grant", nation)
    for _ in range(200):
        if await nation.list_refused():
            break
        await nation.control.clock.sleep(0.05)
    assert "letters were refused" in list_broken(await check(nation))[Invariant.RECORDS]


async def test_only_who_may_read_the_audit_log_checks(country: Country) -> None:
    nation, _ = await found_pair(country)
    with pytest.raises(PermissionDenied):
        await check_federation(nation.control, replace(AUDITOR, rights=frozenset()))
