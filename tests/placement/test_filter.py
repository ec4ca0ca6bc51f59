"""Each filter alone: what passes, what is refused, and in what words."""

from dataclasses import replace
from uuid import UUID

import pytest

from keisan.domain.device import DeviceUse
from keisan.domain.ids import GrantId
from keisan.domain.verdict import Verdict
from keisan.placement.candidate import Request
from keisan.placement.decide import place_copies
from keisan.placement.filter import (
    FILTERS,
    refuse_closed_device,
    refuse_foreign_chip,
    refuse_missing_engine,
    refuse_other_grant,
    refuse_other_site,
    refuse_remote_device,
    refuse_small_memory,
    refuse_unproven_device,
    refuse_unproven_site,
)
from tests.domain.samples import SITE_ID
from tests.placement.nodes import OTHER_SITE_ID, REQUEST, build_candidate

GRANT_ID, OTHER_GRANT_ID = GrantId(UUID(int=1)), GrantId(UUID(int=2))


def test_good_node_passes_every_filter() -> None:
    assert [check(REQUEST, build_candidate()) for check in FILTERS] == [None] * len(FILTERS)


def test_named_site_is_kept_to() -> None:
    request = Request("llama_cpp", 300, OTHER_SITE_ID)
    assert refuse_other_site(request, build_candidate(site_id=SITE_ID)) == "another site is asked for"
    assert refuse_other_site(request, build_candidate(site_id=OTHER_SITE_ID)) is None


@pytest.mark.parametrize(
    ("wanted", "held", "reason"),
    [
        (None, None, None),
        (GRANT_ID, GRANT_ID, None),
        (None, GRANT_ID, "the device is granted"),
        (GRANT_ID, None, "the device is not of the grant"),
        (GRANT_ID, OTHER_GRANT_ID, "the device is not of the grant"),
    ],
)
def test_granted_device_takes_work_under_its_grant_alone(
    wanted: GrantId | None, held: GrantId | None, reason: str | None
) -> None:
    assert refuse_other_grant(replace(REQUEST, grant_id=wanted), build_candidate(grant_id=held)) == reason


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED])
def test_unproven_place_gets_no_new_work(verdict: Verdict) -> None:
    assert refuse_unproven_site(REQUEST, build_candidate(site_verdict=verdict)) == f"the site is {verdict}"
    assert refuse_unproven_device(REQUEST, build_candidate(device_verdict=verdict)) == f"the device is {verdict}"


def test_engine_must_be_there() -> None:
    assert refuse_missing_engine(REQUEST, build_candidate(engines=frozenset())) == "the site has no engine 'llama_cpp'"


def test_memory_must_suffice_to_the_last_byte() -> None:
    assert refuse_small_memory(REQUEST, build_candidate(memory_free_bytes=300)) is None
    refusal = refuse_small_memory(REQUEST, build_candidate(memory_free_bytes=299))
    assert refusal == "299 bytes are free, 300 are needed"


@pytest.mark.parametrize("use", [DeviceUse.CORDONED, DeviceUse.DRAINING])
def test_closed_device_gets_no_new_work(use: DeviceUse) -> None:
    assert refuse_closed_device(REQUEST, build_candidate(device_use=use)) == f"the device is {use}"
    assert refuse_closed_device(REQUEST, build_candidate()) is None


def test_device_of_a_node_that_the_executor_does_not_reach_gets_no_work() -> None:
    remote = build_candidate(is_remote=True)
    assert refuse_remote_device(REQUEST, remote) == "the site's executor does not reach the device's node"
    assert refuse_remote_device(REQUEST, build_candidate()) is None
    assert not place_copies(REQUEST, 1, [remote]).chosen


def test_an_engine_for_processors_leaves_other_devices_alone() -> None:
    accelerator = build_candidate(chip="nvidia-h20")
    assert refuse_foreign_chip(REQUEST, accelerator) == "the engine 'llama_cpp' does not use nvidia-h20"
    assert refuse_foreign_chip(Request("vllm", 300, None), accelerator) is None
    assert refuse_foreign_chip(REQUEST, build_candidate()) is None
