"""Shares of rate limits on disk: what a gateway may use when it starts without its platform (R4).

They stay with the gateway through restarts, for as long as they were leased by the host's monotonic clock. After another
boot nobody knows how old they are, whatever the wall clock says, and they are none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keisan.kit.observe import write_warning
from keisan.kit.private_file import write_private_file
from keisan.wire.base import WireView
from keisan.wire.credit import CreditAnswer


@dataclass(frozen=True, slots=True)
class HostTime:
    """A reading of a host's monotonic clock, and of which boot it is."""

    boot_id: str
    monotonic_s: float


class KeptShares(WireView):
    """Shares in parts per million by limit, that of all other limits, and since when they are leased for `lease_s`."""

    default_share_ppm: int = 0
    shares_ppm: Mapping[str, int] = {}
    boot_id: str = ""
    renewed_at_s: float = 0.0
    lease_s: int = 0

    def is_leased(self, now: HostTime) -> bool:
        """Tell whether they may be in use still."""
        return now.boot_id == self.boot_id and now.monotonic_s < self.renewed_at_s + self.lease_s

    def count_left_s(self, now: HostTime) -> int:
        """Return for how many whole seconds they are leased still."""
        if not self.is_leased(now):
            return 0
        return int(min(self.lease_s, self.renewed_at_s + self.lease_s - now.monotonic_s))

    def is_same_as(self, other: "KeptShares") -> bool:
        """Tell whether the shares are the same, whenever they were leased."""
        return (self.default_share_ppm, self.shares_ppm) == (other.default_share_ppm, other.shares_ppm)


def build_shares(answer: CreditAnswer, asked_at: HostTime) -> KeptShares:
    """Return what an answer leases from when it was asked for; a share of nothing is none."""
    return KeptShares(
        default_share_ppm=answer.default_share_ppm,
        shares_ppm={line.limit_id: line.share_ppm for line in answer.rates if line.share_ppm},
        boot_id=asked_at.boot_id,
        renewed_at_s=asked_at.monotonic_s,
        lease_s=answer.lease_s,
    )


def write_shares(path: Path, shares: KeptShares) -> None:
    """Keep shares, whole and on disk when this returns; raises OSError."""
    write_private_file(path, shares.model_dump_json().encode())


def read_shares(path: Path) -> KeptShares:
    """Return the kept shares; none if there is no file, or it is damaged."""
    try:
        return KeptShares.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return KeptShares()
    except ValueError as fault:
        write_warning("shares.file_damaged", path=str(path), fault=str(fault)[:500])
        return KeptShares()
