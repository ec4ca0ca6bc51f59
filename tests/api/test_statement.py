"""Statements over HTTP: lists, lines, forms and records, within the scope; closing once the month is over."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from keisan.control.reconcilers import closing
from keisan.kit.ids import create_id
from keisan.kit.signature import is_signed_by
from tests.api.stage import Stage
from tests.settlement import run_closings, run_part

FORMS = ("", ".json", ".csv", ".html", "/records")
CLOSING_AT = datetime(2026, 12, 8, tzinfo=UTC)


async def close(stage: Stage, body: dict[str, str], headers: dict[str, str] | None = None) -> dict[str, object]:
    """Have a month closed, do it as the lease loop would, and return the closing."""
    asked = await stage.ask("admin", "POST", "/statements/close", body, headers)
    assert asked.status_code == 202, asked.text
    await run_closings(stage.control)
    answer = await stage.ask("admin", "GET", f"/statements/closings/{asked.json()['id']}")
    told: dict[str, object] = answer.json()
    assert (told["state"], told["draft"]) == ("done", None)
    return told


async def close_november(stage: Stage) -> dict[str, str]:
    """Close the month of the stage's one call and return the ids of its two statements, by kind."""
    stage.clock.instant = CLOSING_AT
    closed = await close(stage, {"period": "2026-11"})
    assert closed["counts"] == {"closed": 2}
    listed = (await stage.ask("admin", "GET", "/statements")).json()["items"]
    return {line["holder_kind"]: line["id"] for line in listed if line["first_day"] == "2026-11-01"}


@pytest.mark.parametrize("form", FORMS)
async def test_statement_is_shown_to_its_holder_only(stage: Stage, form: str) -> None:
    ids = await close_november(stage)
    seers = {"customer": {"owner", "developer"}, "provider": {"provider"}}
    for kind, statement_id in ids.items():
        for who in ("owner", "developer", "provider", "stranger", "other_provider"):
            answer = await stage.ask(who, "GET", f"/statements/{statement_id}{form}")
            assert answer.status_code == (200 if who in seers[kind] else 404), (kind, who)
        for who in ("admin", "auditor"):
            assert (await stage.ask(who, "GET", f"/statements/{statement_id}{form}")).status_code == 200


async def test_all_forms_say_the_same(stage: Stage) -> None:
    statement_id = (await close_november(stage))["customer"]
    path = f"/statements/{statement_id}"
    shown = (await stage.ask("developer", "GET", path)).json()
    signed = (await stage.ask("developer", "GET", f"{path}.json")).json()
    document = signed["document"].encode()
    assert is_signed_by(bytes.fromhex(signed["public_key"]), document, bytes.fromhex(signed["signature"]))
    assert hashlib.sha256(document).hexdigest() == signed["document_sha256"] == shown["document_sha256"]
    told = json.loads(document)
    same = ("record_count", "amount_nano", "tax_nano", "records_root", "holder_name", "entry_sequence", "first_day")
    assert {name: told[name] for name in same} == {name: shown[name] for name in same}
    assert (shown["amount_nano"], shown["record_count"], shown["state"]) == ("30500", 1, "closed")
    csv = await stage.ask("developer", "GET", f"{path}.csv")
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert csv.headers["content-disposition"] == 'attachment; filename="statement-2026-11-CNY.csv"'
    assert csv.text.splitlines()[1].endswith(",0.000030500,0.000000000,CNY")
    html = await stage.ask("developer", "GET", f"{path}.html")
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert html.headers["content-security-policy"].startswith("default-src 'none'")
    assert f'<dd id="root">{shown["records_root"]}</dd>' in html.text


async def test_records_are_those_under_the_root(stage: Stage) -> None:
    statement_id = (await close_november(stage))["provider"]
    page = (await stage.ask("provider", "GET", f"/statements/{statement_id}/records")).json()
    [record] = page["items"]
    assert record["id"] == str(stage.ids["record"]) == json.loads(record["leaf"])["record_id"]
    root = hashlib.sha256(b"\x00" + record["leaf"].encode()).hexdigest()
    assert (await stage.ask("provider", "GET", f"/statements/{statement_id}")).json()["records_root"] == root
    assert page["next_cursor"] is None


async def test_preview_is_what_closing_makes(stage: Stage) -> None:
    query = f"holder_kind=customer&holder_id={stage.ids['organization']}&currency=CNY"
    preview = (await stage.ask("owner", "GET", f"/statements/preview?{query}")).json()
    assert (preview["state"], preview["id"], preview["records_root"]) == ("open", None, None)
    assert preview["amount_nano"] == "30500"
    statement_id = (await close_november(stage))["customer"]
    closed = (await stage.ask("owner", "GET", f"/statements/{statement_id}")).json()
    changing = {"id", "state", "records_root", "document_sha256", "closed_at"}
    assert {name: closed[name] for name in closed.keys() - changing} == {
        name: preview[name] for name in preview.keys() - changing
    }
    october = (await stage.ask("owner", "GET", f"/statements/preview?{query}&period=2026-10")).json()
    assert (october["record_count"], october["lines"]) == (0, [])


