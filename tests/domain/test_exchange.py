"""How far exchanges are, by what is known: each thing that is missing is said, and nothing missing is done."""

from dataclasses import replace
from typing import Any

import pytest

from keisan.domain.exchange import Exchange, ExchangeFacts, ExchangeState, judge_exchanges

WHOLE = ExchangeFacts(
    is_introduced=True,
    is_heard=True,
    organization_count=1,
    provider_count=1,
    site_count=2,
    sites_told=2,
    regions_told=1,
    model_count=1,
    engine_count=1,
    scenario_count=1,
)


def test_nothing_is_known_at_first_and_all_of_it_is_missing() -> None:
    found = judge_exchanges(ExchangeFacts())
    assert [each.exchange for each in found] == list(Exchange)
    assert {each.state for each in found} == {ExchangeState.NOT_YET}
    assert all(each.missing for each in found)


def test_what_is_whole_is_done() -> None:
    assert {(each.state, each.missing) for each in judge_exchanges(WHOLE)} == {(ExchangeState.DONE, ())}


@pytest.mark.parametrize(
    ("change", "exchange", "missing"),
    [
        ({"is_introduced": False}, Exchange.PLATFORM, "it has not said who it is"),
        ({"is_heard": False}, Exchange.PLATFORM, "it is not heard"),
        ({"organization_count": 0}, Exchange.SUBJECTS, "no organization"),
        ({"provider_count": 0}, Exchange.SUBJECTS, "no provider"),
        ({"sites_told": 0, "site_count": 0}, Exchange.RESOURCES, "no site"),
        ({"regions_told": 0}, Exchange.RESOURCES, "no region live"),
        ({"sites_told": 1}, Exchange.RESOURCES, "sites without an inventory"),
        ({"sites_partly": 1}, Exchange.RESOURCES, "digests of devices are on their way"),
        ({"regions_refused": 1}, Exchange.RESOURCES, "it speaks of a region that is not its own"),
        ({"registers_unread": 1}, Exchange.RESOURCES, "some of what it told cannot be read"),
        ({"model_count": 0}, Exchange.ECOSYSTEM, "no model offered"),
        ({"engine_count": 0}, Exchange.ECOSYSTEM, "no engine"),
    ],
)
def test_each_thing_missing_is_said(change: dict[str, Any], exchange: Exchange, missing: str) -> None:
    found = {each.exchange: each for each in judge_exchanges(replace(WHOLE, **change))}
    assert (found[exchange].state, found[exchange].missing) == (ExchangeState.PARTLY, (missing,))
    assert {each.state for name, each in found.items() if name is not exchange} == {ExchangeState.DONE}


def test_without_a_scenario_it_has_not_begun() -> None:
    found = judge_exchanges(replace(WHOLE, scenario_count=0))[-1]
    assert (found.state, found.missing) == (ExchangeState.NOT_YET, ("nothing is deployed",))
