"""Series of roll-ups: base units, equal to the sums, and none where nothing is known."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.roll_up import CountName, Level, RollUp
from keisan.domain.sample import MISSING, SampleName
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.telemetry.series import POWER, TOKENS, UTILIZATION, HardwareType
from keisan.telemetry.series_roll_up import (
    COVERAGE,
    DEVICES,
    HOTTEST,
    KNOWN,
    QUANTITIES,
    ROLL_UP_SERIES,
    describe_owner,
    list_rollup_columns,
)
from tests.telemetry.fleet import NOMINAL_GFLOPS, NOON, build_head, build_inventory, build_values, number_site

Power = st.lists(st.one_of(st.just(MISSING), st.integers(0, 2_000_000_000)), min_size=4, max_size=4)


def build_fleet(**columns: object) -> LiveFleet:
    """Return a fleet of two sites in two regions, of which the first has sent a frame."""
    fleet = LiveFleet(NOMINAL_GFLOPS)
    for number, region in ((1, "CN-SX"), (2, "CN-GD")):
        fleet.take_inventory(number_site(number, region), build_inventory([0, 0, 1, 1]))
    site = fleet.sites[number_site(1).site_id]
    site.take(build_head(0), np.arange(4, dtype=np.uint32), build_values(4, **columns), NOON)
    fleet.roll_up(NOON)
    return fleet


def read_values(rollup: RollUp) -> dict[tuple[str, str], float]:
    """Return a roll-up's values by name and what tells its series of one family apart."""
    return {
        (column.family.name, "".join(column.extra.values())): column.values[0]
        for column in list_rollup_columns([rollup])
    }


@given(power=Power, tokens=Power)
def test_values_are_the_sums_and_absent_without_any(power: list[int], tokens: list[int]) -> None:
    fleet = build_fleet(power_milliwatts=power, tokens_per_s=[min(each, 100_000_000) for each in tokens])
    region = read_rollups(fleet, RollUpQuery(Level.REGION, "CN-SX"))[0]
    found = read_values(region)
    told = [each for each in power if each != MISSING]
    assert found.get((POWER.name, "")) == (sum(told) / 1000 if told else None)
    told = [min(each, 100_000_000) for each in tokens if each != MISSING]
    assert found.get((TOKENS.name, "")) == (sum(told) if told else None)
    assert found[KNOWN.name, "tokens"] == len(told)


def test_site_that_was_never_heard_has_counts_and_verdict_only() -> None:
    found = read_values(read_rollups(build_fleet(), RollUpQuery(Level.REGION, "CN-GD"))[0])
    assert found[DEVICES.name, "unknown"] == 4
    assert found[COVERAGE.name, ""] == 0
    names = {name for name, _ in found}
    assert not names & {POWER.name, UTILIZATION.name, HOTTEST.name, "keisan.proven.timestamp", "hw.gpu.memory.usage"}


def test_every_count_and_sum_of_a_roll_up_has_its_series() -> None:
    """Whoever adds one to roll-ups is told to add it here."""
    asked: set[str] = set()

    class Noting(dict[Any, Any]):
        def __getitem__(self, name: Any) -> Any:
            asked.add(name)
            return super().__getitem__(name)

    region = read_rollups(build_fleet(), RollUpQuery(Level.REGION, "CN-SX"))[0]
    counts, sums = Noting({**region.counts, CountName.MEASURED_DEVICES: 1}), Noting(region.sums)
    noting = RollUp(**{name: getattr(region, name) for name in RollUp.__slots__} | {"counts": counts, "sums": sums})
    for series in ROLL_UP_SERIES:
        series.read(noting)
    assert set(region.counts) | set(region.sums) == asked
    assert set(QUANTITIES.values()) <= set(SampleName)
    assert CountName.OK in asked


def test_owner_names_itself_its_parent_and_its_place() -> None:
    fleet = build_fleet()
    place = number_site(1)
    names = {place.provider_id: "hikari"}
    owners = {
        level: describe_owner(read_rollups(fleet, RollUpQuery(level, "CN-SX"))[0], "above", names)
        for level in (Level.REGION, Level.PROVIDER, Level.SITE)
    }
    assert owners == {
        Level.REGION: {"hw.id": "CN-SX", "hw.type": "region", "hw.parent": "above", "region": "CN-SX"},
        Level.PROVIDER: {
            "hw.id": str(place.provider_id),
            "hw.type": "provider",
            "hw.parent": "above",
            "provider": "hikari",
        },
        Level.SITE: {
            "hw.id": str(place.site_id),
            "hw.type": "site",
            "hw.parent": "above",
            "region": "CN-SX",
            "provider": "hikari",
            "site": "site-1",
        },
    }
    site = read_rollups(fleet, RollUpQuery(Level.SITE, "CN-SX"))[0]
    assert describe_owner(site, "above", {})["provider"] == str(place.provider_id)
    assert set(HardwareType) >= {owner["hw.type"] for owner in owners.values()}
