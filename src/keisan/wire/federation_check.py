"""What was found of what must hold between platforms, as the API shows it."""

from datetime import datetime

from keisan.domain.federation_check import CheckState, Invariant
from keisan.wire.base import WireView


class FindingView(WireView):
    """One invariant, of one neighbour (its name) or of the platform itself (empty): what was found, by numbers, and how."""

    invariant: Invariant
    neighbour: str
    state: CheckState
    numbers: dict[str, int]
    text: str
    how: str


class FederationCheckView(WireView):
    """All that was checked. `is_held` says that every invariant was looked at and holds: what is unknown does not."""

    platform_id: str
    checked_at: datetime
    is_held: bool
    findings: tuple[FindingView, ...]
