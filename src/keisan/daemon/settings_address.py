"""Addresses in settings: a host and a port."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port; port 0 takes a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this host can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: object) -> Address:
    """Return "HOST:PORT" as an address; raises ValueError naming the form."""
    if isinstance(text, Address):
        return text
    host, colon, port = str(text).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("HOST:PORT with a port from 0 to 65535")
    return Address(host, int(port))


ListenAddress = Annotated[Address, BeforeValidator(parse_address)]
