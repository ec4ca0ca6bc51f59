"""Ports of loopback, for whoever has to be told one before it listens, or listens on it again.

One that the system gave is the system's again once it is let go, and the next process that asks may be given it. These are below
all that it gives, and are handed out in turn to every test on this host.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 12_000, 31_999
NEXT = Path(tempfile.gettempdir()) / f"keisan-ports-{os.getuid()}"


def find_free_port() -> int:
    """Return a port that nobody has, and that nobody else is given until all others were; raises AssertionError if none is free."""
    with NEXT.open("a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        begun = _read_port(kept.read())
        port = begun
        while not _is_free(port):
            port = _find_next(port)
            assert port != begun, f"no port from {FIRST} to {LAST} is free"
        kept.truncate(0)
        kept.write(str(_find_next(port)))
        return port


def _read_port(text: str) -> int:
    # Whoever was killed while writing may have left anything.
    return int(text) if text.isdigit() and FIRST <= int(text) <= LAST else FIRST


def _find_next(port: int) -> int:
    return port + 1 if port < LAST else FIRST


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As servers do: what is left of connections that ended holds nobody up.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError:
            return False
        return True
