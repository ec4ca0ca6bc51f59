"""Hands the spans of sampled calls to a collector (OTLP over HTTP, JSON): take, post, repeat with backoff.

One batch is held here and the relay's queue is bounded, so a collector that is slow or gone costs spans and nothing else.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random

import httpx

from keisan.gateway.relay import Relay
from keisan.kit.clock import Clock, wait_unless_stopped
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.observe import write_warning
from keisan.kit.retry import Backoff

# Source: OTLP 1.x, "OTLP/HTTP Request" and "Failures".
TRACES_PATH = "/v1/traces"
RETRYABLE_CODES = frozenset({429, 502, 503, 504})
EXPORT_S = 2.0
EXPORT_TIMEOUT_S = 5.0
# About 2 MB; a collector need not take more than 20.
SPANS_PER_EXPORT_MAX = 2_048


@dataclass(slots=True)
class TraceExport:
    """The client is opened and closed by the owner, with the collector as its base address."""

    client: httpx.AsyncClient
    relay: Relay
    clock: Clock
    backoff: Backoff = field(default_factory=Backoff)
    random: Random = field(default_factory=Random)
    _held: bytes = b""

    async def run(self, finish: asyncio.Event) -> None:
        """Export until `finish` is set, and then once more, whatever comes of it."""
        attempt = 0
        while True:
            is_last = finish.is_set()
            attempt = 0 if await self.export_batch() else attempt + 1
            if is_last:
                return
            pause_s = self.backoff.compute_wait_s(attempt, self.random) if attempt else EXPORT_S
            await wait_unless_stopped(self.clock, pause_s, finish)

    async def export_batch(self) -> bool:
        """Post what waits; return False if it is held to be tried again. What a collector refuses for good is dropped."""
        if not self._held:
            self._held = await asyncio.to_thread(self.relay.take_spans, SPANS_PER_EXPORT_MAX)
        if not self._held:
            return True
        try:
            answer = await self._post(self._held)
        except httpx.HTTPError as fault:
            write_warning("traces.not_exported", fault=repr(fault)[:500])
            return False
        if answer.status_code in RETRYABLE_CODES:
            write_warning("traces.not_exported", status=answer.status_code)
            return False
        if not answer.is_success:
            write_warning("traces.dropped", status=answer.status_code, body_bytes=len(self._held))
        self._held = b""
        return True

    async def _post(self, body: bytes) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return await self.client.post(TRACES_PATH, content=body, headers=headers, timeout=EXPORT_TIMEOUT_S)


async def export_traces(url: str | None, relay: Relay, clock: Clock, finish: asyncio.Event) -> None:
    """Export to the collector at `url` until `finish` is set; without one there is nothing to do."""
    if url is None:
        return
    async with open_async_client(HttpTarget(url)) as client:
        await TraceExport(client, relay, clock).run(finish)
