"""The one import of the compiled data plane."""

from keisan._native import Door as NativeDoor
from keisan._native import Relay as NativeRelay
from keisan.gateway.door import Door
from keisan.gateway.relay import Relay


def open_relay(options: str) -> Relay:
    """Return a relay that holds its spool and listens to nobody yet.

    Raises ValueError naming every fault of `options`, RuntimeError if another process holds the spool or it is broken.
    """
    return NativeRelay(options)


def open_door(options: str) -> Door:
    """Return a door that listens to nobody yet; raises ValueError naming every fault of `options`."""
    return NativeDoor(options)
