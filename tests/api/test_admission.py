"""Admissions over HTTP: an operator admits and ends, the organization itself looks."""

from tests.api.stage import Stage


async def test_operator_admits_and_ends_and_the_organization_sees_its_own(stage: Stage) -> None:
    body = {"organization_id": str(stage.ids["organization"]), "platform_id": "cd" * 32, "currency": "CNY"}
    body |= {"credit_nano_max": "7"}
    assert (await stage.ask("owner", "POST", "/admissions", body)).status_code == 403
    made = await stage.ask("admin", "POST", "/admissions", body | {"policy": "region in CN-SX"})
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["counterparty_id"], told["credit_nano_max"], told["policy"]) == ("cd" * 32, "7", "region in CN-SX")
    assert (await stage.ask("admin", "POST", "/admissions", body)).status_code == 409
    path = f"/admissions/{told['id']}"
    assert (await stage.ask("owner", "GET", path)).json() == told
    assert (await stage.ask("stranger", "GET", path)).status_code == 404
    listed = (await stage.ask("owner", "GET", "/admissions")).json()["items"]
    assert told in listed
    assert len(listed) == 2
    assert (await stage.ask("stranger", "GET", "/admissions")).json()["items"] == []
    assert (await stage.ask("admin", "DELETE", path, None, {"if-match": '"9"'})).status_code == 412
    ended = await stage.ask("admin", "DELETE", path, None, {"if-match": '"1"'})
    assert ended.json()["ended_at"] is not None
