"""Who asks: the digest of the bearer secret names a key or a machine. Every path is closed but those listed here."""

from functools import partial

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from keisan.api.context import CALLER_KEY, ApiContext, Caller
from keisan.api.machine_memory import MachineMemory
from keisan.domain.access import Principal
from keisan.domain.errors import Unauthenticated
from keisan.domain.key import MACHINE_PREFIX, Secret, digest_secret
from keisan.storage.base import Storage

API_PATH = "/api/v1"
# The join is open because the one-time token in its body is what authenticates it, and what a child asks because its letter is
# signed. May only shrink.
PUBLIC_PATHS = frozenset(
    {
        "/healthz",
        f"{API_PATH}/healthz",
        f"{API_PATH}/openapi.json",
        f"{API_PATH}/machines/join",
        f"{API_PATH}/links/ask",
    }
)
# Frames alone are taken while the database does not answer: nothing else does without it.
FRAME_PATH = f"{API_PATH}/site/frame"
SECRET_CHARACTERS_MAX = 256


class Authentication:
    """ASGI middleware: puts the Caller into the scope; raises Unauthenticated without a key that is in force."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app = app
        self._context = context
        self._machines = MachineMemory(context.control.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PUBLIC_PATHS:
            secret = _read_secret(Headers(scope=scope))
            principal = await self._find(scope["path"], secret)
            scope[CALLER_KEY] = Caller(self._context.control, principal, secret)
        await self._app(scope, receive, send)

    async def _find(self, path: str, secret: Secret) -> Principal:
        look = partial(find_principal, self._context.control.storage, secret)
        return await self._machines.find(secret, look) if path == FRAME_PATH else await look()


def _read_secret(headers: Headers) -> Secret:
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Unauthenticated("this needs the header 'Authorization: Bearer <key>'")
    if len(text) > SECRET_CHARACTERS_MAX:
        raise Unauthenticated("this key is not valid")
    return Secret(text.strip())


async def find_principal(storage: Storage, secret: Secret) -> Principal:
    """Return who a secret stands for; raises Unauthenticated for one that is not in force."""
    digest = digest_secret(secret)
    async with storage.read() as view:
        if secret.reveal().startswith(MACHINE_PREFIX):
            machine = await view.machines.find_by_digest(digest)
            if machine is None or machine.revoked_at is not None:
                raise Unauthenticated("this machine's secret is not valid")
            return machine.to_principal()
        key = await view.keys.find_by_digest(digest)
        if key is None or key.revoked_at is not None:
            raise Unauthenticated("this key is not valid")
        return key.to_principal()
