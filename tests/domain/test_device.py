"""When a device is suspect, when it may be retired, and when a report contradicts that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.device import (
    DeviceErrors,
    DeviceTerms,
    DeviceUse,
    explain_use_refusal,
    find_suspicion,
    is_contradicted,
)
from keisan.domain.verdict import Verdict
from tests.domain.samples import build_device


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.UNKNOWN])
@pytest.mark.parametrize("count", [None, 0, 2])
def test_a_device_that_may_be_well_is_not_suspect(verdict: Verdict, count: int | None) -> None:
    assert find_suspicion(DeviceTerms(uncorrected_max=2, link_errors_max=2), verdict, DeviceErrors(count, count)) == ""


def test_one_that_has_failed_is_suspect() -> None:
    assert find_suspicion(DeviceTerms(), Verdict.FAILED, DeviceErrors()) == "it has failed, as its tool says"


def test_one_with_more_errors_than_the_terms_allow_is_suspect() -> None:
    reason = find_suspicion(DeviceTerms(uncorrected_max=2), Verdict.OK, DeviceErrors(3, None))
    assert reason == "it counted 3 errors that could not be corrected, more than 2"
    reason = find_suspicion(DeviceTerms(link_errors_max=2), Verdict.OK, DeviceErrors(None, 3))
    assert reason == "its links counted 3 errors, more than 2"


VERDICTS, USES = st.sampled_from(Verdict), st.sampled_from(DeviceUse)


@given(verdict=VERDICTS, before=USES, after=USES, replica_count=st.integers(min_value=0, max_value=2))
def test_only_what_failed_or_is_closed_and_clear_is_retired_and_it_comes_back_cordoned(
    verdict: Verdict, before: DeviceUse, after: DeviceUse, replica_count: int
) -> None:
    is_allowed = explain_use_refusal(build_device(verdict=verdict, use=before), after, replica_count) == ""
    if before is DeviceUse.RETIRED:
        assert is_allowed is (after in {DeviceUse.RETIRED, DeviceUse.CORDONED})
    elif after is DeviceUse.RETIRED:
        assert is_allowed is (verdict is Verdict.FAILED or (before is not DeviceUse.OPEN and replica_count == 0))
    else:
        assert is_allowed


@given(before=VERDICTS, after=VERDICTS, use=USES)
def test_only_a_retired_device_that_is_well_anew_contradicts(before: Verdict, after: Verdict, use: DeviceUse) -> None:
    found = is_contradicted(build_device(verdict=before, use=use), build_device(verdict=after, use=use))
    assert found is (use is DeviceUse.RETIRED and after is Verdict.OK and before is not Verdict.OK)
