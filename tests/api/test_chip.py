"""Chips over HTTP: figures with their sources, what is not told is no number, and chips beside the H20."""

import pytest

from keisan.domain.figure import FigureName
from tests.api.stage import CHIPS, NOBODY, Stage


async def test_chips_are_listed_in_short_for_every_key(stage: Stage) -> None:
    answers = [(await stage.ask(who, "GET", "/chips")).json() for who in ("developer", "stranger", "other_provider")]
    assert answers == answers[:1] * 3
    items = answers[0]["items"]
    assert [line["id"] for line in items] == list(CHIPS)
    c550, h20 = items
    assert h20["facts"]["advisory"] == ["CN-CAC-2025-07-31"]
    assert set(h20["figures"]) == set(FigureName)
    watts = {"disclosure": "known", "nominal": 500, "grade": "B", "low": 400, "high": 550, "is_disputed": True}
    assert h20["figures"]["power_w"] == watts
    assert c550["figures"]["power_w"]["disclosure"] == "not_disclosed"
    assert c550["figures"]["fp4_gflops"]["disclosure"] == "unknown"
    every = [figure for line in items for figure in line["figures"].values()]
    assert all((figure["nominal"] is None) == (figure["disclosure"] != "known") for figure in every)
    assert not any(figure[end] == 0 for figure in every for end in ("nominal", "low", "high"))
    assert (await stage.ask(NOBODY, "GET", "/chips")).status_code == 401
    assert (await stage.ask("gateway", "GET", "/chips")).status_code == 403


async def test_one_chip_is_shown_with_every_source(stage: Stage) -> None:
    h20 = (await stage.ask("developer", "GET", "/chips/nvidia-h20")).json()
    assert [value["low"] for value in h20["sources"]["power_w"]] == [400, 500, 550]
    assert all(value["evidence"]["source"] for values in h20["sources"].values() for value in values)
    assert h20["origins"]["fabricated_by"]["evidence"]["grade"] == "C"
    assert [(alias["name"], alias["tool"]) for alias in h20["aliases"]] == [("NVIDIA H20", "nvidia-smi")]
    c550 = (await stage.ask("developer", "GET", "/chips/metax-c550")).json()
    assert c550["sources"]["fp16_gflops"][0] | {"evidence": 0} == {"low": None, "high": None, "note": "", "evidence": 0}


@pytest.mark.parametrize("chip", ["nothere", "NVIDIA-H20", "nvidia h20", "%2e%2e"])
async def test_chip_that_is_not_there_is_not_found(stage: Stage, chip: str) -> None:
    assert (await stage.ask("developer", "GET", f"/chips/{chip}")).status_code == 404


async def test_chips_are_compared_with_the_h20_unless_said_otherwise(stage: Stage) -> None:
    found = (await stage.ask("developer", "GET", "/chips/comparison")).json()
    assert (found["other_id"], [line["id"] for line in found["chips"]]) == ("nvidia-h20", list(CHIPS))
    figures = {line["name"]: line for line in found["chips"][0]["figures"]}
    assert figures["fp16_gflops"]["ratio"] == {"nominal_ppm": 1_858_108, "low_ppm": 1_858_108, "high_ppm": 1_891_892}
    assert (figures["power_w"]["ratio"], figures["fp16_gflops"]["ratio_per_watt"]) == (None, None)
    turned = "/chips/comparison?other_id=metax-c550&chip_ids=nvidia-h20,"
    [h20] = (await stage.ask("developer", "GET", turned)).json()["chips"]
    assert h20["id"] == "nvidia-h20"
    assert h20["figures"][0]["ratio"]["nominal_ppm"] == 1_500_000


@pytest.mark.parametrize(
    ("query", "status"),
    [("other_id=x", 404), ("chip_ids=nvidia-h20,x", 404), ("other_id=", 400), ("chip_ids=" + "x" * 2049, 400)],
)
async def test_comparison_with_what_is_not_there_is_refused(stage: Stage, query: str, status: int) -> None:
    assert (await stage.ask("developer", "GET", f"/chips/comparison?{query}")).status_code == status
