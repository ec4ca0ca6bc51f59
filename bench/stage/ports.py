"""Ports of loopback for those who must be told one before they listen, or whom others must know by then."""

import socket

HOST = "127.0.0.1"
_holders: list[socket.socket] = []


def find_free_ports(count: int) -> list[int]:
    """Return TCP ports that the system gives to nobody until this process ends, while whoever is told one can listen there.

    It can with SO_REUSEADDR, as servers do; raises OSError.
    """
    return [_hold_port() for _ in range(count)]


def _hold_port() -> int:
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((HOST, 0))
    _holders.append(holder)
    return int(holder.getsockname()[1])
