"""Names over HTTP."""

from keisan.control.name import tell_names
from keisan.domain.name import NameType, PlatformName, encode_name
from tests.api.stage import Stage


async def test_a_childs_name_is_resolved_from_what_is_kept(stage: Stage) -> None:
    async with stage.storage.write() as transaction:
        await tell_names(transaction, stage.control)
    name = encode_name(PlatformName("sx", NameType.PLATFORM, "self"))
    assert (await stage.ask("admin", "GET", f"/names?name={name}")).status_code == 404
    path = f"/links/{stage.ids['link']}/approve"
    taken = await stage.ask("admin", "POST", path, {"region": "CN-SX", "prefix": "sx"})
    found = await stage.ask("developer", "GET", f"/names?name={name}")
    assert (found.status_code, found.json()["platform_id"]) == (200, taken.json()["neighbour_id"])
    assert found.json()["region"] == "CN-SX"
    wrong = name[:-1] + str((int(name[-1]) + 1) % 10)
    refused = await stage.ask("developer", "GET", f"/names?name={wrong}")
    assert (refused.status_code, "check digits" in refused.json()["detail"]) == (400, True)
