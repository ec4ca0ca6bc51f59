"""Makers on the wire."""

from datetime import date

from keisan.domain.maker import MakerPart
from keisan.wire.base import WireView
from keisan.wire.evidence import EvidenceView


class MakerFactView(WireView):
    """Something that happened, or was said, on a day."""

    text: str
    happened_on: date
    evidence: EvidenceView


class MakerView(WireView):
    """A maker with its facts, oldest first; `local_name` is empty for one that has no other name."""

    id: str
    name: str
    local_name: str
    country: str
    parts: tuple[MakerPart, ...]
    evidence: EvidenceView
    facts: tuple[MakerFactView, ...]
