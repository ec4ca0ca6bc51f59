"""A platform that keeps every record, as the relay's stage has one, and leases credit to its gateways as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from keisan.gateway.link import CREDIT_PATH
from tests.e2e.relay.platform import RecordKeeper


@dataclass(slots=True)
class Lender(RecordKeeper):
    """`credit_nano` by holder is all that each gateway is ever leased; nobody else is leased anything."""

    credit_nano: dict[UUID, int] = field(default_factory=dict)
    currency: str = "CNY"

    async def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a request; returns status and body."""
        if path != CREDIT_PATH:
            return await RecordKeeper.answer(self, path, body)
        report = json.loads(body)
        wanted = {(want["holder_id"], want["currency"]) for want in report.get("wanted", [])}
        leased = {(str(holder), self.currency) for holder in self.credit_nano}
        answer = {
            "lease_s": 7200,
            "renew_s": 1,
            "default_share_ppm": 1_000_000,
            "tickets": [self._lease(report["incarnation"], holder) for holder in self.credit_nano],
            "refused": [
                {"holder_id": holder, "currency": currency, "bound": "wallet"} for holder, currency in wanted & leased
            ]
            + [{"holder_id": holder, "currency": currency, "bound": ""} for holder, currency in wanted - leased],
        }
        return 200, json.dumps(answer).encode()

    def _lease(self, incarnation: str, holder: UUID) -> dict[str, str]:
        return {
            "ticket_id": str(uuid5(UUID(incarnation), str(holder))),
            "holder_id": str(holder),
            "credit_nano": str(self.credit_nano[holder]),
            "give_back_nano": "0",
            "currency": self.currency,
        }


@asynccontextmanager
async def run_lender() -> AsyncIterator[Lender]:
    """Run a platform on a free port of this host."""
    lender = Lender()
    server = await asyncio.start_server(lender.serve, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    lender.url = f"http://{host}:{port}"
    try:
        yield lender
    finally:
        lender.closing.set()
        lender.is_away = True
        server.close()
        await server.wait_closed()
