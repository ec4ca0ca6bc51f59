"""No request body is larger than its limit, whether its length is announced or not."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keisan.domain.limits import API_BODY_BYTES_MAX


class BodyLimit:
    """ASGI middleware: raises HTTPException 413 before an announced body is read, or as soon as one grows too long."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _check_announced(scope)
        received_bytes = 0

        async def receive_limited() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            _check_size(received_bytes)
            return message

        await self._app(scope, receive_limited, send)


def _check_announced(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            _check_size(int(value))


def _check_size(size_bytes: int) -> None:
    if size_bytes > API_BODY_BYTES_MAX:
        raise HTTPException(413, f"a body has at most {API_BODY_BYTES_MAX} bytes")
