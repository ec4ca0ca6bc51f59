"""Compatibility on the wire."""

from keisan.domain.compatibility import CompatibilityOutcome
from keisan.wire.base import WireInput, WireView
from keisan.wire.chip import ChipId
from keisan.wire.evidence import EvidenceView


class CompatibilityQuery(WireInput):
    """Of which chip; of all unless it is given."""

    chip_id: ChipId | None = None


class CompatibilityView(WireView):
    """Whether an engine serves a model on a chip; what its source leaves open is empty."""

    chip: str
    engine: str
    engine_version: str
    driver: str
    sdk: str
    model: str
    quantisation: str
    outcome: CompatibilityOutcome
    note: str
    evidence: EvidenceView
