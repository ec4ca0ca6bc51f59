"""The book of commitments: no device twice, whole grants or none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvariantBroken
from keisan.domain.grant import GrantScope, GrantState, OnExpiry
from keisan.domain.ids import DeviceId
from keisan.federation.grant_book import BookDevice, open_book, pick_devices
from tests.federation.grant_samples import DEVICE_IDS, DEVICES, SCOPE, build_grant, build_grant_id


@pytest.mark.parametrize(
    ("state", "free"),
    [
        (GrantState.ISSUED, DEVICE_IDS[4:5]),
        (GrantState.HELD, DEVICE_IDS[4:5]),
        (GrantState.RELEASED, DEVICE_IDS[::2]),
        (GrantState.REFUSED, DEVICE_IDS[::2]),
    ],
)
def test_issued_and_held_grants_keep_their_devices(state: GrantState, free: tuple[object, ...]) -> None:
    assert open_book(DEVICES, [build_grant(state=state)]).list_free("chip-a") == free


def test_any_chip_of_the_pool_will_do() -> None:
    assert sorted(open_book(DEVICES, []).list_free(None)) == sorted(DEVICE_IDS)


@pytest.mark.parametrize(("is_usable", "is_busy"), [(False, False), (True, True)])
def test_device_that_is_not_usable_or_busy_is_not_free(is_usable: bool, is_busy: bool) -> None:
    devices = (replace(DEVICES[0], is_usable=is_usable, is_busy=is_busy), *DEVICES[1:])
    assert DEVICE_IDS[0] not in open_book(devices, []).list_free("chip-a")


def test_grant_is_whole_or_nothing() -> None:
    book = open_book(DEVICES, [])
    assert pick_devices(book, replace(SCOPE, count=3)) == DEVICE_IDS[::2]
    assert pick_devices(book, replace(SCOPE, count=4)) == ()


def test_device_that_would_be_granted_twice_breaks_the_invariant() -> None:
    other = build_grant(id=build_grant_id(2), device_ids=DEVICE_IDS[2:3])
    with pytest.raises(InvariantBroken, match="twice"):
        open_book(DEVICES, [build_grant(), other])


@given(
    wanted=st.lists(st.tuples(st.sampled_from(["chip-a", "chip-b", None]), st.integers(1, 4)), max_size=6),
    devices=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=6, max_size=6),
)
def test_whatever_is_wanted_in_whatever_order_overlaps_nowhere(
    wanted: list[tuple[str | None, int]], devices: list[tuple[bool, bool]]
) -> None:
    told = tuple(
        BookDevice(device.id, device.chip, is_usable, is_busy)
        for device, (is_usable, is_busy) in zip(DEVICES, devices, strict=True)
    )
    book, given_out = open_book(told, []), list[DeviceId]()
    for number, (chip, count) in enumerate(wanted):
        chosen = pick_devices(book, GrantScope(chip, count, 3600, OnExpiry.HOLD))
        assert len(chosen) in (0, count)
        book = book.assign(build_grant_id(number), chosen)
        given_out += chosen
    assert len(given_out) == len(set(given_out)) == len(book.granted)
    free = {device.id for device in told if device.is_usable and not device.is_busy}
    assert free.issuperset(given_out)
