"""Which devices count more errors than they were noted with, by a recount device by device."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.device import DeviceErrors, DeviceTerms
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.telemetry.device_error import NotedErrors, read_errors
from keisan.telemetry.site_columns import SiteColumns
from tests.telemetry.fleet import build_inventory, build_values

COUNT = 4
TERMS = DeviceTerms(uncorrected_max=1, link_errors_max=10)
COUNTS = st.lists(st.sampled_from([MISSING, 0, 1, 2, 3, 11, 12]), min_size=COUNT, max_size=COUNT)
NUMBERS = np.arange(COUNT, dtype=np.uint32)


def begin(incarnation: str = "first", count: int = COUNT) -> SiteColumns:
    inventory = build_inventory([0] * count, retired=[False] * (count - 1) + [True], incarnation=incarnation)
    return SiteColumns.begin(inventory, np.full((2, count), -1, np.int64))


def take(columns: SiteColumns, uncorrected: list[int], links: list[int]) -> None:
    values = build_values(COUNT, ecc_uncorrected_count=uncorrected, link_error_count=links)
    columns.take(NUMBERS, values, 0, 10_000)


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=6))
def test_what_grew_past_its_limit_is_found_until_it_is_noted(samples: list[tuple[list[int], list[int]]]) -> None:
    """Each device is told once for each growth, whatever came between; one that is retired is told of no more."""
    columns, noted = begin(), NotedErrors()
    known = {(number, name): MISSING for number in range(COUNT) for name in "ul"}
    for uncorrected, links in samples:
        take(columns, uncorrected, links)
        wanted = set()
        for number in range(COUNT - 1):
            errors = read_errors(columns, number)
            for name, count, limit in (("u", errors.uncorrected_count, 1), ("l", errors.link_count, 10)):
                if count is not None:
                    known[number, name] = min(known[number, name], count)
                    wanted |= {number} if count > limit and count > known[number, name] else set()
        assert set(noted.find_grown(columns, TERMS, 0.0)) == wanted
        for number in wanted:
            errors = read_errors(columns, number)
            noted.note(number, errors, 0.0)
            for name, count in (("u", errors.uncorrected_count), ("l", errors.link_count)):
                known[number, name] = max(known[number, name], MISSING if count is None else count)
        assert not noted.find_grown(columns, TERMS, 0.0)


def test_one_that_was_noted_waits_and_another_inventory_begins_anew() -> None:
    columns, noted = begin(), NotedErrors()
    links = FIELD_INDEX[SampleName.LINK_ERROR_COUNT]
    columns.values[links, 0] = 11
    assert noted.find_grown(columns, TERMS, 5.0) == [0]
    assert not noted.is_known(0)
    noted.note(0, DeviceErrors(None, 11), 6.0)
    assert noted.is_known(0)
    columns.values[links, 0] = 12
    assert noted.find_grown(columns, TERMS, 5.0) == []
    assert noted.find_grown(columns, TERMS, 6.0) == [0]
    grown = begin(count=6)
    grown.keep(columns)
    assert noted.find_grown(grown, TERMS, 6.0) == [0]
    assert len(noted.noted_s) == 6
    other = begin("second")
    other.values[links, 0] = 11
    assert noted.find_grown(other, TERMS, 5.0) == [0]
