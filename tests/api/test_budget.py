"""Budgets over HTTP: amounts as decimal strings, with what is spent and held."""

from tests.api.stage import Stage

BODY = {"currency": "CNY", "amount_nano": "1180591620717411303425", "period": "rolling", "window_s": 86_400}


async def test_owner_creates_changes_and_deletes(stage: Stage) -> None:
    created = await stage.ask("owner", "POST", "/budgets", BODY)
    assert (created.status_code, created.headers["etag"]) == (201, '"1"')
    told = created.json()
    assert (told["amount_nano"], told["spent_nano"], told["held_nano"]) == (BODY["amount_nano"], "0", "0")
    path = f"/budgets/{told['id']}"
    found = await stage.ask("developer", "GET", path)
    assert (found.json(), found.headers["etag"]) == (told, '"1"')
    changed = await stage.ask("owner", "PATCH", path, {"amount_nano": "0"}, {"if-match": '"1"'})
    assert (changed.status_code, changed.json()["amount_nano"], changed.headers["etag"]) == (200, "0", '"2"')
    stale = await stage.ask("owner", "DELETE", path, None, {"if-match": '"1"'})
    assert stale.status_code == 412
    deleted = await stage.ask("owner", "DELETE", path, None, {"if-match": '"2"'})
    assert (deleted.status_code, deleted.json()) == (200, changed.json())
    assert (await stage.ask("owner", "GET", path)).status_code == 404


async def test_budgets_of_others_are_neither_listed_nor_changed(stage: Stage) -> None:
    mine = (await stage.ask("owner", "GET", "/budgets")).json()["items"]
    assert [line["id"] for line in mine] == [str(stage.ids["budget"])]
    assert (await stage.ask("stranger", "GET", "/budgets")).json()["items"] == []
    path = f"/budgets/{stage.ids['budget']}"
    for method, body in (("GET", None), ("PATCH", {"amount_nano": "5"}), ("DELETE", None)):
        answer = await stage.ask("stranger", method, path, body, {"if-match": '"1"'})
        assert answer.status_code == 404, method
    named = {"key_id": str(stage.keys["owner"].id)}
    assert (await stage.ask("stranger", "POST", "/budgets", BODY | named)).status_code == 404
    assert (await stage.ask("owner", "GET", "/budgets")).json()["items"] == mine


async def test_what_is_no_budget_is_refused(stage: Stage) -> None:
    for changes in (
        {"amount_nano": "-1"},
        {"amount_nano": 1.5},
        {"amount_nano": str(10**27 + 1)},
        {"window_s": 61},
        {"period": "year"},
        {"currency": "yuan"},
    ):
        answer = await stage.ask("owner", "POST", "/budgets", BODY | changes)
        assert answer.status_code == 400, changes
