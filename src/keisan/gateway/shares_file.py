"""Shares of rate limits on disk: what a gateway may use when it starts without its platform (R4).

They stay with the gateway through restarts, for as long as they were leased.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from keisan.kit.clock import to_milliseconds
from keisan.kit.observe import write_warning
from keisan.kit.private_file import write_private_file
from keisan.wire.base import WireView
from keisan.wire.credit import CreditAnswer


class KeptShares(WireView):
    """Shares in parts per million by limit, that of all other limits, and until when they are leased."""

    default_share_ppm: int = 0
    shares_ppm: Mapping[str, int] = {}
    renewed_at_ms: int = 0
    lease_s: int = 0

    def count_left_s(self, now: datetime) -> int:
        """Return for how many seconds they are leased still; a clock that went back gives no more than the lease."""
        age_s = max(0, to_milliseconds(now) - self.renewed_at_ms) // 1000
        return max(0, self.lease_s - age_s)

    def is_same_as(self, other: "KeptShares") -> bool:
        """Tell whether the shares are the same, whenever they were leased."""
        return (self.default_share_ppm, self.shares_ppm) == (other.default_share_ppm, other.shares_ppm)


def build_shares(answer: CreditAnswer, now: datetime) -> KeptShares:
    """Return what an answer leases; a share of nothing is none."""
    return KeptShares(
        default_share_ppm=answer.default_share_ppm,
        shares_ppm={line.limit_id: line.share_ppm for line in answer.rates if line.share_ppm},
        renewed_at_ms=to_milliseconds(now),
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
