"""`keisan demo nation --check` on two provinces: what agrees is told, and each sabotage is found by the check that is for it.

Most of their time these nations wait for a site that is silent, so that one runs beside other tests.
"""

import pytest

from tests.e2e.checked_nation import build_environment, list_not_held, run_check

pytestmark = [pytest.mark.e2e, pytest.mark.waits, pytest.mark.timeout(600)]
FOUND_BY = {
    "usage": {"engine's own count"},
    "route": {"engine's own count", "served where the record says"},
    "ledger": {"books balance", "books derived again"},
    "signature": {"receipt", "books derived again"},
    "unknown-as-zero": {"unknown is not nought"},
}


def test_all_agrees() -> None:
    code, told = run_check(build_environment())
    assert list_not_held(told) == {}, told
    assert len(told["checks"]) == 11
    assert (code, told["held"], told["sabotage"]) == (0, True, None)


@pytest.mark.parametrize("sabotage", FOUND_BY)
def test_sabotage_is_found_out(sabotage: str) -> None:
    code, told = run_check(build_environment(), "--sabotage", sabotage)
    assert list_not_held(told).keys() == FOUND_BY[sabotage], list_not_held(told)
    assert (code, told["held"], told["sabotage"]) == (1, False, sabotage)
