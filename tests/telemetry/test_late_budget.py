"""Late samples: never more than the rate over any stretch, and each site that asks has its share, however large its frames."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.domain.ids import SiteId
from keisan.domain.limits import LATE_ASKED_S, LATE_SAVED_S
from keisan.telemetry.late_budget import LateBudget

RATE = 10_000
LARGEST = 65_536
SITES = [SiteId(UUID(int=number)) for number in range(4)]


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(SITES), st.integers(256, LARGEST)), max_size=80))
def test_the_rate_is_kept(asked: list[tuple[float, SiteId, int]]) -> None:
    budget, now_s, taken = LateBudget(RATE), 0.0, 0
    for wait_s, site_id, samples in asked:
        now_s += wait_s
        taken += 0 if budget.take(site_id, samples, now_s) else samples
        assert taken <= RATE * (now_s + LATE_SAVED_S) + len(SITES) * LARGEST + 1e-6


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from((256, 1000, 8000, LARGEST)), min_size=2, max_size=4), st.integers(0, 3))
def test_sites_share_the_rate_alike_whatever_they_send_and_however_often(sizes: list[int], eager: int) -> None:
    """One asks without end, the others each second."""
    budget, taken, over_s = LateBudget(RATE), Counter[int](), 300
    for second in range(over_s):
        for part in range(4):
            for site, samples in enumerate(sizes):
                for _ in range(10 if site == eager else int(part == site)):
                    if not budget.take(SITES[site], samples, second + part / 4):
                        taken[site] += samples
    share = RATE * over_s / len(sizes)
    for site, samples in enumerate(sizes):
        # Who asks each second can take one frame each second.
        most = share if site == eager else min(share, samples * over_s)
        assert most - LARGEST <= taken[site] <= share + RATE * LATE_SAVED_S + LARGEST


def test_who_has_stopped_asking_has_no_share_and_forgets_no_debt() -> None:
    budget = LateBudget(RATE)
    for site_id in SITES[1:]:
        assert budget.take(site_id, 256, 0.0) == 0
    assert budget.take(SITES[0], LARGEST, 0.0) == 0
    assert budget.take(SITES[0], 256, 1.0) == pytest.approx(LARGEST / (RATE / 4), abs=2)
    # Alone it pays its debt at the whole rate.
    budget.take(SITES[0], 256, LATE_ASKED_S + 1.0)
    budget.take(SITES[0], 4 * LARGEST, LATE_ASKED_S + 20.0)
    assert budget.take(SITES[0], 256, LATE_ASKED_S + 21.0) == pytest.approx(4 * LARGEST / RATE, rel=0.5)
    # A day later nothing is owed.
    assert budget.take(SITES[1], 256, 86_400.0) == 0
    assert len(budget._shares) == 1


def test_a_large_debt_outlasts_silence() -> None:
    budget = LateBudget(1000)
    assert budget.take(SITES[0], LARGEST, 0.0) == 0
    assert budget.take(SITES[1], 256, LATE_ASKED_S + 0.5) == 0
    assert budget.take(SITES[0], 256, LATE_ASKED_S + 0.5) > 0
