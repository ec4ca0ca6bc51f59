"""Deliveries over HTTP: seen in order by those who see the webhook, and asked for again."""

from keisan.kit.ids import create_id
from tests.api.stage import Stage


async def test_deliveries_are_listed_and_asked_for_again(stage: Stage) -> None:
    path = f"/webhooks/{stage.ids['webhook']}/deliveries"
    [line] = (await stage.ask("developer", "GET", path)).json()["items"]
    assert (line["sequence"], line["state"], line["alert_id"]) == (1, "dead", str(stage.ids["alert"]))
    wanted = await stage.ask("owner", "POST", f"{path}/{line['id']}/redeliver")
    assert (wanted.status_code, wanted.json()["state"]) == (200, "pending")
    again = await stage.ask("owner", "POST", f"{path}/{line['id']}/redeliver")
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")


async def test_strangers_find_none(stage: Stage) -> None:
    path = f"/webhooks/{stage.ids['webhook']}/deliveries"
    for who, method, asked in (
        ("stranger", "GET", path),
        ("stranger", "POST", f"{path}/{stage.ids['delivery']}/redeliver"),
        ("owner", "POST", f"{path}/{create_id()}/redeliver"),
        ("owner", "POST", f"/webhooks/{create_id()}/deliveries/{stage.ids['delivery']}/redeliver"),
    ):
        assert (await stage.ask(who, method, asked)).status_code == 404
