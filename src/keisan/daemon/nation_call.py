"""A national call from outside: asked at the national platform's gateway, and what both platforms then tell of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import httpx

from keisan.daemon.nation import Nation, NationPlatform
from keisan.daemon.nation_plan import MODEL
from keisan.domain.cross_record import CrossState, CrossUsage, RecordEnd
from keisan.domain.errors import Failed, NotFound, Unavailable
from keisan.kit.http import HttpTarget, open_async_client
from keisan.sdk import AsyncKeisan
from keisan.wire.cross_leaf import read_cross_leaf
from keisan.wire.cross_receipt import CrossReceiptView

OUTPUT_TOKENS = 8
QUESTION = "Which fruit is red? Answer in a sentence."
CALL_S_MAX = 60.0
PATIENCE_S = 20.0
SETTLED_S_MAX = 30.0
SERVICE_UNAVAILABLE = 503
CREDIT_ON_ITS_WAY = "ticket_unknown"
LOOK_S = 0.2
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Call:
    """What the client was told of a call."""

    record_id: UUID
    usage: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Served:
    """A call that was settled: who served it, what the record says, and the receipts that home and the serving platform give."""

    call: Call
    platform: NationPlatform
    usage: CrossUsage
    receipts: Sequence[CrossReceiptView]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no call."""

    http_status: int
    text: str

    @property
    def is_for_now(self) -> bool:
        """Tell whether nobody can serve just now, or no gateway knows yet of credit that was leased."""
        return self.http_status == SERVICE_UNAVAILABLE or f'"code":"{CREDIT_ON_ITS_WAY}"' in self.text


async def ask(platform: NationPlatform) -> Call | Refusal:
    """Make one call as any client would; raises Failed for no answer."""
    kept = platform.read_operator()
    target = HttpTarget(str(kept.gateway_url), next(iter(platform.keys.values())), timeout_s=CALL_S_MAX)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": OUTPUT_TOKENS,
        "temperature": 0,
    }
    async with open_async_client(target) as client:
        try:
            answer = await client.post("/v1/chat/completions", json=body)
        except httpx.HTTPError as fault:
            raise Failed(f"the call was not answered: {fault!r}") from fault
    if answer.status_code != 200:
        return Refusal(answer.status_code, answer.text)
    return Call(UUID(answer.headers["keisan-record-id"]), answer.json()["usage"])


async def ask_patiently(nation: Nation) -> Call:
    """Make a national call, again while it is refused for now, as where news of its credit is still on its way to gateways.

    Raises Failed with the last refusal once that has gone on for PATIENCE_S.
    """
    end_s = nation.clock.monotonic_s() + PATIENCE_S
    while isinstance(answer := await ask(nation.national), Refusal):
        if not answer.is_for_now or nation.clock.monotonic_s() > end_s:
            raise Failed(f"the call was answered with {answer.http_status}: {answer.text[:200]}")
        await nation.clock.sleep(LOOK_S)
    return answer


async def find_served(nation: Nation, ids: Mapping[str, NationPlatform], call: Call) -> Served:
    """Return what both platforms tell of a call, once both have signed; `ids` are the provinces by their platforms' ids.

    Raises Failed if no province served it, Unavailable if they have not signed in time.
    """
    home = await wait_for_receipt(nation, nation.national, call.record_id)
    usage = read_cross_leaf(home.leaf.encode())
    if usage.serving_id not in ids:
        raise Failed(f"the record says that {usage.serving_id[:12]} served the call, which is no province")
    platform = ids[usage.serving_id]
    return Served(call, platform, usage, (home, await wait_for_receipt(nation, platform, call.record_id)))


async def wait_for_receipt(nation: Nation, platform: NationPlatform, record_id: UUID) -> CrossReceiptView:
    """Return a platform's receipt of a call, signed by both; raises Unavailable if there is none in time."""

    async def look(keisan: AsyncKeisan) -> CrossReceiptView | None:
        try:
            receipt = await keisan.settlements.get_receipt(record_id)
        except NotFound:
            return None
        return receipt if receipt.countersignature is not None else None

    return await _wait_for(nation, platform, look, f"a receipt that both have signed of {record_id}")


async def count_settled(nation: Nation, platform: NationPlatform, serving_id: str) -> int:
    """Return how many calls a platform knows of that another one served and both settled; raises Unavailable for none in time."""

    async def look(keisan: AsyncKeisan) -> int | None:
        found = [each.id async for each in keisan.settlements.list() if each.author == serving_id]
        sums = [line for each in found for line in (await keisan.settlements.get(each)).sums]
        is_settled = (RecordEnd.SERVING, CrossState.SETTLED)
        return sum(line.record_count for line in sums if (line.end, line.state) == is_settled) or None

    return await _wait_for(nation, platform, look, f"a settled call that {serving_id[:12]} served")


async def count_disputes(platform: NationPlatform) -> int:
    """Return on how many records a platform and another one do not agree."""
    async with platform.open_as_operator() as keisan:
        return len([each async for each in keisan.settlements.list_disputes()])


async def _wait_for(
    nation: Nation, platform: NationPlatform, look: Callable[[AsyncKeisan], Awaitable[Told | None]], what: str
) -> Told:
    end_s = nation.clock.monotonic_s() + SETTLED_S_MAX
    async with platform.open_as_operator() as keisan:
        while True:
            told = await look(keisan)
            if told is not None:
                return told
            if nation.clock.monotonic_s() > end_s:
                raise Unavailable(f"after {SETTLED_S_MAX:g} s {platform.plan.name} does not tell {what}")
            await nation.clock.sleep(LOOK_S)
