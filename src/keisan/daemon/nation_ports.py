"""Addresses of a nation's platforms: free ones, chosen once and kept, since provinces find the national platform by its own."""

import json
import socket
from contextlib import ExitStack
from pathlib import Path

from keisan.kit.private_file import write_private_file

HOST = "127.0.0.1"
# The last two are where a province dials that may be cut off.
NAMES = ("platform", "gateway", "link", "federation", "cable_link", "cable_federation")


def ensure_ports(path: Path) -> dict[str, int]:
    """Return a port for each of NAMES, kept at `path`; raises OSError. One that somebody else has by now is chosen anew."""
    kept = _read(path)
    with ExitStack() as held:
        # All are held until all are chosen, or two could be the same.
        ports = {name: _take(kept.get(name, 0), held) for name in NAMES}
    if ports != kept:
        write_private_file(path, json.dumps(ports).encode())
    return ports


def _take(port: int, held: ExitStack) -> int:
    for wanted in (port, 0):
        listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
            # Without, two that reuse addresses could both have it.
            listener.listen(1)
        except OSError:
            continue
        taken: int = listener.getsockname()[1]
        return taken
    raise OSError(f"there is no free port on {HOST}")


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): port for name, port in found.items() if isinstance(port, int)} if isinstance(found, dict) else {}
