"""Gateways over HTTP: the snapshot that acknowledges, the usage that is answered record by record."""

import json

from keisan.control.machine import GATEWAY_SILENCE_S_MAX
from tests.api.stage import Stage, build_credit_report, build_record


async def test_asking_with_a_version_acknowledges_it(stage: Stage) -> None:
    snapshot = (await stage.ask("gateway", "GET", "/gateway/snapshot")).json()["snapshot"]
    before = (await stage.ask("developer", "GET", "/gateways")).json()
    assert [line["acknowledged_version"] for line in before["items"]] == [0]
    query = f"incarnation={snapshot['incarnation']}&version={snapshot['version']}&wait_s=0"
    nothing = await stage.ask("gateway", "GET", f"/gateway/snapshot?{query}")
    assert (nothing.status_code, nothing.content) == (204, b"")
    after = (await stage.ask("developer", "GET", "/gateways")).json()
    assert [(line["acknowledged_version"], line["is_connected"]) for line in after["items"]] == [
        (snapshot["version"], True)
    ]
    assert after["snapshot_version"] == snapshot["version"]


async def test_change_comes_as_a_delta(stage: Stage) -> None:
    snapshot = (await stage.ask("gateway", "GET", "/gateway/snapshot")).json()["snapshot"]
    created = await stage.ask("owner", "POST", "/keys", {"name": "new", "project_id": str(stage.project.id)})
    query = f"incarnation={snapshot['incarnation']}&version={snapshot['version']}&wait_s=5"
    answer = (await stage.ask("gateway", "GET", f"/gateway/snapshot?{query}")).json()
    assert set(answer) == {"delta"}
    assert answer["delta"]["version"] == created.json()["snapshot_version"]
    assert list(answer["delta"]["put"]["keys"]) == [created.json()["key"]["id"]]


async def test_silent_gateway_is_not_connected(stage: Stage) -> None:
    await stage.ask("gateway", "GET", "/gateway/snapshot")
    stage.clock.elapsed_s += GATEWAY_SILENCE_S_MAX + 1
    [line] = (await stage.ask("developer", "GET", "/gateways")).json()["items"]
    assert line["is_connected"] is False


async def test_each_record_has_its_answer(stage: Stage) -> None:
    text = build_record(stage)
    differing = json.dumps(json.loads(text) | {"http_status": 201})
    answer = await stage.ask("gateway", "POST", "/gateway/usage", {"records": [text, "nonsense"]})
    assert answer.json()["created_count"] == 1
    assert [(line["position"], line["outcome"]) for line in answer.json()["answers"]] == [(1, "refused")]
    again = await stage.ask("gateway", "POST", "/gateway/usage", {"records": [text, differing]})
    assert again.json()["created_count"] == 0
    assert [line["outcome"] for line in again.json()["answers"]] == ["exists", "differs"]


async def test_credit_is_leased_from_what_was_paid_in(stage: Stage) -> None:
    path = f"/organizations/{stage.project.organization_id}/top-ups"
    debt_nano = -int((await stage.ask("owner", "GET", "/accounts")).json()["items"][0]["balance_nano"])
    await stage.ask("admin", "POST", path, {"amount_nano": str(debt_nano + 5000), "currency": "CNY"})
    report = build_credit_report(stage)
    answer = (await stage.ask("gateway", "POST", "/gateway/credit", report)).json()
    (line,) = answer["tickets"]
    assert (line["organization_id"], line["credit_nano"]) == (str(stage.project.organization_id), "2500")
    assert (answer["lease_s"], answer["renew_s"], answer["default_share_ppm"]) == (7200, 10, 1_000_000)
    late = await stage.ask("gateway", "POST", "/gateway/credit", report)
    assert (late.status_code, late.json()["code"]) == (409, "state_conflict")


async def test_debt_leases_nothing(stage: Stage) -> None:
    answer = (await stage.ask("gateway", "POST", "/gateway/credit", build_credit_report(stage))).json()
    refused = {"organization_id": str(stage.project.organization_id), "currency": "CNY"}
    assert (answer["tickets"], answer["refused"]) == ([], [refused])


async def test_only_gateways_exchange_credit(stage: Stage) -> None:
    for who in ("admin", "site"):
        assert (await stage.ask(who, "POST", "/gateway/credit", build_credit_report(stage))).status_code == 403
