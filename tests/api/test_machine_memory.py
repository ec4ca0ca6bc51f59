"""Who handed in frames is known for a while where the database does not say; where it does, it alone decides."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from keisan.api import machine_memory
from keisan.api.machine_memory import MachineMemory
from keisan.domain.access import PlatformScope, Principal
from keisan.domain.errors import StorageUnavailable, Unauthenticated
from keisan.domain.key import Secret
from keisan.domain.limits import MACHINE_REST_S, MACHINE_UNSEEN_S_MAX
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.api.stage import Stage
from tests.factories import FixedClock
from tests.telemetry.fleet import build_frame_body, build_inventory_body

SECRET = Secret("a machine's")


LOOK_S_MAX = 0.02


class Lookup:
    """Finds, refuses, fails or hangs, and counts how often it was asked."""

    def __init__(self, principal: Principal) -> None:
        self.principal, self.asked = principal, 0
        self.fault: Exception | None = None

    async def look(self) -> Principal:
        self.asked += 1
        if isinstance(self.fault, TimeoutError):
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        return self.principal


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Lookup:
    monkeypatch.setattr(machine_memory, "MACHINE_LOOK_S_MAX", LOOK_S_MAX)
    return Lookup(Principal(create_id(), PlatformScope(), frozenset()))


@pytest.mark.parametrize("fault", [StorageUnavailable("away"), TimeoutError()])
async def test_who_was_known_is_known_for_a_while(database: Lookup, fault: Exception) -> None:
    clock = FixedClock()
    memory = MachineMemory(clock)
    database.fault = fault
    with pytest.raises(StorageUnavailable):
        await memory.find(SECRET, database.look)
    database.fault = None
    assert await memory.find(SECRET, database.look) == database.principal
    await clock.sleep(MACHINE_REST_S)
    database.fault, asked = fault, database.asked
    # Asked once, and then left in peace.
    for _ in range(10):
        assert await memory.find(SECRET, database.look) == database.principal
    assert database.asked == asked + 1
    with pytest.raises(StorageUnavailable):
        await memory.find(Secret("another's"), database.look)
    await clock.sleep(MACHINE_UNSEEN_S_MAX - MACHINE_REST_S)
    with pytest.raises(StorageUnavailable):
        await memory.find(SECRET, database.look)


async def test_a_revoked_machine_is_unknown_once_the_database_says_so(database: Lookup) -> None:
    clock = FixedClock()
    memory = MachineMemory(clock)
    await memory.find(SECRET, database.look)
    database.fault = Unauthenticated("revoked")
    with pytest.raises(Unauthenticated):
        await memory.find(SECRET, database.look)
    database.fault = StorageUnavailable("away")
    with pytest.raises(StorageUnavailable):
        await memory.find(SECRET, database.look)


async def test_no_more_are_known_than_there_is_room_for(database: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_memory, "MACHINES_REMEMBERED_MAX", 2)
    memory = MachineMemory(FixedClock())
    for name in ("a", "b", "a", "c"):
        await memory.find(Secret(name), database.look)
    database.fault = StorageUnavailable("away")
    found = []
    for name in ("a", "b", "c"):
        try:
            found.append((name, await memory.find(Secret(name), database.look)))
        except StorageUnavailable:
            continue
    assert [name for name, _ in found] == ["a", "c"]


async def test_frames_come_in_while_the_database_hangs_and_nothing_else_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.ask("site", "POST", "/site/inventory", build_inventory_body())
    assert (await stage.ask("site", "POST", "/site/frame", build_frame_body(sequence=1))).status_code == 200

    @asynccontextmanager
    async def hang(_: Database) -> Any:
        await asyncio.Event().wait()
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", hang)
        patch.setattr(machine_memory, "MACHINE_LOOK_S_MAX", LOOK_S_MAX)
        async with asyncio.timeout(30):
            answer = await stage.ask("site", "POST", "/site/frame", build_frame_body(sequence=2))
            stranger = await stage.ask("gateway", "POST", "/site/frame", build_frame_body(sequence=3))
        assert (answer.status_code, answer.json()) == (200, {"outcome": "live"})
        assert stranger.status_code == 503
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await stage.ask("site", "POST", "/site/inventory", build_inventory_body())
