"""Grants over HTTP: seen and changed by an operator alone."""

import pytest

from tests.api.stage import Stage

ASK = {"child_id": "c" * 64, "chip": None, "count": 2, "duration_s": 3600, "on_expiry": "release"}


async def test_proposed_grant_is_approved_and_ended(stage: Stage) -> None:
    path = f"/grants/{stage.ids['grant']}"
    shown = (await stage.ask("auditor", "GET", path)).json()
    assert (shown["state"], shown["number"], shown["ends_at"]) == ("proposed", 0, None)
    approved = (await stage.ask("admin", "POST", f"{path}/approve")).json()
    assert (approved["state"], approved["number"], len(approved["device_ids"])) == ("issued", 8, 1)
    assert approved["ends_at"] is not None
    ended = (await stage.ask("admin", "POST", f"{path}/end", {"reason": "needed here"})).json()
    assert (ended["state"], ended["reason"], ended["ends_at"]) == ("released", "needed here", None)
    again = await stage.ask("admin", "POST", f"{path}/end", {"reason": "needed here"})
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
    assert (await stage.ask("admin", "GET", "/grants")).json()["items"] == [ended]


async def test_terms_change_under_their_version(stage: Stage) -> None:
    terms = await stage.ask("admin", "GET", "/grant-terms")
    assert terms.json() == {"epoch": 3, "last_number": 7, "automatic_count": 0, "version": 1}
    headers = {"if-match": terms.headers["etag"]}
    changed = await stage.ask("admin", "PATCH", "/grant-terms", {"automatic_count": 5}, headers)
    assert (changed.json()["automatic_count"], changed.json()["version"]) == (5, 2)
    stale = await stage.ask("admin", "PATCH", "/grant-terms", {"automatic_count": 6}, headers)
    assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")


async def test_want_is_asked_given_work_renewed_and_ended(stage: Stage) -> None:
    asked = (await stage.ask("admin", "POST", "/grant-wants", ASK)).json()
    assert (asked["state"], asked["renewal"], asked["answer"], asked["ends_at"]) == ("open", 1, None, None)
    path = f"/grant-wants/{stage.ids['want']}"
    want = await stage.ask("admin", "GET", path)
    assert want.json()["answer"]["state"] == "issued"
    assert want.json()["ends_at"] is not None
    work = {"model_id": str(stage.ids["model"]), "replica_count": 2}
    changed = await stage.ask("admin", "PATCH", f"{path}/run", work, {"if-match": want.headers["etag"]})
    assert changed.json()["work"]["replica_count"] == 2
    stopped = await stage.ask("admin", "DELETE", f"{path}/run", headers={"if-match": changed.headers["etag"]})
    assert stopped.json()["work"] is None
    assert (await stage.ask("admin", "POST", f"{path}/renew")).json()["renewal"] == 2
    assert (await stage.ask("admin", "POST", f"{path}/end")).json()["state"] == "ended"
    assert (await stage.ask("admin", "POST", f"{path}/end")).status_code == 409
    listed = (await stage.ask("auditor", "GET", "/grant-wants")).json()["items"]
    assert [line["state"] for line in listed] == ["ended", "open"]


async def test_work_on_what_was_never_granted_is_refused(stage: Stage) -> None:
    asked = await stage.ask("admin", "POST", "/grant-wants", ASK)
    path = f"/grant-wants/{asked.json()['id']}/run"
    body = {"model_id": str(stage.ids["model"])}
    answer = await stage.ask("admin", "PATCH", path, body, {"if-match": asked.headers["etag"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")


@pytest.mark.parametrize("who", ["owner", "provider"])
async def test_nobody_else_sees_any(stage: Stage, who: str) -> None:
    for path in ("/grants", "/grant-wants"):
        assert (await stage.ask(who, "GET", path)).json()["items"] == []
    for path in (f"/grants/{stage.ids['grant']}", f"/grant-wants/{stage.ids['want']}", "/grant-terms"):
        assert (await stage.ask(who, "GET", path)).status_code == 404
    assert (await stage.ask(who, "POST", "/grant-wants", ASK)).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"child_id": "nobody"},
        {"count": 0},
        {"count": 4097},
        {"duration_s": 599},
        {"on_expiry": "delete"},
        {"chip": ""},
        {"more": 1},
    ],
)
async def test_want_that_makes_no_sense_is_refused(stage: Stage, change: dict[str, object]) -> None:
    assert (await stage.ask("admin", "POST", "/grant-wants", ASK | change)).status_code == 400


async def test_platform_wants_nothing_of_itself(stage: Stage) -> None:
    own = {"child_id": stage.control.platform_id}
    assert (await stage.ask("admin", "POST", "/grant-wants", ASK | own)).status_code == 400
