"""Capacity over HTTP: kinds side by side, unknown where nothing is known."""

from tests.api.stage import Stage


async def test_kinds_stand_side_by_side(stage: Stage) -> None:
    found = (await stage.ask("admin", "GET", "/capacity?by=chip")).json()
    assert [line["value"] for line in found["lines"]] == ["nvidia-h20", None]
    nvidia, unknown = found["lines"]
    assert nvidia["kinds"].keys() == {"registered"}
    assert nvidia["kinds"]["registered"]["figures"]["device_count"] == {"value": 16, "untold_rows": 0}
    assert nvidia["kinds"]["registered"]["figures"]["memory_bytes"] == {"value": None, "untold_rows": 1}
    assert unknown["kinds"]["surveyed"]["gflops"] == {"fp16": {"value": 80_000_000, "untold_rows": 0}}
    assert {kind for kind, told in found["kinds"].items() if told["is_known"]} == {"registered", "surveyed"}
    assert found["share"] == {"device_count_ppm": None, "gflops_ppm": {}}


async def test_others_see_their_own_and_surveys(stage: Stage) -> None:
    seen = {}
    for who in ("provider", "other_provider", "developer"):
        found = (await stage.ask(who, "GET", "/capacity")).json()
        seen[who] = set(found["total"]["kinds"])
    assert seen == {"provider": {"registered", "surveyed"}, "other_provider": {"surveyed"}, "developer": {"surveyed"}}


async def test_key_that_nobody_knows_is_refused(stage: Stage) -> None:
    assert (await stage.ask("admin", "GET", "/capacity?by=colour")).status_code == 400
