"""The contract of a weight source: a reference such as `path:/srv/model.gguf` becomes a local file of a known digest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keisan.domain.errors import WeightsInvalid

# Bytes done and bytes in all. It is called at least every second of work, and may raise to abandon the fetch.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class WeightsRequest:
    """Which weights: `sha256` (64 hex digits) and `size_bytes` are those of the weight file itself.

    `directory` is private to the agent; what a source fetches, and what it remembers of a check, is kept there.
    """

    reference: str
    sha256: str
    size_bytes: int
    directory: Path


class WeightsSource(Protocol):
    """Brings weights to this host. Blocking: it belongs on a thread of its own."""

    @property
    def scheme(self) -> str:
        """What its references start with, before the colon."""
        ...

    def fetch(self, request: WeightsRequest, report: Progress) -> Path:
        """Return a local file with exactly the requested bytes; what is here already is not fetched again.

        Raises WeightsInvalid when the reference is malformed, the file cannot be had, or its digest is another; and
        whatever `report` raises. A fetch that ends so leaves nothing behind that a later one would take for whole.
        At most one fetch of a digest at a time.
        """
        ...


def split_reference(reference: str, scheme: str) -> str:
    """Return what follows `scheme:`; raises WeightsInvalid when the reference has another scheme or nothing after it."""
    found, _, rest = reference.partition(":")
    if found != scheme or not rest:
        raise WeightsInvalid(f"expected weights of the form '{scheme}:...', got '{reference}'")
    return rest
