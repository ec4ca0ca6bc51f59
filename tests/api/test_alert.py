"""Alerts over HTTP: within the scope, oldest first."""

from tests.api.stage import Stage


async def test_alerts_are_seen_within_the_scope(stage: Stage) -> None:
    [line] = (await stage.ask("developer", "GET", "/alerts")).json()["items"]
    assert (line["id"], line["kind"]) == (str(stage.ids["alert"]), "wallet_low")
    assert line["subject_id"] == str(stage.ids["account"])
    path = f"/alerts/{stage.ids['alert']}"
    for who in ("owner", "auditor"):
        assert (await stage.ask(who, "GET", path)).json() == line
    for who in ("stranger", "provider"):
        assert (await stage.ask(who, "GET", path)).status_code == 404
        assert (await stage.ask(who, "GET", "/alerts")).json()["items"] == []
