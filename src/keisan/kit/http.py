"""The one client transport under sdk, gateway and agent: httpx with timeouts, limits and a bearer secret."""

import ssl
from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """Where to call and as whom. `ca_path` is the certificate file to trust, None for the system's own."""

    base_url: str
    bearer: str | None = field(default=None, repr=False)
    ca_path: str | None = None
    timeout_s: float = 10.0
    connections_max: int = 8


def _build_headers(target: HttpTarget) -> dict[str, str]:
    return {"authorization": f"Bearer {target.bearer}"} if target.bearer else {}


def _build_verify(target: HttpTarget) -> ssl.SSLContext | bool:
    # Loading the system's certificates costs tens of milliseconds, which plain HTTP on loopback need not pay.
    if target.base_url.startswith("http://"):
        return False
    return ssl.create_default_context(cafile=target.ca_path)


def open_client(target: HttpTarget) -> httpx.Client:
    """Return a client for `target`; the caller closes it. The environment's proxy settings are not read."""
    return httpx.Client(
        base_url=target.base_url,
        headers=_build_headers(target),
        timeout=target.timeout_s,
        verify=_build_verify(target),
        limits=httpx.Limits(max_connections=target.connections_max),
        trust_env=False,
    )


def open_async_client(target: HttpTarget) -> httpx.AsyncClient:
    """Return an async client for `target`; the caller closes it. The environment's proxy settings are not read."""
    return httpx.AsyncClient(
        base_url=target.base_url,
        headers=_build_headers(target),
        timeout=target.timeout_s,
        verify=_build_verify(target),
        limits=httpx.Limits(max_connections=target.connections_max),
        trust_env=False,
    )
