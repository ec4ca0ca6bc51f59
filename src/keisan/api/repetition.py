"""A write whose transaction the database ended for the sake of another is done again, before anybody is told.

It sits around idempotency, so that each try has a transaction of its own.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keisan.api.idempotency import WRITE_METHODS
from keisan.domain.errors import TransactionConflict
from keisan.kit.observe import write_warning

TRIES_MAX = 3


class Repetition:
    """ASGI middleware: runs a write up to TRIES_MAX times while its transaction ends in a conflict, which commits nothing.

    What the routes answer to a conflict is the same as this does: the request again, as it was.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in WRITE_METHODS:
            await self._app(scope, receive, send)
            return
        tape = _Tape(receive)
        for attempt in range(1, TRIES_MAX + 1):
            tape.rewind()
            try:
                # A copy: what is put into the scope within is of this try, like a transaction that is over after it.
                await self._app(dict(scope), tape.receive, send)
            except TransactionConflict as fault:
                # Nothing is answered yet: an answer waits for the commit.
                if attempt == TRIES_MAX:
                    raise
                write_warning("write.repeated", path=scope["path"], attempt=attempt, inside=fault.inside)
            else:
                return


class _Tape:
    """A request as it was received, to be read again from its beginning."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._position = 0

    def rewind(self) -> None:
        """Begin again with the first message."""
        self._position = 0

    async def receive(self) -> Message:
        """Return the next message, from the tape as far as that goes."""
        if self._position == len(self._messages):
            self._messages.append(await self._receive())
        self._position += 1
        return self._messages[self._position - 1]
