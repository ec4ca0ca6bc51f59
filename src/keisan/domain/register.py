"""Registers: what platforms tell one another as state. One writer each, a version, the newest wins, deletion is a tombstone."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from keisan.domain.ids import LinkId, PlatformId
from keisan.domain.letter import Letter

BUCKETS = 256
# Keys whose bucket is remembered: it is asked for at each connection, of each register.
KEYS_MAX = 16_384


class RegisterKey(NamedTuple):
    """What makes a register one: its one writer, its kind, its name."""

    author: PlatformId
    kind: str
    name: str


class RegisterMark(NamedTuple):
    """How new a register is. Two contents of one version (a writer restored from an old disk) are put in order by their digests."""

    version: int
    digest: bytes

    def is_newer_than(self, other: "RegisterMark | None") -> bool:
        """Tell whether this one wins."""
        return other is None or self > other


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """One register in a list of what somebody has."""

    key: RegisterKey
    mark: RegisterMark


@dataclass(frozen=True, slots=True)
class RegisterSource:
    """How a platform's registers come here: by a link, or by none, since they are this platform's own."""

    link_id: LinkId | None


@dataclass(frozen=True, slots=True)
class RegisterPlace:
    """Where a register is: whom it is for, by which link it came (None: it is this platform's own), and when in the order of changes."""

    line: RegisterLine
    source: LinkId | None
    audience: PlatformId | None
    change: int


def mark_register(letter: Letter) -> RegisterMark:
    """Return how new a register is, by its version and what was signed."""
    return RegisterMark(letter.version, hashlib.sha256(letter.content).digest())


@lru_cache(KEYS_MAX)
def find_bucket(key: RegisterKey) -> int:
    """Return in which of 256 buckets registers of this key are compared."""
    return hashlib.sha256("\0".join(key).encode()).digest()[0]


def digest_line(line: RegisterLine) -> int:
    """Return a number of 64 bits for one register as it is; those of a bucket are joined by exclusive or, in any order."""
    content = "\0".join((*line.key, str(line.mark.version))).encode() + line.mark.digest
    return int.from_bytes(hashlib.sha256(content).digest()[:8])


def digest_buckets(lines: list[RegisterLine]) -> tuple[int, ...]:
    """Return the digests of all buckets of some registers."""
    found = [0] * BUCKETS
    for line in lines:
        found[find_bucket(line.key)] ^= digest_line(line)
    return tuple(found)
