"""A child that was let in and means harm, over a real connection: each of its tries ends with a code, is counted, and harms nobody else."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from keisan.daemon.link_socket import SocketChannel, dial_link
from keisan.daemon.platform_identity import PlatformIdentity
from keisan.daemon.settings_address import Address
from keisan.domain.access import PlatformScope
from keisan.domain.errors import NeighbourUnreachable
from keisan.domain.ids import PlatformId
from keisan.domain.letter import LetterKind
from keisan.domain.settlement import HourlyTotal
from keisan.wire.link import (
    Ack,
    Answer,
    Ask,
    Bye,
    Hello,
    encode_message,
)
from keisan.wire.link_check import CHECK_SUBJECT, CheckQuestion, encode_check
from keisan.wire.settlement import write_total
from tests.control.town import Country, Town
from tests.daemon.test_link_service import HOST, build_service, certify, found, run
from tests.databases import migrated_file  # noqa: F401  # a fixture, which pytest finds by its name here
from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.federation.hostile import (
    ANSWER_S_MAX,
    FOREIGN,
    LATENCY_S_MAX,
    LIFE,
    NOT_A_LETTER,
    build_hello,
    forge_letter,
    hear,
    send_and_hear,
    send_items,
)
from tests.ports import find_free_port

pytestmark = pytest.mark.waits

QUESTION = encode_check(CheckQuestion(cursors={}))


@dataclass(frozen=True, slots=True)
class Stage:
    """A nation that listens, an honest child that is connected, and another one whose connections a test speaks on."""

    nation: Town
    honest: Town
    hostile: Town
    context: ssl.SSLContext
    url: str
    keys: tuple[bytes, ...]

    @asynccontextmanager
    async def dial(self) -> AsyncIterator[SocketChannel]:
        channel = await dial_link(self.url, self.context, self.nation.id, self.keys)
        try:
            yield channel
        finally:
            await channel.close()

    def say_hello(self, platform_id: PlatformId | None = None, epoch: int = 1) -> bytes:
        return build_hello(platform_id or self.hostile.id, epoch)

    async def wait_for_closed(self, code: str) -> None:
        """Wait until a connection of the hostile child is counted by its code, and nothing else is."""

        def is_counted() -> bool:
            return bool(self.nation.control.link_board.list_closed(self.hostile.id))

        await wait_until_async(is_counted, "the end is counted", ANSWER_S_MAX)
        assert self.nation.control.link_board.list_closed(self.hostile.id) == {code: 1}
        assert self.nation.control.link_board.list_closed(self.honest.id) == {}

    async def measure_honest_s(self, name: str) -> float:
        """Return how long what the honest child says takes to the nation."""
        await self.honest.put(LetterKind.OFFER, name, b"1")
        begun_s = time.monotonic()
        while await self.nation.find(self.honest, LetterKind.OFFER, name) is None:
            assert time.monotonic() < begun_s + ANSWER_S_MAX
            await let_time_pass_async(0.01)
        return time.monotonic() - begun_s


@pytest.fixture
async def stage(
    tmp_path: Path,
    migrated_file: Path,  # noqa: F811  # the fixture is asked for by its name
) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as exits:
        country = Country(tmp_path, migrated_file)
        exits.push_async_callback(country.end)
        port = find_free_port()
        (nation, nations), *children = [await found(country, tmp_path, name) for name in ("cn", "sx", "sh")]
        for child, own in children:
            await country.join(child, nation)
            await certify(child, nation, nations, own, f"wss://{HOST}:{port}")
        await exits.enter_async_context(run(build_service(nation, nations, tmp_path, Address(HOST, port))))
        (honest, honests), (hostile, hostiles) = children
        await exits.enter_async_context(run(build_service(honest, honests, tmp_path)))
        context = await build_client_context(hostile, nation.id, hostiles, tmp_path)
        made = Stage(nation, honest, hostile, context, f"wss://{HOST}:{port}", nations.link.keys.keys)
        await made.measure_honest_s("ready")
        yield made


async def build_client_context(
    town: Town, parent_id: PlatformId, identity: PlatformIdentity, folder: Path
) -> ssl.SSLContext:
    async with town.storage.read() as view:
        link = (await view.links.list_neighbour(PlatformScope(), parent_id))[0]
    return build_service(town, identity, folder)._build_context(link)


Try = Callable[[Stage], Sequence[bytes]]
# What is said after each other, by the code with which the nation ends the connection.
TRIES: dict[str, tuple[str, Try]] = {
    "bytes that are no message": ("invalid_input", lambda stage: [b"\xc1\x00"]),
    "nests without end": ("invalid_input", lambda stage: [b"\x91" * 100_000]),
    "no hello": ("no_hello", lambda stage: [send_items([FOREIGN])]),
    "two hellos": ("second_hello", lambda stage: [stage.say_hello(), stage.say_hello()]),
    "another's name": ("wrong_platform", lambda stage: [stage.say_hello(stage.honest.id)]),
    "an old epoch": ("old_epoch", lambda stage: [stage.say_hello(epoch=0)]),
    "a forged sequence": ("log_hole", lambda stage: [stage.say_hello(), send_items([FOREIGN], first=9)]),
    "a wrong hash": ("wrong_hash", lambda stage: [stage.say_hello(), send_items([FOREIGN], mark=bytes(32))]),
    "a replay": ("log_hole", lambda stage: [stage.say_hello(), send_items([FOREIGN]), send_items([FOREIGN])]),
    "a log of its own making": ("unknown_log", lambda stage: [stage.say_hello(), send_items([FOREIGN], log="x")]),
    "what is no letter": ("invalid_input", lambda stage: [stage.say_hello(), send_items([NOT_A_LETTER])]),
    "an answer to nothing": (
        "wrong_answer",
        lambda stage: [stage.say_hello(), encode_message(Answer(number=7, code="", body=b""))],
    ),
    "an acknowledgement of what was never sent": (
        "",
        lambda stage: [stage.say_hello(), encode_message(Ack(log="ledger", incarnation=LIFE, sequence=99))],
    ),
}


@pytest.mark.parametrize("name", TRIES)
async def test_what_breaks_the_protocol_is_named_counted_and_harms_nobody(stage: Stage, name: str) -> None:
    code, build = TRIES[name]
    async with stage.dial() as channel:
        for data in build(stage):
            await channel.send(data)
        said = await hear(channel, Bye)
        assert isinstance(said, Bye)
        assert not code or said.code == code
        with pytest.raises(NeighbourUnreachable):
            await hear(channel, Hello, Bye)
    assert await stage.measure_honest_s("after") < LATENCY_S_MAX
    await stage.wait_for_closed(said.code)


async def test_letters_of_authors_that_nobody_vouches_for_are_kept_apart(stage: Stage) -> None:
    async with stage.dial() as channel:
        await channel.send(stage.say_hello())
        await channel.send(send_items([FOREIGN]))
        await hear(channel, Ack)
    refused = await stage.nation.list_refused()
    assert [code for code, _ in refused] == ["permission_denied"]
    assert await stage.measure_honest_s("after") < LATENCY_S_MAX


async def test_a_frame_that_is_too_large_ends_the_connection(stage: Stage) -> None:
    async with stage.dial() as channel:
        await channel.send(stage.say_hello())
        await hear(channel, Hello)
        with pytest.raises(NeighbourUnreachable):
            await send_and_hear(channel, bytes(1_100_000))
    assert await stage.measure_honest_s("after") < LATENCY_S_MAX
    await stage.wait_for_closed("lost")


async def test_a_flood_of_questions_is_refused_and_the_honest_are_heard_meanwhile(stage: Stage) -> None:
    async with stage.dial() as channel:
        await channel.send(stage.say_hello())
        for number in range(1, 301):
            await channel.send(encode_message(Ask(number=number, subject=CHECK_SUBJECT, body=QUESTION)))
        assert await stage.measure_honest_s("meanwhile") < LATENCY_S_MAX
        codes = [(await hear(channel, Answer)).code for _ in range(300)]  # type: ignore[attr-defined]  # it is one
    assert codes.count("limit_exceeded") > 200
    assert codes.count("") + codes.count("limit_exceeded") == 300


async def test_a_byte_each_second_is_silence(stage: Stage) -> None:
    """A frame that never ends says nothing: its connection is ended as that of one who is gone."""
    async with stage.dial() as channel:
        await channel.send(stage.say_hello())
        await hear(channel, Hello)
        transport = channel._connection.transport
        # A binary frame of 100 bytes, masked: its head, and a byte of it at a time.
        transport.write(b"\x82\xe4\x00\x00\x00\x00")
        said = asyncio.ensure_future(hear(channel, Bye))
        while not said.done():
            transport.write(b"x")
            await let_time_pass_async(1.0)
        assert (await said).code == "silent"  # type: ignore[attr-defined]  # it is one
    assert await stage.measure_honest_s("after") < LATENCY_S_MAX
    await stage.wait_for_closed("silent")


async def test_totals_of_anothers_region_are_refused_and_those_of_its_own_are_kept(stage: Stage) -> None:
    """A child's region is what its parent has issued, whatever its letters say."""
    async with stage.nation.storage.write() as transaction:
        link = (await transaction.links.list_neighbour(PlatformScope(), stage.hostile.id))[0]
        await transaction.links.update(replace(link, region="CN-SX", version=link.version + 1))
    own, others = (
        HourlyTotal(uuid4(), stage.hostile.id, f"2026-11-27T0{hour}", region, 1, 0, "ab" * 32, ())
        for hour, region in enumerate(("CN-SX", "CN-XJ"))
    )
    signer = stage.hostile.control.get_identity().signer
    letters = [
        forge_letter(
            signer,
            stage.hostile.id,
            kind="totals",
            name="",
            version=0,
            audience=stage.nation.id,
            body=write_total(total),
        )
        for total in (others, own)
    ]
    async with stage.dial() as channel:
        await channel.send(stage.say_hello())
        await channel.send(send_items(letters))
        await hear(channel, Ack)
    assert [code for code, _ in await stage.nation.list_refused()] == ["invalid_input"]
    async with stage.nation.storage.read() as view:
        kept = await view.totals.list_by_ids(PlatformScope(), [own.id, others.id])
    assert [each.total for each in kept] == [own]
    assert await stage.measure_honest_s("after") < LATENCY_S_MAX
