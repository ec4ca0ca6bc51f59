"""Evidence on the wire."""

from datetime import date

from keisan.domain.evidence import Grade
from keisan.wire.base import WireView


class EvidenceView(WireView):
    """Where a value is from, how good that is (M measured here, A vendor sheet, B tested, C press, D hearsay), when it was read."""

    source: str
    grade: Grade
    date: date
