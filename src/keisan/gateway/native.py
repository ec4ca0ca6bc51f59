"""The one import of the compiled data plane."""

import os

from keisan.gateway.door import Door
from keisan.gateway.relay import Relay

# What its allocator reads once, when it is loaded: with huge pages and its own second of patience before it gives memory
# back, a gateway's size swings by a third. Times are in milliseconds; whoever runs the process may say otherwise.
for _name, _value in (("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "50")):
    os.environ.setdefault(_name, _value)

from keisan._native import Door as NativeDoor  # noqa: E402 (after the allocator's settings)
from keisan._native import Relay as NativeRelay  # noqa: E402 (after the allocator's settings)


def open_relay(options: str) -> Relay:
    """Return a relay that holds its spool and listens to nobody yet.

    Raises ValueError naming every fault of `options`, RuntimeError if another process holds the spool or it is broken.
    """
    return NativeRelay(options)


def open_door(options: str) -> Door:
    """Return a door that listens to nobody yet; raises ValueError naming every fault of `options`."""
    return NativeDoor(options)
