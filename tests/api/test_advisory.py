"""Advisories over HTTP, each with the chips that it is about."""

from tests.api.stage import Stage


async def test_advisories_name_their_chips(stage: Stage) -> None:
    [notice] = (await stage.ask("developer", "GET", "/advisories")).json()["items"]
    assert (notice["id"], notice["severity"], notice["issued_on"]) == ("CN-CAC-2025-07-31", "warning", "2025-07-31")
    # The stage's catalogue has no other variant of the chip.
    assert notice["chips"] == ["nvidia-h20"]
