"""What a neighbour that means harm says: messages by hand, and what is heard in answer."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import msgspec

from keisan.daemon.link_socket import SocketChannel
from keisan.domain.ids import PlatformId
from keisan.domain.limits import LINK_SILENCE_MS_MAX
from keisan.domain.link_log import FIRST_HASH, extend_hash
from keisan.kit.ids import create_id
from keisan.kit.signature import Signer
from keisan.wire.letter import encode_letter
from keisan.wire.link import LINK_MAJOR, LINK_MINOR, Bye, Hello, Items, LinkMessage, decode_message, encode_message
from tests.letters import write_letter

LIFE = uuid4()
# What is promised is a second. A host that other work keeps busy is given more, but less than who waits for a silent one would take.
LATENCY_S_MAX = LINK_SILENCE_MS_MAX / 1000 - 1.0
ANSWER_S_MAX = 30.0


def build_hello(platform_id: PlatformId, epoch: int = 1, now_ms: int = 1) -> bytes:
    """Return a first message in the name of a platform, which has nothing yet."""
    hello = Hello(
        major=LINK_MAJOR,
        minor=LINK_MINOR,
        release="hostile",
        platform_id=platform_id,
        link_epoch=epoch,
        ends={},
        cursors={},
        buckets=(0,) * 256,
        now_ms=now_ms,
    )
    return encode_message(hello)


def forge_letter(signer: Signer, platform_id: PlatformId, **said: object) -> bytes:
    """Return a letter with a signature that holds, of an offer unless it is said otherwise: no rule of letters is asked."""
    content = {"id": create_id(), "kind": "offer", "author": platform_id, "name": "one", "version": 1, "made_at_ms": 1}
    signed = msgspec.msgpack.encode(content | {"body": b"{}"} | said)
    return msgspec.msgpack.encode((signed, signer.public_key, signer.sign(signed)))


async def hear(channel: SocketChannel, *kinds: type[LinkMessage]) -> LinkMessage:
    """Return the next message of some kinds; raises NeighbourUnreachable if the connection ends without."""
    async with asyncio.timeout(ANSWER_S_MAX):
        while True:
            message = decode_message(await channel.receive())
            if isinstance(message, kinds):
                return message


async def send_and_hear(channel: SocketChannel, data: bytes) -> LinkMessage:
    await channel.send(data)
    return await hear(channel, Bye)


def send_items(letters: Sequence[bytes], first: int = 1, mark: bytes | None = None, log: str = "ledger") -> bytes:
    running = FIRST_HASH
    for letter in letters:
        running = extend_hash(running, letter)
    return encode_message(
        Items(log=log, incarnation=LIFE, first_sequence=first, letters=tuple(letters), hash=mark or running)
    )


FOREIGN = encode_letter(write_letter())
NOT_A_LETTER = b"not a letter"
