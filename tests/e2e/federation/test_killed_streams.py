"""Letters that flow over a link while the NATS server, from which their platform reads them, is killed and started again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keisan.control import letter_handler
from keisan.control.stream_carrier import StreamCarrier
from keisan.daemon.settings_address import Address
from keisan.domain.access import PlatformScope
from keisan.domain.link_log import LinkLog
from keisan.streams.nats import NatsStreams
from tests.control.town import NOTE, Country, Town
from tests.daemon.test_link_service import HOST, build_service, certify, found, run
from tests.deadline import let_time_pass_async, wait_until_async
from tests.nats import NatsServer, nats_server  # noqa: F401  # a fixture, which pytest finds by its name here
from tests.ports import find_free_port

ROUNDS, ROUND_LETTERS = 12, 25
KILLED_AT, STARTED_AT = 4, 8
ARRIVED_S_MAX = 90.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A child whose links read from a NATS server of its own, and its parent, each with the letters that came to it."""

    country: Country
    parent: Town
    child: Town
    server: NatsServer

    async def send_round(self, number: int) -> None:
        """Write letters both ways, some together and some alone, as a platform does whether a link is up or not."""
        names = [f"{number}-{each}" for each in range(ROUND_LETTERS)]
        await self.child.send(self.parent, *names[:20])
        for name in names[20:]:
            await self.child.send(self.parent, name)
        await self.parent.send(self.child, f"down {number}")

    async def find_cursor(self) -> int:
        """Return how far the parent has applied the child's log."""
        async with self.parent.storage.read() as view:
            (link,) = await view.links.list_neighbour(PlatformScope(), self.child.id)
            cursor = await view.incoming_logs.get_cursor(PlatformScope(), link.id, LinkLog.LEDGER)
        return 0 if cursor is None else cursor.sequence


@pytest.fixture
async def stage(
    tmp_path: Path,
    migrated_file: Path,
    nats_server: NatsServer,  # noqa: F811  # the fixture is asked for by its name
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Stage]:
    country = Country(tmp_path, migrated_file)
    monkeypatch.setattr(letter_handler, "HANDLERS", {**letter_handler.HANDLERS, NOTE: country.take_note})
    (parent, parents), (child, childs) = [await found(country, tmp_path, name) for name in ("cn", "sx")]
    await country.join(child, parent)
    port = find_free_port()
    await certify(child, parent, parents, childs, f"wss://{HOST}:{port}")
    streams = NatsStreams(child.storage, nats_server.url, child.id)
    child.control = replace(child.control, streams=streams)
    stop = asyncio.Event()
    carrying = asyncio.ensure_future(StreamCarrier(streams, child.control.clock).run(stop))
    async with (
        run(build_service(parent, parents, tmp_path, Address(HOST, port))),
        run(build_service(child, childs, tmp_path)),
    ):
        yield Stage(country, parent, child, nats_server)
    stop.set()
    await carrying
    await country.end()


@pytest.mark.parametrize("is_disk_lost", [False, True])
async def test_nothing_is_lost_or_doubled_by_a_kill_of_nats_under_a_link(stage: Stage, is_disk_lost: bool) -> None:
    for number in range(ROUNDS):
        if number == KILLED_AT:
            await wait_until_async(
                lambda: bool(stage.country.list_arrived(stage.parent)), "letters flow", ARRIVED_S_MAX
            )
            stage.server.kill()
        if number == STARTED_AT:
            # What was written meanwhile is on the child's disk, and waits.
            held = await stage.find_cursor()
            assert held < STARTED_AT * ROUND_LETTERS
            if is_disk_lost:
                stage.server.lose_disk()
            stage.server.start()
        await stage.send_round(number)
        await let_time_pass_async(0.05)
    up = [f"{number}-{each}" for number in range(ROUNDS) for each in range(ROUND_LETTERS)]
    down = [f"down {number}" for number in range(ROUNDS)]

    async with asyncio.timeout(ARRIVED_S_MAX):
        while await stage.find_cursor() < len(up) or len(stage.country.list_arrived(stage.child)) < len(down):
            await let_time_pass_async(0.05)
    # In their order, each once: handlers were given no letter twice.
    assert stage.country.list_arrived(stage.parent) == up
    assert stage.country.list_arrived(stage.child) == down
    assert await stage.find_cursor() == len(up)
