"""Claims on the wire: what a site's owner says there is of a chip."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.claim import Claim
from keisan.domain.figure import Precision
from keisan.wire.base import Count, Name, WireInput, WireView
from keisan.wire.csv_file import CsvColumn, CsvShape, list_gflops_columns, list_plain

Gflops = Annotated[dict[Precision, Count], Field(max_length=len(Precision))]


class ClaimWrite(WireInput):
    """Sums over all devices of a chip at a site; what is left out is not claimed. `chip` is an id of the catalogue."""

    chip: Name
    device_count: Count
    standard_racks: Count | None = None
    memory_bytes: Count | None = None
    bandwidth_bytes_per_s: Count | None = None
    gflops: Gflops = {}


class ClaimLine(ClaimWrite):
    """The same as a line of many: `site` is an id, or a name where only one site has it."""

    site: Name


class ClaimView(WireView):
    """A claim as the API shows it."""

    id: UUID
    platform_id: str
    site_id: UUID
    chip: str
    device_count: int
    standard_racks: int | None
    memory_bytes: int | None
    bandwidth_bytes_per_s: int | None
    gflops: dict[Precision, int]
    claimed_by: UUID
    claimed_at: datetime
    version: int
    created_at: datetime


CLAIM_CSV = CsvShape(
    ClaimLine, (CsvColumn("site", ("site",)), *list_plain(ClaimWrite, {"gflops": list_gflops_columns()}))
)


def build_claim_view(claim: Claim) -> ClaimView:
    """Return a claim as the API shows it."""
    own = {name: getattr(claim, name) for name in ClaimView.model_fields if hasattr(claim, name)}
    claimed = {name: getattr(claim.claimed, name) for name in ClaimView.model_fields if hasattr(claim.claimed, name)}
    return ClaimView(**own, **claimed)
