"""The server's edge: every request leaves with an answer and an id; no fault passes it, no internals do.

It sits around all that is ours, so that a transaction opened on the way in is rolled back before a fault is answered.
"""

import re
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keisan.api.context import CONTEXT_KEY, ApiContext
from keisan.api.errors import PROBLEM_TYPE, describe_fault
from keisan.domain.errors import KeisanError
from keisan.kit.ids import create_id
from keisan.kit.observe import write_failure, write_warning

REQUEST_ID_HEADER = b"x-request-id"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Edge:
    """ASGI middleware: puts the context into the scope, names the request, answers faults with problem documents."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _choose_request_id(scope)
        scope[CONTEXT_KEY] = self._context
        is_started = False

        async def send_named(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception as fault:
            answer = _answer_fault(fault, request_id, scope)
            if is_started:
                # Half an answer is out; only closing the connection tells the asker that it is not whole.
                raise
            await answer(scope, receive, send_named)


def _answer_fault(fault: Exception, request_id: str, scope: Scope) -> Response:
    answer = describe_fault(fault, request_id)
    place = {"request_id": request_id, "method": scope["method"], "path": scope["path"], "code": answer.problem.code}
    if answer.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        write_failure("request.failed", fault, **place)
    elif isinstance(fault, KeisanError) and fault.inside:
        write_warning("request.refused", inside=fault.inside, **place)
    return Response(
        answer.problem.model_dump_json(),
        status_code=answer.problem.status,
        headers=dict(answer.headers),
        media_type=PROBLEM_TYPE,
    )


def _choose_request_id(scope: Scope) -> str:
    """Return the asker's own id if it is harmless, else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return str(create_id())
