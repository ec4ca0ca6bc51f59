"""The connection to NATS: what was refused is told, and a server that is not there is an error that says so."""

import asyncio
from contextlib import suppress

import pytest
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from keisan.domain.errors import StorageUnavailable
from keisan.streams.nats_connection import ANSWER_S_MAX, Message, NatsConnection, StoredMessage, translate_errors
from tests.nats import NatsServer
from tests.ports import find_free_port


async def test_messages_are_at_their_sequences_and_a_refused_one_at_none(nats_server: NatsServer) -> None:
    connection = NatsConnection(nats_server.url)
    assert await connection.find_state("one") is None
    await (await connection.open()).add_stream(name="one", subjects=["one.*"])
    wrong = {"Nats-Expected-Last-Sequence": "7"}
    sent = [Message("one.a", b"1"), Message("one.b", b"2", wrong), Message("one.c", b"")]
    assert await connection.publish(sent) == [1, 0, 2]
    assert await connection.fetch("one", 1) == [StoredMessage(1, "one.a", b"1"), StoredMessage(2, "one.c", b"")]
    assert await connection.fetch("one", 3) == []
    assert await connection.list_streams() == ["one"]
    await connection.close()


async def test_a_slow_server_has_its_time_for_each_answer(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three that come almost too late, by the loop's clock, are too late for nobody."""
    connection = NatsConnection(nats_server.url)
    await (await connection.open()).add_stream(name="one", subjects=["one"])
    loop, wait, late_s = asyncio.get_running_loop(), Subscription.next_msg, 0.0
    read_s = loop.time

    async def answer_late(subscription: Subscription, wait_s: float) -> Msg:
        nonlocal late_s
        assert wait_s == ANSWER_S_MAX
        late_s += ANSWER_S_MAX * 0.8
        # Whoever waits for the time that has passed has it before the answer.
        for _ in range(3):
            await asyncio.sleep(0)
        return await wait(subscription, wait_s)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", lambda: read_s() + late_s)
        patch.setattr(Subscription, "next_msg", answer_late)
        assert await connection.publish([Message("one", b"")] * 3) == [1, 2, 3]
    await connection.close()


async def test_a_broken_connection_is_made_anew(nats_server: NatsServer) -> None:
    connection = NatsConnection(nats_server.url)
    await (await connection.open()).add_stream(name="one", subjects=["one"])
    await connection.publish([Message("one", b"1")])
    nats_server.kill()
    nats_server.start()

    async def count() -> int:
        with translate_errors():
            found = await connection.find_state("one")
        return found.state.messages if found is not None else 0

    # What was asked on the connection that broke has no answer.
    with suppress(StorageUnavailable):
        await count()
    assert await count() == 1
    await connection.close()


async def test_without_a_server_it_says_so() -> None:
    connection = NatsConnection(f"nats://127.0.0.1:{find_free_port()}")

    async def ask() -> None:
        with translate_errors():
            await connection.list_streams()

    with pytest.raises(StorageUnavailable):
        await ask()
    await connection.close()
