"""The file of a unix socket: it stays when its engine ends, and no engine can bind over it."""

import socket
from pathlib import Path

from keisan.domain.errors import LaunchFailed

CONNECT_TIMEOUT_S = 1.0


def clear_stale_socket(path: Path) -> None:
    """Remove the socket that a dead engine left at `path`, if there is one. Blocking, up to a second.

    Raises LaunchFailed when somebody listens on it, or when it is no socket: neither is ours to remove.
    """
    if not path.exists():
        return
    if not path.is_socket():
        raise LaunchFailed(f"{path} is in the way and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(CONNECT_TIMEOUT_S)
        try:
            attempt.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except (TimeoutError, BlockingIOError):
            # A full backlog: somebody is there, and busy.
            pass
        except OSError as failure:
            raise LaunchFailed(f"{path} cannot be tried: {failure}") from failure
    raise LaunchFailed(f"another process listens on {path}")
