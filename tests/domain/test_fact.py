"""Facts: which names there are, and which values a policy could name."""

import pytest

from keisan.domain.fact import CHIP_FACTS, PLACES, SEVERAL_VALUED, FactName, is_fact_value


def test_catalogue_and_platform_know_different_facts() -> None:
    places = {FactName.REGION, FactName.SITE, FactName.PROVIDER, FactName.PLATFORM}
    own = places | {FactName.CHIP, FactName.ATTESTATION_AGE_S}
    assert set(FactName) == own | set(CHIP_FACTS)
    assert own.isdisjoint(CHIP_FACTS)
    assert set(FactName) >= PLACES
    assert set(CHIP_FACTS) > SEVERAL_VALUED


@pytest.mark.parametrize("text", ["NVIDIA", "CN-SX", "a.b_c:d/e-f", "0"])
def test_value_that_can_be_named(text: str) -> None:
    assert is_fact_value(text)


@pytest.mark.parametrize("text", ["", "a b", "a,b", "a;b", "a@b", "é", "a\n", "計算"])
def test_value_that_cannot_be_named(text: str) -> None:
    assert not is_fact_value(text)
