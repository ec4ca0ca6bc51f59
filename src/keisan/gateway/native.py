"""The one import of the relay itself."""

from keisan._native import Relay as NativeRelay
from keisan.gateway.relay import Relay


def open_relay(options: str) -> Relay:
    """Return a relay that holds its spool and listens to nobody yet.

    Raises ValueError naming every fault of `options`, RuntimeError if another process holds the spool or it is broken.
    """
    return NativeRelay(options)
