"""One operator's control plane: national, regional or industry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keisan.domain.ids import PlatformId


class PlatformKind(StrEnum):
    """Place of a platform in the federation. An industry platform has no region; its sites have."""

    NATIONAL = "national"
    REGIONAL = "regional"
    INDUSTRY = "industry"


@dataclass(frozen=True, slots=True)
class Platform:
    """This platform. `public_key` is its first Ed25519 public key (32 raw bytes), of which the id is the hash.

    `four_eyes_nano` is, by currency, the largest amount that one admin alone puts into a wallet at a time.
    """

    id: PlatformId
    name: str
    kind: PlatformKind
    region: str | None
    public_key: bytes
    version: int
    created_at: datetime
    four_eyes_nano: Mapping[str, int] = field(default_factory=dict, hash=False)
