"""An inventory only grows, or is another incarnation."""

import pytest

from keisan.domain.errors import StateConflict
from keisan.telemetry.rule_inventory import check_growth
from tests.telemetry.fleet import build_inventory

KNOWN = build_inventory([0, 0, 1], version=2)


def test_another_incarnation_and_one_that_has_grown_are_taken() -> None:
    check_growth(KNOWN, KNOWN)
    check_growth(KNOWN, build_inventory([0, 0, 1, 1], version=3))
    check_growth(KNOWN, build_inventory([0], incarnation="second"))


@pytest.mark.parametrize("told", [build_inventory([0, 0, 1], version=1), build_inventory([0, 0], version=3)])
def test_what_takes_back_what_was_told_is_refused(told: object) -> None:
    with pytest.raises(StateConflict, match="keeps their numbers"):
        check_growth(KNOWN, told)  # type: ignore[arg-type]  # the parameter's type is the table's
