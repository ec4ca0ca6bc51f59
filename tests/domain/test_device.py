"""When a device is suspect."""

import pytest

from keisan.domain.device import DeviceErrors, DeviceTerms, find_suspicion
from keisan.domain.verdict import Verdict


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
