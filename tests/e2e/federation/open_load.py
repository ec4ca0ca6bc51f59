"""Calls at a rate, whether those before are answered or not; of each is kept what became of it."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.deadline import let_time_pass_async
from tests.e2e.relay.client import Answer, CutShortError, KeepAliveClient

OUTPUT_TOKENS_MAX = 16


@dataclass(frozen=True, slots=True)
class Stream:
    """Calls of one kind: so many a second with one key for one model at one gateway, a connection each; `policy` is theirs."""

    name: str
    address: tuple[str, int]
    key: str
    model: str
    calls_per_s: float
    policy: str = ""

    async def call(self, number: int) -> Answer:
        """Make one call; raises OSError, TimeoutError or CutShortError if no whole answer came."""
        body = json.dumps(
            {
                "model": self.model,
                "messages": [{"role": "user", "content": f"call {number}"}],
                "max_tokens": OUTPUT_TOKENS_MAX,
            }
        ).encode()
        policy = f"keisan-policy: {self.policy}\r\n" if self.policy else ""
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
            f"{policy}authorization: Bearer {self.key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        client = KeepAliveClient(self.address)
        try:
            return await client.call(head.encode() + body)
        finally:
            client.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call; times are monotonic. `status` is 0 and `code` says why if no whole answer came."""

    stream: str
    begun_s: float
    taken_s: float
    status: int
    code: str
    record_id: str

    @property
    def is_answered(self) -> bool:
        return self.status == 200


@dataclass(slots=True)
class Load:
    """All outcomes so far. Cancelling whoever runs it ends it; `stop` ends it once what is open is answered."""

    streams: Sequence[Stream]
    outcomes: list[Outcome] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Make calls until `stop`."""
        async with asyncio.TaskGroup() as group:
            for stream in self.streams:
                group.create_task(self._pace(stream, group))

    def stop(self) -> None:
        """Begin no more calls."""
        self.stopping.set()

    def list_outcomes(self, name: str, since_s: float = 0.0, until_s: float = float("inf")) -> list[Outcome]:
        """Return the outcomes of a kind of calls that began within a time."""
        return [each for each in self.outcomes if each.stream == name and since_s <= each.begun_s < until_s]

    async def _pace(self, stream: Stream, group: asyncio.TaskGroup) -> None:
        begun_s, number = time.monotonic(), 0
        while not self.stopping.is_set():
            group.create_task(self._call(stream, number))
            number += 1
            await let_time_pass_async(max(0.0, begun_s + number / stream.calls_per_s - time.monotonic()))

    async def _call(self, stream: Stream, number: int) -> None:
        begun_s = time.monotonic()
        try:
            answer = await stream.call(number)
        except (OSError, TimeoutError, CutShortError) as fault:
            told = (0, type(fault).__name__, "")
        else:
            told = (answer.status, answer.code or "", answer.headers.get("keisan-record-id", ""))
        self.outcomes.append(Outcome(stream.name, begun_s, time.monotonic() - begun_s, *told))


def count_codes(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many calls were not answered, by status and code."""
    found: dict[str, int] = {}
    for each in outcomes:
        if not each.is_answered:
            name = f"{each.status} {each.code}"
            found[name] = found.get(name, 0) + 1
    return found


def find_percentile_s(outcomes: Iterable[Outcome], percent: float) -> float:
    """Return what this part of calls did not take longer than."""
    taken = sorted(each.taken_s for each in outcomes)
    return taken[min(len(taken) - 1, int(len(taken) * percent / 100))]
