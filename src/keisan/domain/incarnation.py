"""An incarnation: one life of a gateway's process, from its start to its end. Its tickets end with it (R1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from keisan.domain.ids import MachineId, PlatformId


@dataclass(frozen=True, slots=True)
class Incarnation:
    """The newest incarnation of a gateway that has spoken, and its last word.

    Those of one gateway are UUIDv7 that rise, and `sequence` rises with each report of one: a report that was overtaken
    is known by them. `default_share_ppm` is the most that the gateway can be using of a limit that has no Share.
    """

    gateway_id: MachineId
    platform_id: PlatformId
    incarnation: UUID
    sequence: int
    default_share_ppm: int
    heard_at: datetime

    def is_heard_within(self, silence_s: float, now: datetime) -> bool:
        """Tell whether the gateway spoke no longer ago than that."""
        return now - self.heard_at <= timedelta(seconds=silence_s)

    def is_overtaken_by(self, incarnation: UUID, sequence: int) -> bool:
        """Tell whether a report is newer than the last word."""
        return (self.incarnation, self.sequence) < (incarnation, sequence)
