"""Roll-ups equal a slow exact recomputation, on random trees, with random faults, at every level and every second."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.domain.frame import FrameOutcome
from keisan.domain.roll_up import CountName, Level
from keisan.domain.sample import FIELD_INDEX, MISSING, SAMPLE_FIELDS, SampleName
from keisan.telemetry.live import LiveFleet
from keisan.telemetry.live_site import Moment
from keisan.telemetry.reading import RollUpQuery, read_rollups
from keisan.telemetry.roll_up import EMPTY, join_sums
from tests.telemetry.fleet import (
    NOMINAL_GFLOPS,
    NOON,
    PERIOD_MS,
    build_head,
    build_inventory,
    later,
    number_site,
)
from tests.telemetry.site_model import SiteModel, read_group

# On both sides of three periods and of eighteen.
WAITS_MS = (0, 1, *(count * PERIOD_MS + more for count in (3, 9, 17, 18) for more in (0, 1)))


@st.composite
def draw_fleet(draw: st.DrawFn) -> LiveFleet:
    """Draw sites in regions; devices stand on nodes in any order, nodes in supernodes or in none."""
    fleet = LiveFleet(NOMINAL_GFLOPS)
    for number in range(draw(st.integers(1, 4))):
        count = draw(st.integers(1, 30))
        nodes = draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
        supernodes = draw(st.lists(st.integers(-1, 2), min_size=7, max_size=7))
        retired = draw(st.lists(st.booleans(), min_size=count, max_size=count))
        region = draw(st.sampled_from(("CN-SX", "CN-SH", "CN-XJ")))
        place = number_site(number, region, draw(st.integers(1, 2)))
        fleet.take_inventory(place, build_inventory(nodes, supernodes, retired=retired))
    return fleet


def draw_values(source: np.random.Generator, count: int) -> np.ndarray:
    """Return values anywhere within the bounds of their fields, at both ends often, many missing."""
    rows = []
    for field in SAMPLE_FIELDS:
        row = source.integers(field.least, field.most + 1, count, dtype=np.int64)
        row[source.random(count) < 0.2] = field.most
        row[source.random(count) < 0.2] = MISSING
        rows.append(row)
    values = np.array(rows, np.int64).astype(np.int32)
    # Older than three periods now and then, so that a fresh frame holds stale devices.
    values[FIELD_INDEX[SampleName.AGE_MS]] = source.integers(0, 4 * PERIOD_MS, count)
    values[FIELD_INDEX[SampleName.MEMORY_USED_MIB]] = source.integers(0, 1000, count)
    # Devices that were not read, of which some are known to have failed all the same.
    unread = source.random(count) < 0.3
    values[FIELD_INDEX[SampleName.HEALTH] + 1 :, unread] = MISSING
    # Dear fields come now and then.
    if source.random() < 0.7:
        values[[field.is_dear for field in SAMPLE_FIELDS]] = MISSING
    return values


def send_random_frame(model: SiteModel, sequence: int, source: np.random.Generator, now: Moment) -> None:
    """Let a random part of a site's devices report, now or a while ago by the site's clock."""
    site = model.site
    count = site.columns.inventory.device_count
    numbers = np.flatnonzero(source.random(count) < source.random()).astype(np.uint32)
    head = build_head(sequence, now.wall_ms - int(source.integers(-5_000, 2 * PERIOD_MS)))
    assert site.find_refusal(head, numbers, now) is None
    values = draw_values(source, len(numbers))
    model.take(head, numbers, values, now)
    assert site.take(head, numbers, values, now) is FrameOutcome.LIVE


def check_levels(models: list[SiteModel], now: Moment) -> None:
    for model in models:
        site, inventory = model.site, model.site.columns.inventory

        def is_in(column: np.ndarray, group: int) -> Callable[[int], bool]:
            return lambda number: int(column[number]) == group

        for group in range(len(inventory.head.nodes)):
            expected = model.recount(now.monotonic_ms, is_in(inventory.node, group))
            assert read_group(site.nodes, group) == expected
        for group in range(len(inventory.head.supernodes)):
            expected = model.recount(now.monotonic_ms, is_in(inventory.supernode, group))
            assert read_group(site.supernodes, group) == expected
        assert read_group(site.whole, 0) == model.recount(now.monotonic_ms, lambda _: True)


def check_tree(fleet: LiveFleet) -> None:
    """Sums of regions, of providers and of all are those of their sites, and hottest and newest the most of them."""
    sites = read_rollups(fleet, RollUpQuery(Level.SITE))
    for level in (Level.REGION, Level.PROVIDER, Level.PLATFORM):
        for group in read_rollups(fleet, RollUpQuery(level)):
            own = [
                site for site in sites if level is Level.PLATFORM or group.name in (site.region, str(site.provider_id))
            ]
            for name in CountName:
                assert group.counts[name] == sum(site.counts[name] for site in own)
            for field, found in group.sums.items():
                assert found.total == sum(site.sums[field].total for site in own)
                assert found.devices == sum(site.sums[field].devices for site in own)
            heats = [site.temperature_most_millicelsius for site in own]
            assert group.temperature_most_millicelsius == max(
                (heat for heat in heats if heat is not None), default=None
            )
            assert group.proven_at == max((site.proven_at for site in own if site.proven_at), default=None)
            assert group.sampled_at == max((site.sampled_at for site in own if site.sampled_at), default=None)


@settings(max_examples=60)
@given(draw_fleet(), st.integers(0, 2**32 - 1), st.lists(st.sampled_from(WAITS_MS), min_size=2, max_size=8))
def test_every_level_equals_the_recount(fleet: LiveFleet, seed: int, waits_ms: list[int]) -> None:
    source, now = np.random.default_rng(seed), NOON
    models = [SiteModel(site) for site in fleet.sites.values()]
    for sequence, wait_ms in enumerate(waits_ms):
        for model in models:
            site = model.site
            site.columns.is_cordoned[:] = source.random(site.columns.inventory.device_count) < 0.2
            # A cordon comes with a change of its own.
            site.is_changed = True
            if source.random() < 0.7:
                send_random_frame(model, sequence, source, now)
        fleet.roll_up(now)
        check_levels(models, now)
        check_tree(fleet)
        # Silence alone changes verdicts, and the sums follow though nothing came.
        now = later(now, wait_ms)
        fleet.roll_up(now)
        check_levels(models, now)


def test_no_sites_are_no_groups() -> None:
    fleet = LiveFleet({})
    fleet.roll_up(NOON)
    assert join_sums([]) is EMPTY
    assert list(read_rollups(fleet, RollUpQuery(Level.REGION))) == []
