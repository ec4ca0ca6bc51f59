"""A parent that means harm, over a real connection: what breaks the protocol ends with a code, is counted, and harms nothing else."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.errors import NeighbourUnreachable
from keisan.wire.link import (
    Answer,
    Bye,
    Hello,
    Line,
    Lines,
    Merged,
    Pong,
    Regained,
    Returned,
    encode_message,
)
from tests.daemon.test_link_service import HOST
from tests.deadline import let_time_pass_async
from tests.e2e.federation.attack import EPOCH, Attack, send_registers
from tests.e2e.federation.hostile import FOREIGN, LATENCY_S_MAX, NOT_A_LETTER, build_hello, hear, send_items

pytestmark = pytest.mark.waits

EVERYTHING = PlatformScope()

Try = Callable[[Attack], Sequence[bytes]]
# What is said after each other, by the code with which the child ends the connection.
TRIES: dict[str, tuple[str, Try]] = {
    "bytes that are no message": ("invalid_input", lambda attack: [b"\xc1\x00"]),
    "no hello": ("no_hello", lambda attack: [send_items([FOREIGN])]),
    "two hellos": ("second_hello", lambda attack: [attack.say_hello(), attack.say_hello()]),
    "its grandchild's name": ("wrong_platform", lambda attack: [build_hello(attack.grandchild.id, EPOCH)]),
    "the child's own name": ("wrong_platform", lambda attack: [build_hello(attack.child.id, EPOCH)]),
    "an epoch out of all reason": ("wrong_epoch", lambda attack: [attack.say_hello(2**63 - 2)]),
    "an epoch that nothing stores": ("wrong_epoch", lambda attack: [attack.say_hello(2**64 - 1)]),
    "a forged sequence": ("log_hole", lambda attack: [attack.say_hello(), send_items([FOREIGN], first=9)]),
    "a wrong hash": ("wrong_hash", lambda attack: [attack.say_hello(), send_items([FOREIGN], mark=bytes(32))]),
    "a replay": ("log_hole", lambda attack: [attack.say_hello(), send_items([FOREIGN]), send_items([FOREIGN])]),
    "a log of its own making": ("unknown_log", lambda attack: [attack.say_hello(), send_items([FOREIGN], log="x")]),
    "what is no letter": ("invalid_input", lambda attack: [attack.say_hello(), send_items([NOT_A_LETTER])]),
    "an answer to nothing": (
        "wrong_answer",
        lambda attack: [attack.say_hello(), encode_message(Answer(number=7, code="", body=b""))],
    ),
    "registers merged that were never sent": (
        "wrong_answer",
        lambda attack: [attack.say_hello(), encode_message(Merged(number=2**63))],
    ),
    "letters regained that were never returned": (
        "wrong_answer",
        lambda attack: [attack.say_hello(), encode_message(Regained(log="ledger", number=1))],
    ),
    "returned letters that are none": (
        "invalid_input",
        lambda attack: [
            attack.say_hello(),
            encode_message(Returned(log="ledger", number=1, letters=(NOT_A_LETTER,))),
        ],
    ),
    "a clock out of all reason": (
        "wrong_clock",
        lambda attack: [attack.say_hello(), encode_message(Pong(sent_ms=1, now_ms=2**63 - 1))],
    ),
    "a name that no database stores": (
        "invalid_input",
        lambda attack: [attack.say_hello(), send_registers(attack.forge(name="a\x00b"))],
    ),
    "a name of a megabyte": (
        "wrong_line",
        lambda attack: [
            attack.say_hello(),
            encode_message(Lines(bucket=0, lines=(write_line("x" * 900_000),), is_last=False)),
        ],
    ),
    "lists without end": (
        "flood",
        lambda attack: [
            attack.say_hello(),
            *(
                encode_message(
                    Lines(
                        bucket=number % 256,
                        lines=tuple(write_line(f"{number}-{each}") for each in range(4096)),
                        is_last=False,
                    )
                )
                for number in range(17)
            ),
        ],
    ),
}


def write_line(name: str) -> Line:
    return Line(author="ab" * 32, kind="offer", name=name, version=1, digest=bytes(32))


@pytest.mark.parametrize("name", TRIES)
async def test_what_breaks_the_protocol_is_named_counted_and_harms_nothing_else(attack: Attack, name: str) -> None:
    code, build = TRIES[name]
    async with attack.take() as channel:
        for data in build(attack):
            await channel.send(data)
        said = await hear(channel, Bye)
        assert isinstance(said, Bye)
        assert said.code == code
        with pytest.raises(NeighbourUnreachable):
            await hear(channel, Hello, Bye)
    await attack.wait_for_closed(code)
    await attack.assert_unharmed("after")


async def test_a_frame_that_is_too_large_ends_the_connection(attack: Attack) -> None:
    async with attack.take() as channel:
        await channel.send(attack.say_hello())
        await hear(channel, Hello)
        await channel.send(bytes(1_100_000))
        with pytest.raises(NeighbourUnreachable):
            await hear(channel, Bye)
    await attack.wait_for_closed("lost")
    await attack.assert_unharmed("after")


async def test_a_byte_each_second_is_silence(attack: Attack) -> None:
    async with attack.take() as channel:
        await channel.send(attack.say_hello())
        await hear(channel, Hello)
        transport = channel._connection.transport
        # A binary frame of 100 bytes: its head, and a byte of it at a time.
        transport.write(b"\x82\x64")
        said = asyncio.ensure_future(hear(channel, Bye))
        while not said.done():
            transport.write(b"x")
            await let_time_pass_async(1.0)
        assert (await said).code == "silent"  # type: ignore[attr-defined]  # it is one
    await attack.wait_for_closed("silent")
    await attack.assert_unharmed("after")


GARBAGE = {
    "no TLS": (False, b"\x16\x03\x01garbage" * 1_000),
    "no WebSocket": (True, b"HTTP/1.1 200 OK\r\n\r\n"),
    "no HTTP": (True, b"\x00" * 100_000),
    "a head without end": (True, b"HTTP/1.1 101 x\r\n" + b"a: b\r\n" * 100_000),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_in_place_of_a_greeting_is_counted_and_harms_nothing_else(attack: Attack, name: str) -> None:
    is_tls, garbage = GARBAGE[name]

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(garbage)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, HOST, 0, ssl=attack.context if is_tls else None) as server:
        async with attack.take() as channel:
            async with attack.child.storage.write() as transaction:
                link = (await transaction.links.list_neighbour(EVERYTHING, attack.parent.id))[0]
                url = f"wss://{HOST}:{server.sockets[0].getsockname()[1]}"
                await transaction.links.update(replace(link, link_url=url, version=link.version + 1))
            await channel.send(encode_message(Bye(code="other", text="")))
        await attack.wait_for_closed("neighbour_unreachable", "other")
        assert await attack.measure_others_s("meanwhile") < LATENCY_S_MAX
        assert attack.child.control.link_board.list_closed(attack.grandchild.id) == {}
