"""Sites over HTTP, and the report of a site's agent."""

from tests.api.stage import Stage, build_report


async def test_provider_creates_its_own_sites_only(stage: Stage) -> None:
    body = {"name": "attic", "provider_id": str(stage.site.provider_id), "region": "JP-27"}
    created = await stage.ask("provider", "POST", "/sites", body)
    assert (created.status_code, created.json()["verdict"]) == (201, "unknown")
    foreign = await stage.ask("provider", "POST", "/sites", body | {"provider_id": str(stage.ids["umi"])})
    assert foreign.status_code == 404
    listed = (await stage.ask("provider", "GET", "/sites")).json()["items"]
    assert [line["name"] for line in listed] == ["cellar", "attic"]


async def test_report_is_taken_from_its_own_agent(stage: Stage) -> None:
    orders = await stage.ask("site", "POST", "/site/report", build_report())
    assert orders.status_code == 200
    assert orders.json()["next_report_s"] > 0
    found = await stage.ask("admin", "GET", f"/sites/{stage.site.id}")
    assert found.json()["reported_at"] is not None


async def test_region_is_an_iso_code(stage: Stage) -> None:
    body = {"name": "attic", "provider_id": str(stage.site.provider_id), "region": "Tokyo"}
    answer = await stage.ask("provider", "POST", "/sites", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "region")


async def test_nul_in_foreign_text_does_not_hold_up_a_report(any_stage: Stage) -> None:
    report = build_report()
    nodes = report["nodes"]
    assert isinstance(nodes, list)
    nodes[0]["hostname"] = "o\x00ne"
    answer = await any_stage.ask("site", "POST", "/site/report", report)
    assert answer.status_code == 200, answer.text
    [node, _] = (await any_stage.ask("provider", "GET", "/nodes")).json()["items"]
    assert node["hostname"] == "o\N{REPLACEMENT CHARACTER}ne"
