"""The one client transport under sdk, gateway and agent: httpx with timeouts, limits and a bearer secret."""

import re
import ssl
from dataclasses import dataclass, field

import httpx

PORT_MAX = 65535
# What may stand in a header's value (RFC 9110, 5.5), without the spaces that no bearer has.
_BEARER = re.compile(r"[!-~]+")


class TargetInvalid(ValueError):
    """No request can be sent to a target. `part` is the name of the field that is at fault; the text says how."""

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """Where to call and as whom. `ca_path` is the certificate file to trust, None for the system's own."""

    base_url: str
    bearer: str | None = field(default=None, repr=False)
    ca_path: str | None = None
    timeout_s: float = 10.0
    connections_max: int = 8


def _check_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as fault:
        raise TargetInvalid("base_url", f"expected a URL, got {text!r}: {fault}") from fault
    if url.scheme not in ("http", "https"):
        raise TargetInvalid("base_url", f"expected a URL that begins with http:// or https://, got {text!r}")
    # What cannot stand in a host's name comes back escaped; in an address of IPv6, % begins a zone.
    is_host = url.host and ("%" not in url.host or ":" in url.host)
    if not is_host or (url.port or 0) > PORT_MAX:
        raise TargetInvalid("base_url", f"expected a URL with a host and a port up to {PORT_MAX}, got {text!r}")
    return text


def _build_headers(target: HttpTarget) -> dict[str, str]:
    if not target.bearer:
        return {}
    if not _BEARER.fullmatch(target.bearer):
        # It may be a secret with one wrong character, so it is not quoted.
        raise TargetInvalid("bearer", "expected visible ASCII characters only")
    return {"authorization": f"Bearer {target.bearer}"}


def _build_verify(target: HttpTarget) -> ssl.SSLContext | bool:
    # Loading the system's certificates costs tens of milliseconds, which plain HTTP on loopback need not pay.
    if target.base_url.startswith("http://"):
        return False
    try:
        return ssl.create_default_context(cafile=target.ca_path)
    except OSError as fault:
        reason = "there is none in it" if isinstance(fault, ssl.SSLError) else fault.strerror
        text = f"expected a file of certificates (PEM), got {target.ca_path!r}: {reason}"
        raise TargetInvalid("ca_path", text) from fault


def open_client(target: HttpTarget) -> httpx.Client:
    """Return a client for `target`; the caller closes it. The environment's proxy settings are not read.

    Raises TargetInvalid.
    """
    return httpx.Client(
        base_url=_check_url(target.base_url),
        headers=_build_headers(target),
        timeout=target.timeout_s,
        verify=_build_verify(target),
        limits=httpx.Limits(max_connections=target.connections_max),
        trust_env=False,
    )


def open_async_client(target: HttpTarget) -> httpx.AsyncClient:
    """Return an async client for `target`; the caller closes it. The environment's proxy settings are not read.

    Raises TargetInvalid.
    """
    return httpx.AsyncClient(
        base_url=_check_url(target.base_url),
        headers=_build_headers(target),
        timeout=target.timeout_s,
        verify=_build_verify(target),
        limits=httpx.Limits(max_connections=target.connections_max),
        trust_env=False,
    )
