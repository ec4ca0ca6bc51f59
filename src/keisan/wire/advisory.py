"""Advisories on the wire."""

from datetime import date

from keisan.domain.advisory import Severity
from keisan.wire.base import WireView
from keisan.wire.evidence import EvidenceView


class AdvisoryView(WireView):
    """An advisory with the chips that it is about."""

    id: str
    title: str
    issuer: str
    severity: Severity
    issued_on: date
    summary: str
    evidence: EvidenceView
    chips: tuple[str, ...]