@pytest.mark.parametrize("who", ["stranger", "provider", "other_provider"])
async def test_preview_of_another_is_not_found(stage: Stage, who: str) -> None:
    query = f"holder_kind=customer&holder_id={stage.ids['organization']}&currency=CNY"
    assert (await stage.ask(who, "GET", f"/statements/preview?{query}")).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["", "holder_kind=customer&currency=CNY", "holder_kind=friend&holder_id={id}&currency=CNY"]
    + [f"holder_kind=customer&holder_id={{id}}&currency=CNY&period={period}" for period in ("2026", "2026-13", "x")],
)
async def test_wrong_preview_is_refused(stage: Stage, query: str) -> None:
    answer = await stage.ask("admin", "GET", f"/statements/preview?{query.format(id=stage.ids['organization'])}")
    assert answer.status_code == 400


async def test_month_that_is_awaited_does_not_close(stage: Stage) -> None:
    answer = await stage.ask("admin", "POST", "/statements/close", {"period": "2026-11"})
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")
    assert (await stage.ask("owner", "POST", "/statements/close", {"period": "2026-10"})).status_code == 403


@pytest.mark.parametrize("body", [{}, {"period": "2026-1"}, {"period": "2026-10", "all": True}, {"period": "0000-01"}])
async def test_wrong_closing_is_refused(stage: Stage, body: dict[str, object]) -> None:
    assert (await stage.ask("admin", "POST", "/statements/close", body)).status_code == 400


async def test_one_holder_may_be_closed_alone_and_again_within_an_idempotent_write(any_stage: Stage) -> None:
    stage = any_stage
    stage.clock.instant = CLOSING_AT
    body = {"period": "2026-11", "holder_id": str(stage.ids["organization"])}
    for key in ("k1", "k1", "k2"):
        closed = await close(stage, body, {"idempotency-key": key})
        assert closed["counts"] == ({"exists": 1} if key == "k2" else {"closed": 1})
    listed = (await stage.ask("admin", "GET", "/statements")).json()["items"]
    assert [line["holder_kind"] for line in listed] == ["provider", "customer"]
    nobody = body | {"holder_id": str(create_id())}
    assert (await close(stage, nobody))["counts"] == {}
    actions = await stage.list_actions()
    assert (actions.count("closing.created"), actions.count("statement.closed")) == (3, 1)


async def test_closing_answers_at_once_and_shows_how_far_it_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.clock.instant = CLOSING_AT
    asked = await stage.ask("admin", "POST", "/statements/close", {"period": "2026-11"})
    told = asked.json()
    assert (asked.status_code, told["state"], told["counts"], told["draft"]) == (202, "closing", {}, None)
    assert (told["period"], told["holder_id"], told["ended_at"]) == ("2026-11", None, None)
    assert told["asked_by"] == f"key:{stage.keys['admin'].id}"
    assert told["created_at"] == "2026-12-08T00:00:00Z"
    # Asked again before it is done, it is the same one.
    assert (await stage.ask("admin", "POST", "/statements/close", {"period": "2026-11"})).json() == told
    monkeypatch.setattr(closing, "CLOSING_RUN_S_MAX", -1)
    drafts = []
    while await run_part(stage.control):
        drafts.append((await stage.ask("auditor", "GET", f"/statements/closings/{told['id']}")).json()["draft"])
    # Its one record is of the 23rd: the days before are passed over, and those after it.
    begun, summed, sealed = drafts[:3]
    assert (begun["holder_kind"], begun["holder_id"]) == ("customer", str(stage.ids["organization"]))
    assert (begun["summed_through"], begun["record_count"], begun["sealed_count"]) == ("2026-11-22", 0, 0)
    assert summed == begun | {"summed_through": "2026-11-30", "record_count": 1}
    assert sealed == summed | {"sealed_count": 1}
    assert drafts[-1] is None
    listed = (await stage.ask("auditor", "GET", "/statements/closings")).json()["items"]
    assert [line["state"] for line in listed if line["id"] == told["id"]] == ["done"]
    assert (await stage.ask("owner", "GET", f"/statements/closings/{told['id']}")).status_code == 404
    assert (await stage.ask("owner", "GET", "/statements/closings")).json()["items"] == []
