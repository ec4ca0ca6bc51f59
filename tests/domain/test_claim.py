"""Claims: the newest stands, and registered capacity has the facts that the catalogue knows of the chip."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.capacity import CapacityRow
from keisan.domain.challenge import Workload
from keisan.domain.chip import Chip, ChipFact
from keisan.domain.claim import ClaimedCapacity, find_claimed_per_s, list_registered, merge_claim
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.facility import RecordOutcome
from keisan.domain.fact import FactName
from keisan.domain.figure import FigureName, FigureValue, Precision
from keisan.domain.ids import ClaimId
from keisan.domain.provider import Provider
from tests.domain.samples import NOW, PLATFORM_ID, PROVIDER_ID, build_claim, build_site, name_id

EVIDENCE = Evidence("a sheet", Grade.VENDOR, NOW.date())
H20 = Chip(
    "nvidia-h20",
    "NVIDIA H20",
    "gpu",
    "Hopper",
    EVIDENCE,
    {
        FactName.VENDOR: ChipFact(("NVIDIA",), EVIDENCE),
        FactName.DESIGNED_IN: ChipFact(("US",), EVIDENCE),
        FactName.SOFTWARE_STACK: ChipFact(("CUDA", "other"), EVIDENCE),
    },
)
CHIPS = {H20.id: H20}


def test_newest_claim_stands() -> None:
    stored = build_claim(version=2)
    new = build_claim(id=ClaimId(name_id(60)), claimed=ClaimedCapacity(9), claimed_at=NOW + timedelta(hours=1))
    assert merge_claim(None, new) == (new, RecordOutcome.CREATED)
    assert merge_claim(stored, replace(new, claimed=stored.claimed)) == (stored, RecordOutcome.UNCHANGED)
    kept, outcome = merge_claim(stored, new)
    assert outcome is RecordOutcome.CHANGED
    assert (kept.id, kept.version, kept.claimed.device_count) == (stored.id, 3, 9)
    assert kept.claimed_at == new.claimed_at


def test_claims_are_registered_rows() -> None:
    site, provider = build_site(), Provider(PROVIDER_ID, PLATFORM_ID, "hikari", 1, NOW)
    odd = build_claim(chip="who-knows", claimed=ClaimedCapacity(3))
    rows = list_registered([build_claim(), odd], {site.id: site}, {provider.id: provider}, CHIPS)
    assert rows[0] == CapacityRow(
        site.region,
        "hikari",
        "NVIDIA",
        "nvidia-h20",
        "US",
        8,
        4,
        768_000_000_000,
        32_000_000_000_000,
        {Precision.FP16: 1_184_000},
        site_id=site.id,
    )
    assert rows[1] == CapacityRow(site.region, "hikari", None, "who-knows", None, 3, site_id=site.id)


def test_a_device_is_held_to_its_owner_s_word_and_else_to_the_catalogue_s() -> None:
    figures = {
        FigureName.FP16_GFLOPS: (FigureValue(148_000, 148_000, EVIDENCE),),
        FigureName.MEMORY_GB_PER_S: (FigureValue(4000, 4000, EVIDENCE),),
    }
    chip = replace(H20, figures=figures)
    own = build_claim(claimed=ClaimedCapacity(8, None, None, 8 * 10**12, {Precision.FP32: 80}))
    for workload, by_both, by_chip, by_owner in (
        (Workload.FP16, 148 * 10**12, 148 * 10**12, None),
        (Workload.BF16, 148 * 10**12, 148 * 10**12, None),
        (Workload.FP32, 10 * 10**9, None, 10 * 10**9),
        (Workload.MEMORY, 10**12, 4 * 10**12, 10**12),
        (Workload.INT8, None, None, None),
    ):
        assert find_claimed_per_s(own, chip, workload) == by_both
        assert find_claimed_per_s(None, chip, workload) == by_chip
        assert find_claimed_per_s(own, None, workload) == by_owner
    nothing = build_claim(claimed=ClaimedCapacity(0, gflops={Precision.FP32: 80}))
    assert find_claimed_per_s(nothing, None, Workload.FP32) is None
    assert find_claimed_per_s(None, None, Workload.MEMORY) is None
