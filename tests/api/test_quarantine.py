"""Quarantine over HTTP: the platform's alone, its bytes shown as far as they can be, judged once."""

import json

import pytest

from keisan.kit.ids import create_id
from tests.api.stage import Stage, build_record


async def test_quarantined_record_is_shown_to_the_platform_only(stage: Stage) -> None:
    quarantined_id = stage.ids["quarantined"]
    for who, count in (("admin", 1), ("auditor", 1), ("owner", 0), ("provider", 0), ("stranger", 0)):
        assert len((await stage.ask(who, "GET", "/quarantine")).json()["items"]) == count
        answer = await stage.ask(who, "GET", f"/quarantine/{quarantined_id}")
        assert answer.status_code == (200 if count else 404)


async def test_bytes_are_read_as_far_as_they_can_be(stage: Stage) -> None:
    record = json.loads(build_record(stage)) | {"key_id": str(create_id())}
    lines = [json.dumps(record).encode(), b"\xff\x00" + b"a" * 5000]
    answer = await stage.ask("gateway", "POST", "/gateway/usage", b"\n".join(lines))
    assert answer.json()["created_count"] == 0, answer.text
    found = (await stage.ask("admin", "GET", "/quarantine")).json()["items"]
    by_code = {each["code"]: each for each in found if each["id"] != str(stage.ids["quarantined"])}
    read = by_code["unknown_key"]
    assert json.loads(read["text"]) == record
    assert (read["content"]["record_id"], read["content"]["key_id"]) == (record["record_id"], record["key_id"])
    assert (read["content"]["amount_nano"], read["gateway_id"]) == (
        record["amount_nano"],
        str(stage.machines["gateway"].id),
    )
    unread = by_code["malformed"]
    assert unread["content"] is None
    assert unread["text"] == "\\xff\x00" + "a" * 4094


async def test_judged_record_leaves_the_list_of_those_that_wait(stage: Stage) -> None:
    path = f"/quarantine/{stage.ids['quarantined']}"
    never = (await stage.ask("admin", "POST", f"{path}/judge", {"verdict": "accept"})).json()
    assert (never["outcome"], never["code"]) == ("never_acceptable", "malformed")
    answer = await stage.ask("admin", "POST", f"{path}/judge", {"verdict": "discard", "note": "noise"})
    told = answer.json()
    assert (answer.status_code, told["outcome"], told["quarantined"]["note"]) == (200, "discarded", "noise")
    assert (await stage.ask("admin", "GET", path)).json() == told["quarantined"]
    again = await stage.ask("admin", "POST", f"{path}/judge", {"verdict": "accept"})
    assert again.json() == told | {"outcome": "already_judged"}
    for state, count in (("quarantined", 0), ("accepted", 0), ("discarded", 1)):
        assert len((await stage.ask("admin", "GET", f"/quarantine?state={state}")).json()["items"]) == count


@pytest.mark.parametrize("body", [{}, {"verdict": "quarantined"}, {"verdict": "discard", "note": "x" * 501}])
async def test_wrong_body_is_refused(stage: Stage, body: dict[str, object]) -> None:
    answer = await stage.ask("admin", "POST", f"/quarantine/{stage.ids['quarantined']}/judge", body)
    assert answer.status_code == 400


@pytest.mark.parametrize("who", ["auditor", "owner", "provider"])
async def test_nobody_else_judges(stage: Stage, who: str) -> None:
    path = f"/quarantine/{stage.ids['quarantined']}/judge"
    assert (await stage.ask(who, "POST", path, {"verdict": "discard"})).status_code == 403
