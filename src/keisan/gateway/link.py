"""The gateway's exchanges with its platform: fetch the snapshot, hand in usage records, renew credit."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx

from keisan.domain.errors import Failed, PermissionDenied, PlatformUnreachable, Unauthenticated
from keisan.gateway.relay import UsageBatch
from keisan.wire.base import WireView
from keisan.wire.credit import CreditAnswer, CreditReport
from keisan.wire.gateway_certificate import GatewayCertificateAsk, GatewayCertificateView
from keisan.wire.snapshot import Snapshot, SnapshotAnswer
from keisan.wire.usage import USAGE_BATCH_TYPE, UsageAnswer

SNAPSHOT_PATH = "/api/v1/gateway/snapshot"
USAGE_PATH = "/api/v1/gateway/usage"
CREDIT_PATH = "/api/v1/gateway/credit"
CERTIFICATE_PATH = "/api/v1/gateway/certificate"
# How much longer than the wait asked for an answer may take before the platform counts as gone.
ANSWER_MARGIN_S = 10.0
UPLOAD_TIMEOUT_S = 30.0
CREDIT_TIMEOUT_S = 10.0
# The platform may have to ask its parent.
CERTIFICATE_TIMEOUT_S = 30.0
# What of an upload is in Python's memory at a time.
PIECE_BYTES = 256 * 1024
_JSON = {"content-type": "application/json"}

View = TypeVar("View", bound=WireView)


@dataclass(frozen=True, slots=True)
class PlatformLink:
    """Requests with the machine's secret; the client is opened and closed by the owner.

    Every call raises PlatformUnreachable (silence, 429, 5xx), Unauthenticated, PermissionDenied or Failed.
    """

    client: httpx.AsyncClient

    async def fetch_snapshot(self, base: Snapshot | None, wait_s: float) -> SnapshotAnswer | None:
        """Ask for what follows `base`, waiting up to `wait_s` for a change; None when nothing changed.

        Naming a base acknowledges that it is served here.
        """
        query: dict[str, str] = {"wait_s": f"{wait_s:g}"}
        if base is not None:
            query |= {"incarnation": str(base.incarnation), "version": str(base.version), "digest": base.digest}
        request = self.client.build_request("GET", SNAPSHOT_PATH, params=query, timeout=wait_s + ANSWER_MARGIN_S)
        answer = await self._send(request)
        if answer.status_code in (204, 304):
            return None
        return _read(SnapshotAnswer, answer)

    async def upload_usage(self, batch: UsageBatch) -> UsageAnswer:
        """Hand in records as the relay wrote them; the answer is given after the platform's commit."""
        headers = {"content-type": USAGE_BATCH_TYPE, "content-length": str(batch.size_bytes)}
        return _read(UsageAnswer, await self._post(USAGE_PATH, _cut(batch), headers, UPLOAD_TIMEOUT_S))

    async def exchange_credit(self, report: CreditReport) -> CreditAnswer:
        """Report what was spent, is held and is wanted; the answer says what may be spent from now on."""
        body = report.model_dump_json().encode()
        return _read(CreditAnswer, await self._post(CREDIT_PATH, body, _JSON, CREDIT_TIMEOUT_S))

    async def certify(self, asked: GatewayCertificateAsk) -> GatewayCertificateView:
        """Ask for a certificate that gateways of other platforms believe."""
        body = asked.model_dump_json().encode()
        answer = await self._post(CERTIFICATE_PATH, body, _JSON, CERTIFICATE_TIMEOUT_S)
        return _read(GatewayCertificateView, answer)

    async def _post(
        self, path: str, body: bytes | AsyncIterator[bytes], headers: Mapping[str, str], timeout_s: float
    ) -> httpx.Response:
        return await self._send(
            self.client.build_request("POST", path, content=body, headers=headers, timeout=timeout_s)
        )

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = await self.client.send(request)
        except httpx.HTTPError as fault:
            raise PlatformUnreachable("the platform does not answer", repr(fault)) from fault
        code = answer.status_code
        if code == 401:
            raise Unauthenticated("the platform does not know this gateway", answer.text[:500])
        if code == 403:
            raise PermissionDenied("the platform refuses this gateway", answer.text[:500])
        if code == 429 or code >= 500:
            raise PlatformUnreachable(f"the platform answered with {code}", answer.text[:500])
        if code >= 400:
            raise Failed(f"the platform answered with {code}", answer.text[:500])
        return answer


async def _cut(batch: UsageBatch) -> AsyncIterator[bytes]:
    """Yield the body of an upload in pieces, each copied when it is sent."""
    for start in range(0, batch.size_bytes, PIECE_BYTES):
        yield batch.copy(start, PIECE_BYTES)


def _read(view: type[View], answer: httpx.Response) -> View:
    try:
        return view.model_validate_json(answer.content)
    except ValueError as fault:
        raise Failed(f"the platform's {view.__name__} cannot be read", str(fault)[:500]) from fault
