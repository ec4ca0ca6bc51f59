"""Offers over HTTP: a provider's own, as decimal strings, and nobody else's."""

import pytest

from tests.api.stage import NANO_PER_MILLION, Stage

OTHERS = ("owner", "developer", "stranger", "other_provider")


def build_body(stage: Stage, **changes: object) -> dict[str, object]:
    ids = {"provider_id": str(stage.ids["provider"]), "model_id": str(stage.ids["model"])}
    return ids | {"currency": "CNY", "nano_per_million": NANO_PER_MILLION} | changes


async def test_provider_makes_and_sees_its_own(stage: Stage) -> None:
    nano = NANO_PER_MILLION | {"output": "999999999999999999", "image": "1"}
    created = await stage.ask("provider", "POST", "/offers", build_body(stage, nano_per_million=nano))
    assert (created.status_code, created.json()["version"], created.headers["etag"]) == (201, 2, '"2"')
    assert created.json()["nano_per_million"] == nano
    assert (created.json()["is_withdrawn"], created.json()["nano_per_device_hour"]) == (False, None)
    for who in ("provider", "admin", "auditor"):
        listed = (await stage.ask(who, "GET", "/offers")).json()["items"]
        assert [line["id"] for line in listed] == [str(stage.ids["offer"]), created.json()["id"]]
        assert (await stage.ask(who, "GET", f"/offers/{stage.ids['offer']}")).json()["version"] == 1


@pytest.mark.parametrize("who", OTHERS)
async def test_nobody_else_sees_or_makes_one(stage: Stage, who: str) -> None:
    events = await stage.list_actions()
    assert (await stage.ask(who, "GET", "/offers")).json()["items"] == []
    assert (await stage.ask(who, "GET", f"/offers/{stage.ids['offer']}")).status_code == 404
    for path, body in (("/offers", build_body(stage)), (f"/offers/{stage.ids['offer']}/withdraw", None)):
        refused = await stage.ask(who, "POST", path, body)
        assert refused.status_code == (404 if who == "other_provider" else 403), refused.text
    assert await stage.list_actions() == events


async def test_other_provider_makes_its_own_beside_it(stage: Stage) -> None:
    own = build_body(stage, provider_id=str(stage.ids["umi"]))
    created = await stage.ask("other_provider", "POST", "/offers", own)
    assert (created.status_code, created.json()["version"]) == (201, 1)
    assert (await stage.ask("provider", "GET", f"/offers/{created.json()['id']}")).status_code == 404


async def test_withdrawn_once(stage: Stage) -> None:
    path = f"/offers/{stage.ids['offer']}/withdraw"
    withdrawn = await stage.ask("provider", "POST", path)
    assert (withdrawn.status_code, withdrawn.json()["is_withdrawn"], withdrawn.json()["version"]) == (201, True, 2)
    assert withdrawn.json()["nano_per_million"] == {}
    again = await stage.ask("provider", "POST", f"/offers/{withdrawn.json()['id']}/withdraw")
    assert again.status_code == 409
    assert (await stage.ask("provider", "GET", f"/offers/{stage.ids['offer']}")).json()["is_withdrawn"] is False


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nano_per_million": {"input": "1.5", "output": "1"}}, "nano_per_million.input"),
        ({"nano_per_million": {"input": 1.5, "output": "1"}}, "nano_per_million.input"),
        ({"nano_per_million": {"input": "1", "output": "1", "picture": "1"}}, "nano_per_million.picture"),
        ({"kind": "auction"}, "kind"),
        ({"currency": "yuan"}, "currency"),
        ({"effective_from": "2026-12-24T00:00:00"}, "effective_from"),
        ({"effective_from": "2026-11-23T11:59:59Z"}, "effective_from"),
        ({"effective_until": "2026-11-23T12:00:00+00:00"}, "effective_until"),
        ({"quantity_max": 3}, "quantity_max"),
    ],
)
async def test_wrong_offers_are_refused(stage: Stage, changes: dict[str, object], field: str) -> None:
    answer = await stage.ask("provider", "POST", "/offers", build_body(stage, **changes))
    assert (answer.status_code, answer.json()["errors"][0]["field"].split(".[")[0]) == (400, field)
