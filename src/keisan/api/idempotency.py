"""Writes may carry `Idempotency-Key`: the first answer is kept, and given again to the same request of the same key.

The answer is kept in the write's own transaction, so neither exists without the other. It is encrypted with a key
made from the asker's own secret, of which the platform stores only a digest: an answer that shows a new secret can be
repeated to whom it was given, and nobody can read it from the database.
"""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keisan.api.context import CALLER_KEY, Caller
from keisan.domain.access import Right
from keisan.domain.errors import IdempotencyMismatch, InvalidInput, Refused
from keisan.domain.key import Secret
from keisan.domain.limits import IDEMPOTENCY_KEY_CHARACTERS_MAX
from keisan.storage.base import Storage, StoredAnswer, Transaction

HEADER = "idempotency-key"
REPLAYED_HEADER = "idempotency-replayed"
WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NONCE_BYTES = 12


class Idempotency:
    """ASGI middleware: runs a write with a key in one transaction with the keeping of its answer, or replays it.

    Machines' exchanges are repeatable by nature, so the header means nothing there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = scope.get(CALLER_KEY)
        name = Headers(scope=scope).get(HEADER) if scope["type"] == "http" else None
        if (
            name is None
            or scope["method"] not in WRITE_METHODS
            or not isinstance(caller, Caller)
            or _is_machine(caller)
        ):
            await self._app(scope, receive, send)
            return
        write = await _read_write(scope, receive, caller, name)
        try:
            answer = await self._run_once(scope, write)
        except Refused:
            # A twin of this request may have been first and be what this one collided with.
            async with caller.control.storage.read() as view:
                replayed = await _find_answer(view, write)
            if replayed is None:
                raise
            answer = replayed
        await answer(scope, receive, send)

    async def _run_once(self, scope: Scope, write: "_Write") -> Response:
        storage = write.caller.control.storage
        async with storage.write() as transaction:
            replayed = await _find_answer(transaction, write)
            if replayed is not None:
                return replayed
            control = replace(write.caller.control, storage=JoinedStorage(storage, transaction))
            scope[CALLER_KEY] = replace(write.caller, control=control)
            recorder = _Recorder(write.body)
            await self._app(scope, recorder.receive, recorder.send)
            answer = recorder.build_response()
            kept = _seal_answer(write, answer)
            principal_id, now = write.caller.principal.id, control.clock.now()
            await transaction.idempotency.insert(principal_id, write.name, kept, now)
        return answer


class JoinedStorage:
    """An open transaction under the face of a Storage: what a command reads and writes joins it, and it commits later."""

    def __init__(self, storage: Storage, transaction: Transaction) -> None:
        self._storage = storage
        self._transaction = transaction

    @asynccontextmanager
    async def _join(self) -> AsyncIterator[Transaction]:
        yield self._transaction

    read = _join
    write = _join

    async def migrate(self) -> None:
        """Do nothing: a schema is not changed within a request."""

    async def check(self) -> None:
        """Raise StorageUnavailable as the storage underneath does."""
        await self._storage.check()

    async def close(self) -> None:
        """Do nothing: who opened the storage closes it."""


@dataclass(frozen=True, slots=True)
class _Write:
    """A request as it is compared with its repetition."""

    caller: Caller
    name: str
    digest: str
    body: bytes


@dataclass(slots=True)
class _Recorder:
    """Plays a request that was read before to the routes, and holds their answer until the commit."""

    request_body: bytes
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def receive(self) -> Message:
        return {"type": "http.request", "body": self.request_body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def build_response(self) -> Response:
        response = Response(bytes(self.body), status_code=self.status)
        response.raw_headers = self.headers
        return response


def _is_machine(caller: Caller) -> bool:
    return bool(caller.principal.rights & {Right.SERVE_GATEWAY, Right.SERVE_SITE})


async def _read_write(scope: Scope, receive: Receive, caller: Caller, name: str) -> _Write:
    if not 0 < len(name) <= IDEMPOTENCY_KEY_CHARACTERS_MAX or not name.isprintable():
        text = f"an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX} printable characters"
        raise InvalidInput(text, "Idempotency-Key")
    request = Request(scope, receive)
    try:
        body = await request.body()
    except ClientDisconnect as fault:
        raise InvalidInput("the body broke off") from fault
    parts = (
        scope["method"].encode(),
        scope["path"].encode(),
        scope.get("query_string", b""),
        request.headers.get("if-match", "").encode(),
        body,
    )
    # Each part is digested on its own first, so that no shift of bytes between two of them goes unseen.
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    return _Write(caller, name, digest, body)


async def _find_answer(view: Transaction, write: _Write) -> Response | None:
    kept = await view.idempotency.find(write.caller.principal.id, write.name)
    if kept is None:
        return None
    if kept.request_digest != write.digest:
        raise IdempotencyMismatch("this idempotency key was used for another request")
    headers = {REPLAYED_HEADER: "true"} | ({"etag": kept.etag} if kept.etag else {})
    body = _open_body(write, kept.body)
    return Response(body, status_code=kept.status, headers=headers, media_type="application/json" if body else None)


def _seal_answer(write: _Write, answer: Response) -> StoredAnswer:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + _derive_cipher(write.caller.secret).encrypt(nonce, bytes(answer.body), write.digest.encode())
    text = base64.b64encode(sealed).decode()
    return StoredAnswer(write.digest, answer.status_code, text, answer.headers.get("etag"))


def _open_body(write: _Write, text: str) -> bytes:
    sealed = base64.b64decode(text)
    cipher = _derive_cipher(write.caller.secret)
    return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], write.digest.encode())


def _derive_cipher(secret: Secret) -> AESGCM:
    # The secret holds 256 random bits, so one HKDF step is enough; a password would need a slow function.
    derived = HKDF(SHA256(), length=32, salt=None, info=b"keisan idempotency answer").derive(secret.reveal().encode())
    return AESGCM(derived)
