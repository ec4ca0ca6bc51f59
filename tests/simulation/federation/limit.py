"""Narrow links: with windows and batches of some kilobytes, a few letters are already more than a link takes at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from keisan.federation import link, link_turn, log_sending, log_taking, register_taking
from tests.simulation.federation.kernel import Kernel

NARROW_CHANCE = 0.6
WINDOW_BYTES = (2_000, 10_000)
BATCH_BYTES = (600, 1_600)
LETTER_BYTES_MAX = 1_000
MODULES = (link, link_turn, log_sending, log_taking, register_taking)


@contextmanager
def narrow_links(kernel: Kernel) -> Iterator[int]:
    """Let links be narrow in most schedules; yields how many bytes of state may pass a log that waits, at most."""
    chance = kernel.random
    limits = {"LINK_WINDOW_BYTES": chance.randint(*WINDOW_BYTES), "LINK_BATCH_BYTES": chance.randint(*BATCH_BYTES)}
    if chance.random() >= NARROW_CHANCE:
        limits = {}
    before = [(module, name, vars(module)[name]) for module in MODULES for name in limits if name in vars(module)]
    for module, name, _ in before:
        vars(module)[name] = limits[name]
    try:
        yield limits["LINK_WINDOW_BYTES"] + 8 * (limits["LINK_BATCH_BYTES"] + LETTER_BYTES_MAX) if limits else 10**9
    finally:
        for module, name, value in before:
            vars(module)[name] = value
