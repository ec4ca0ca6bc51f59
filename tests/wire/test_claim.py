"""A claim as the API shows it."""

from keisan.wire.claim import CLAIM_CSV, build_claim_view
from tests.domain.samples import build_claim


def test_view_has_the_claim_and_what_is_claimed() -> None:
    claim = build_claim()
    view = build_claim_view(claim)
    assert (view.id, view.chip, view.device_count, view.gflops) == (claim.id, claim.chip, 8, claim.claimed.gflops)


def test_columns_of_a_table() -> None:
    names = [column.name for column in CLAIM_CSV.columns]
    assert names[:4] == ["site", "chip", "device_count", "standard_racks"]
    assert names[-1] == "pflops_int8"
