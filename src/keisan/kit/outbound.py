"""Requests to URLs that users gave: to no host of ours, within bounds, and no further than where they were sent.

The host is resolved when it is sent to, every address is checked, and the connection is made to a checked address itself:
no second resolution, no redirect, no proxy from the environment.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

import httpx

URL_CHARACTERS_MAX = 2048
ADDRESSES_TRIED_MAX = 4
PORT_MAX = 65535
# Global unicast (RFC 4291, 2.4): whatever else IPv6 has, embedded and translated IPv4 among it, is not for strangers.
GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class OutboundRefused(ValueError):
    """Nothing is sent there; the text says why, and tells nothing of what a name stands for."""


class OutboundFailed(Exception):
    """It was sent, or tried, and no whole head of an answer came; the text says why."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host; raises OSError or UnicodeError for a name that has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open network's: not private, local, of a group, reserved or for nobody."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in GLOBAL_IPV6 or address.sixtofour is not None or address.teredo is not None:
            return False
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not (is_special or address.is_private or address.is_link_local)


def is_loopback(address: Address) -> bool:
    """Tell whether an address is this host's own, also if it is written as one of IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def parse_outbound(text: str, *, is_local_open: bool) -> httpx.URL:
    """Return a URL that may be sent to, as far as its text tells; raises OutboundRefused.

    Only with `is_local_open` may it be without TLS or name this host.
    """
    if len(text) > URL_CHARACTERS_MAX:
        raise OutboundRefused(f"expected at most {URL_CHARACTERS_MAX} characters")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as fault:
        raise OutboundRefused(f"expected a URL: {fault}") from fault
    if url.scheme != "https" and not (is_local_open and url.scheme == "http"):
        raise OutboundRefused("expected a URL that begins with https://")
    if not url.host or "%" in url.host or (url.port or 0) > PORT_MAX:
        raise OutboundRefused(f"expected a URL with a host and a port up to {PORT_MAX}")
    if url.userinfo or url.fragment:
        raise OutboundRefused("expected a URL without a user and without a fragment")
    try:
        literal = ipaddress.ip_address(url.host)
    except ValueError:
        return url
    check_addresses([str(literal)], url, is_local_open=is_local_open)
    return url


def check_addresses(texts: Sequence[str], url: httpx.URL, *, is_local_open: bool) -> tuple[Address, ...]:
    """Return the addresses of a URL's host; raises OutboundRefused unless each may be sent to."""
    addresses = tuple(ipaddress.ip_address(text) for text in texts)
    if not addresses:
        raise OutboundRefused("the host has no address")
    if is_local_open and all(is_loopback(address) for address in addresses):
        return addresses
    if url.scheme != "https":
        raise OutboundRefused("only this host itself may be sent to without TLS")
    if not all(is_public(address) for address in addresses):
        raise OutboundRefused("the host has an address that is not public")
    return addresses


class Outbound:
    """Posts to URLs that users gave. `timeout_s` bounds all of it, from the name to the head of the answer.

    `is_local_open` lets this host itself be sent to, also without TLS; `ca_path` is the file of certificates to trust.
    """

    def __init__(
        self,
        *,
        is_local_open: bool = False,
        ca_path: str | None = None,
        timeout_s: float = 10.0,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._is_local_open = is_local_open
        self._ca_path = ca_path
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._context: ssl.SSLContext | None = None

    async def post(self, text: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status that is answered; what else the answer holds is not read.

        Raises OutboundRefused, or OutboundFailed when no status comes.
        """
        url = parse_outbound(text, is_local_open=self._is_local_open)
        try:
            async with asyncio.timeout(self._timeout_s):
                addresses = await self._find_addresses(url)
                return await self._post_first(url, addresses[:ADDRESSES_TRIED_MAX], body, headers)
        except TimeoutError as fault:
            raise OutboundFailed(f"no answer within {self._timeout_s:g} s") from fault
        except httpx.HTTPError as fault:
            raise OutboundFailed(f"{type(fault).__name__}: {fault}") from fault

    async def _find_addresses(self, url: httpx.URL) -> tuple[Address, ...]:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            texts = await self._resolve(url.raw_host.decode(), port)
        except (OSError, UnicodeError) as fault:
            raise OutboundFailed("the host's name leads to no address") from fault
        return check_addresses(texts, url, is_local_open=self._is_local_open)

    async def _post_first(
        self, url: httpx.URL, addresses: Sequence[Address], body: bytes, headers: Mapping[str, str]
    ) -> int:
        """Send to the first address that takes a connection."""
        for address in addresses[:-1]:
            try:
                return await self._post_to(address, url, body, headers)
            except httpx.ConnectError:
                continue
        return await self._post_to(addresses[-1], url, body, headers)

    async def _post_to(self, address: Address, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
        sent = {**headers, "host": url.netloc.decode()}
        # The name that the certificate must be for is the one the user gave.
        extensions = {"sni_hostname": url.raw_host.decode()}
        async with (
            httpx.AsyncClient(
                verify=self._find_context(url), timeout=self._timeout_s, trust_env=False, follow_redirects=False
            ) as client,
            client.stream(
                "POST", url.copy_with(host=str(address)), content=body, headers=sent, extensions=extensions
            ) as answer,
        ):
            return answer.status_code

    def _find_context(self, url: httpx.URL) -> ssl.SSLContext | bool:
        # Loading certificates takes tens of milliseconds: once, and only where there is TLS.
        if url.scheme != "https":
            return False
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._ca_path)
        return self._context
