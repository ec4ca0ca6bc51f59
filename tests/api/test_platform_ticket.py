"""Platform tickets over HTTP: what a cut platform can still spend, for the organization whose money it is."""

from tests.api.stage import Stage


async def test_bounds_of_leased_credit_are_shown_to_its_organization_alone(stage: Stage) -> None:
    path = f"/platform-tickets/{stage.ids['platform_ticket']}"
    told = (await stage.ask("owner", "GET", path)).json()
    assert (told["side"], told["left_nano"], told["aside_nano"]) == ("home", "1", "2")
    assert told["expires_at"] < told["free_at"]
    assert (await stage.ask("owner", "GET", "/platform-tickets")).json()["items"] == [told]
    assert (await stage.ask("stranger", "GET", "/platform-tickets")).json()["items"] == []
    assert (await stage.ask("stranger", "GET", path)).status_code == 404
