"""A share: the part of a rate limit that one gateway may use, in parts per million, leased like a ticket (R4).

The shares of one limit never sum to more than the whole, so all gateways together admit no more than the limit.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import MachineId, PlatformId

SHARE_WHOLE_PPM = 1_000_000


class LimitOwner(StrEnum):
    """Whose limit it is."""

    ORGANIZATION = "organization"
    PROJECT = "project"
    KEY = "key"


class LimitKind(StrEnum):
    """What is limited: requests or tokens per minute, or calls that are open at once."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CALLS = "calls"


LIMIT_ID_PATTERN = (
    rf"^({'|'.join(LimitOwner)}):([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}):({'|'.join(LimitKind)})$"
)
_LIMIT_ID = re.compile(LIMIT_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class LimitName:
    """Which limit. Its id is "<owner>:<id>:<kind>"."""

    owner: LimitOwner
    owner_id: UUID
    kind: LimitKind

    @property
    def id(self) -> str:
        """Return the limit's id."""
        return f"{self.owner}:{self.owner_id}:{self.kind}"


@dataclass(frozen=True, slots=True)
class Share:
    """`share_ppm` is the most that the gateway can be using: it falls only when the gateway says that it uses less.

    `demand_per_minute` is what the gateway was last asked for, refused calls included.
    """

    limit_id: str
    gateway_id: MachineId
    platform_id: PlatformId
    share_ppm: int
    demand_per_minute: int


def parse_limit_id(text: str) -> LimitName:
    """Return the limit that an id names; raises InvalidInput for any other text."""
    match = _LIMIT_ID.fullmatch(text)
    if match is None:
        raise InvalidInput("expected '<organization | project | key>:<id>:<requests | tokens | calls>'", "limit_id")
    return LimitName(LimitOwner(match[1]), UUID(match[2]), LimitKind(match[3]))
