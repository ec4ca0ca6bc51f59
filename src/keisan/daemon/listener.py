"""Binding an address, with a fault that names it."""

import socket

from keisan.daemon.settings_address import Address
from keisan.domain.errors import SettingsInvalid


def bind_listener(address: Address) -> socket.socket:
    """Return a bound socket; raises SettingsInvalid naming the address if it cannot be had."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, target = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(target)
        except OSError:
            listener.close()
            raise
    except OSError as fault:
        raise SettingsInvalid(f"expected a free address to listen on, got {address}: {fault.strerror}") from fault
    return listener
