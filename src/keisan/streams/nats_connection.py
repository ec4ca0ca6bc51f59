"""The connection to a nats-server, and the few things that streams ask of JetStream."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from keisan.domain.errors import StorageUnavailable
from keisan.domain.limits import LINK_BATCH_LETTERS_MAX

CONNECT_S_MAX: Final = 5.0
ANSWER_S_MAX: Final = 5.0
RECONNECT_S: Final = 1
# A consumer that a crash left behind goes after so long.
CONSUMER_IDLE_S: Final = 10.0


class _Acknowledgement(msgspec.Struct, frozen=True, gc=False):
    """What JetStream answers to a message; without a sequence it has refused it."""

    sequence: int = msgspec.field(name="seq", default=0)


_read_acknowledgement = msgspec.json.Decoder(_Acknowledgement).decode


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a subject."""

    subject: str
    data: bytes
    headers: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """What JetStream has at a sequence."""

    sequence: int
    subject: str
    data: bytes


class NatsConnection:
    """One connection, made when it is needed first; the client makes it anew whenever it breaks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def open(self) -> JetStreamContext:
        """Return JetStream."""
        return (await self._connect()).jetstream(timeout=ANSWER_S_MAX)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def publish(self, messages: Sequence[Message]) -> list[int]:
        """Send messages one after another and return at which sequences they are; 0 for one that was refused.

        The client's own way to send many loses the answer to one that is refused.
        """
        client = await self._connect()
        inbox = client.new_inbox()
        answers = await client.subscribe(inbox)
        try:
            for message in messages:
                await client.publish(message.subject, message.data, reply=inbox, headers=message.headers)
            # Each has its own time from the answer before it: a server that is slow with a full batch still answers.
            return [_read_acknowledgement((await answers.next_msg(ANSWER_S_MAX)).data).sequence for _ in messages]
        finally:
            await answers.unsubscribe()

    async def fetch(self, stream: str, start: int, count_max: int = LINK_BATCH_LETTERS_MAX) -> list[StoredMessage]:
        """Return messages of a stream from a sequence on, so many at most."""
        client = await self._connect()
        context = await self.open()
        wanted = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=CONSUMER_IDLE_S,
            mem_storage=True,
        )
        consumer = await context.add_consumer(stream, wanted)
        if not consumer.num_pending:
            return []
        subscription = await context.pull_subscribe_bind(consumer=consumer.name, stream=stream)
        try:
            count = min(consumer.num_pending, count_max)
            found = await subscription.fetch(count, timeout=ANSWER_S_MAX)
        finally:
            await subscription.unsubscribe()
            # Nobody waits for the answer: what is left behind goes by itself.
            await client.publish(f"$JS.API.CONSUMER.DELETE.{stream}.{consumer.name}")
        return [StoredMessage(each.metadata.sequence.stream, each.subject, each.data) for each in found]

    async def find_state(self, stream: str) -> api.StreamInfo | None:
        """Return what a stream is and has; None if there is none."""
        try:
            return await (await self.open()).stream_info(stream)
        except NotFoundError:
            return None

    async def list_streams(self) -> list[str]:
        """Return the names of all streams on the server."""
        context = await self.open()
        names: list[str] = []
        while page := await context.streams_info(offset=len(names)):
            names += [info.config.name or "" for info in page]
        return names

    async def _connect(self) -> Client:
        async with self._connecting:
            if self._client is None:
                client = Client()
                try:
                    async with asyncio.timeout(CONNECT_S_MAX):
                        await client.connect(
                            self._url,
                            name="keisan",
                            error_cb=pass_over,
                            reconnect_time_wait=RECONNECT_S,
                            max_reconnect_attempts=-1,
                        )
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client


async def pass_over(_error: Exception) -> None:
    """Let what happens to the connection be told by the calls that it fails."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise what the client raises as StorageUnavailable."""
    try:
        yield
    except (nats.errors.Error, APIError, OSError, TimeoutError) as error:
        raise StorageUnavailable("NATS cannot be reached or is busy", repr(error)) from error
