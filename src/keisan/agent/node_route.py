"""The routes of a site's agent for its other nodes: who does not have the site's secret gets no further than its first line."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from keisan.agent.host_book import Sender
from keisan.agent.node_desk import NodeDesk
from keisan.agent.site_link import AGENT_HEADER, FRAME_PATH, INVENTORY_PATH, NODE_HEADER, REPORT_PATH
from keisan.domain.errors import (
    InvalidInput,
    KeisanError,
    LimitExceeded,
    PermissionDenied,
    Postponed,
    StateConflict,
    Unauthenticated,
)
from keisan.domain.key import Secret
from keisan.domain.limits import API_BODY_BYTES_MAX
from keisan.wire.node import HostReport
from keisan.wire.telemetry import FrameAnswer, InventoryAnswer

BODY_WAIT_S = 30.0
# Of bodies that are read at once; others wait, and their senders with them.
BODIES_MAX = 16
_STATUS = {
    InvalidInput: 400,
    Unauthenticated: 401,
    PermissionDenied: 403,
    StateConflict: 409,
    LimitExceeded: 413,
    Postponed: 429,
}
Answer = Callable[[Request, bytes], str]


def build_routes(desk: NodeDesk, secret: Secret) -> Starlette:
    """Return the routes; all need the site's secret."""
    turns = asyncio.Semaphore(BODIES_MAX)

    def report(_: Request, body: bytes) -> str:
        return desk.take_report(_read_report(body)).model_dump_json()

    def inventory(request: Request, body: bytes) -> str:
        mark = desk.take_inventory(_read_sender(request), body)
        return InventoryAnswer.model_validate(mark).model_dump_json()

    def frame(request: Request, body: bytes) -> str:
        return FrameAnswer(outcome=desk.take_frame(_read_sender(request), body)).model_dump_json()

    def guard(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                _authenticate(request, secret)
                async with turns:
                    body = await _read_body(request)
                return Response(answer(request, body), media_type="application/json")
            except KeisanError as fault:
                return _describe(fault)

        return handle

    paths = {REPORT_PATH: report, INVENTORY_PATH: inventory, FRAME_PATH: frame}
    return Starlette(routes=[Route(path, guard(answer), methods=["POST"]) for path, answer in paths.items()])


def _authenticate(request: Request, secret: Secret) -> None:
    shown = request.headers.get("authorization", "").encode("utf-8", "replace")
    if not hmac.compare_digest(shown, f"Bearer {secret.reveal()}".encode()):
        raise Unauthenticated("expected the secret of this site's nodes")


async def _read_body(request: Request) -> bytes:
    """Return the body; raises LimitExceeded for one that is too large, Postponed for one that does not come."""
    parts: list[bytes] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            async for part in request.stream():
                size_bytes += len(part)
                if size_bytes > API_BODY_BYTES_MAX:
                    raise LimitExceeded(f"a body has at most {API_BODY_BYTES_MAX} bytes")
                parts.append(part)
    except (TimeoutError, ClientDisconnect) as fault:
        raise Postponed("the body did not come", repr(fault)) from fault
    return b"".join(parts)


def _read_report(body: bytes) -> HostReport:
    try:
        return HostReport.model_validate_json(body)
    except ValueError as fault:
        raise InvalidInput("expected a node's report", "report", str(fault)[:200]) from fault


def _read_sender(request: Request) -> Sender:
    try:
        return Sender(request.headers[NODE_HEADER], UUID(request.headers[AGENT_HEADER]))
    except (KeyError, ValueError) as fault:
        raise InvalidInput(f"expected the headers {NODE_HEADER} and {AGENT_HEADER}", "headers") from fault


def _describe(fault: KeisanError) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(fault, kind)), 500)
    content = json.dumps({"code": fault.code, "detail": fault.outside})
    return Response(content, status, media_type="application/problem+json")
