"""Gateways over HTTP: the snapshot that acknowledges, the usage that is answered record by record."""

import json

import pytest

from keisan.control.machine import GATEWAY_SILENCE_S_MAX
from keisan.domain.limits import API_BODY_BYTES_MAX, USAGE_BATCH_RECORDS_MAX
from keisan.domain.page import PageRequest
from keisan.wire.usage_record import USAGE_RECORD_BYTES_MAX
from tests.api.stage import EVERYTHING, Stage, build_credit_report, build_record


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
    record = build_record(stage)
    differing = json.dumps(json.loads(record) | {"http_status": 201}).encode()
    answer = await stage.ask("gateway", "POST", "/gateway/usage", record + b"\nnonsense\n")
    assert answer.json()["created_count"] == 1
    assert [(line["position"], line["outcome"]) for line in answer.json()["answers"]] == [(1, "refused")]
    again = await stage.ask("gateway", "POST", "/gateway/usage", record + b"\n" + differing + b"\n")
    assert again.json()["created_count"] == 0
    assert [line["outcome"] for line in again.json()["answers"]] == ["exists", "differs"]


NONSENSE = (
    b"",
    b"\r",
    b"{}",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"[" * 4000,
    b'"' + b"\\" * 4000,
    b"x" * 1_000_000,
)


async def test_nonsense_is_refused_in_its_place_and_blocks_nothing(stage: Stage) -> None:
    records = [build_record(stage) for _ in NONSENSE]
    lines = [line for pair in zip(NONSENSE, records, strict=True) for line in pair]
    answer = await stage.ask("gateway", "POST", "/gateway/usage", b"".join(line + b"\n" for line in lines))
    assert answer.status_code == 200, answer.text
    assert answer.json()["created_count"] == len(records)
    told = [(line["position"], line["outcome"], line["code"]) for line in answer.json()["answers"]]
    assert told == [(2 * position, "refused", "malformed") for position in range(len(NONSENSE))]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "Field required"),
        (b"{}\n" * (USAGE_BATCH_RECORDS_MAX + 1), f"expected 1 to {USAGE_BATCH_RECORDS_MAX} usage records"),
        (b"\n" * API_BODY_BYTES_MAX, f"expected 1 to {USAGE_BATCH_RECORDS_MAX} usage records"),
    ],
    ids=["empty", "too many", "millions"],
)
async def test_batch_out_of_bounds_is_refused_whole(stage: Stage, body: bytes, detail: str) -> None:
    answer = await stage.ask("gateway", "POST", "/gateway/usage", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert detail in answer.json()["detail"]


async def test_largest_batch_of_largest_records_is_taken(any_stage: Stage) -> None:
    room = USAGE_RECORD_BYTES_MAX - len(build_record(any_stage, padding=""))
    lines = [build_record(any_stage, padding="a" * room) + b"\n" for _ in range(USAGE_BATCH_RECORDS_MAX)]
    for created_count in (USAGE_BATCH_RECORDS_MAX, 0):
        answer = (await any_stage.ask("gateway", "POST", "/gateway/usage", b"".join(lines))).json()
        assert (answer["created_count"], len(answer["answers"])) == (created_count, len(lines) - created_count)


async def test_largest_batch_of_nonsense_is_kept(any_stage: Stage) -> None:
    lines = [b"%d" % number for number in range(USAGE_BATCH_RECORDS_MAX)]
    answer = (await any_stage.ask("gateway", "POST", "/gateway/usage", b"\n".join(lines))).json()
    assert [line["position"] for line in answer["answers"]] == list(range(len(lines)))
    async with any_stage.storage.read() as view:
        # And the one of the stage.
        kept = await view.quarantine.list(EVERYTHING, PageRequest(limit=len(lines) + 2))
    assert len(kept.items) == len(lines) + 1


async def test_json_is_no_batch(stage: Stage) -> None:
    """Least of all one record that a body of its own would be: its gateway would hold it to be settled."""
    record = build_record(stage)
    bodies: tuple[object, ...] = ({"records": [record.decode()]}, json.loads(record), record.decode(), [])
    for body in bodies:
        answer = await stage.ask("gateway", "POST", "/gateway/usage", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input"), body


async def make_prepaid(stage: Stage) -> None:
    path = f"/organizations/{stage.project.organization_id}"
    answer = await stage.ask("admin", "PATCH", path, {"billing": "prepaid"}, {"if-match": '"1"'})
    assert answer.status_code == 200, answer.text


async def test_credit_is_leased_from_what_was_paid_in(stage: Stage) -> None:
    await make_prepaid(stage)
    path = f"/organizations/{stage.project.organization_id}/top-ups"
    debt_nano = -int((await stage.ask("owner", "GET", "/accounts")).json()["items"][0]["balance_nano"])
    # Decision 0066: what is leased to another platform stands aside, and no gateway of this one can lease it.
    ticket = (await stage.ask("admin", "GET", f"/platform-tickets/{stage.ids['platform_ticket']}")).json()
    amount_nano = debt_nano + int(ticket["aside_nano"]) + 5000
    await stage.ask("admin", "POST", path, {"amount_nano": str(amount_nano), "currency": "CNY"})
    report = build_credit_report(stage)
    answer = (await stage.ask("gateway", "POST", "/gateway/credit", report)).json()
    (line,) = answer["tickets"]
    assert (line["holder_id"], line["credit_nano"]) == (str(stage.project.organization_id), "2500")
    assert (answer["lease_s"], answer["renew_s"], answer["default_share_ppm"]) == (7200, 10, 1_000_000)
    late = await stage.ask("gateway", "POST", "/gateway/credit", report)
    assert (late.status_code, late.json()["code"]) == (409, "state_conflict")


async def test_debt_leases_nothing(stage: Stage) -> None:
    await make_prepaid(stage)
    answer = (await stage.ask("gateway", "POST", "/gateway/credit", build_credit_report(stage))).json()
    refused = {"holder_id": str(stage.project.organization_id), "currency": "CNY", "bound": "wallet"}
    assert (answer["tickets"], answer["refused"]) == ([], [refused])


async def test_only_gateways_exchange_credit(stage: Stage) -> None:
    for who in ("admin", "site"):
        assert (await stage.ask(who, "POST", "/gateway/credit", build_credit_report(stage))).status_code == 403
