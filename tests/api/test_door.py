"""Doors over HTTP: seen by those who see the site, rotated by those who may write it, told to gateways alone."""

from keisan.domain.limits import DOOR_SECRET_KEPT_S_MIN
from tests.api.stage import Stage, build_door_report, build_report


async def report(stage: Stage, digests: list[str]) -> list[str]:
    """Report as the site's agent and return whom its door is to let in."""
    body = build_report(door=build_door_report(digests=digests))
    answer = await stage.ask("site", "POST", "/site/report", body)
    assert answer.status_code == 200, answer.text
    told: list[str] = answer.json()["door"]["digests"]
    return told


async def test_door_is_seen_within_the_scope(stage: Stage) -> None:
    path = f"/sites/{stage.site.id}/door"
    found = await stage.ask("provider", "GET", path)
    assert found.status_code == 200
    assert found.headers["etag"] == f'"{found.json()["version"]}"'
    assert {name: found.json()[name] for name in ("host", "port", "stage", "is_told", "is_rotating")} == {
        "host": "door.test",
        "port": 8090,
        "stage": "steady",
        "is_told": True,
        "is_rotating": False,
    }
    for who in ("other_provider", "developer"):
        assert (await stage.ask(who, "GET", path)).status_code == 404
    assert (await stage.ask("admin", "GET", f"/sites/{stage.ids['harbour']}/door")).status_code == 404


async def test_no_answer_but_the_snapshot_shows_a_secret_or_a_salt(stage: Stage) -> None:
    snapshot = (await stage.ask("gateway", "GET", "/gateway/snapshot")).json()["snapshot"]
    [row] = snapshot["tables"]["doors"].values()
    assert row["secret"].startswith("dk-keisan-")
    for who, path in (("admin", f"/sites/{stage.site.id}/door"), ("admin", "/events"), ("auditor", "/sites")):
        text = (await stage.ask(who, "GET", path)).text
        assert row["secret"] not in text
        assert "salt" not in text


async def test_rotation_goes_on_with_the_reports(any_stage: Stage) -> None:
    stage, path = any_stage, f"/sites/{any_stage.site.id}/door"
    snapshot = (await stage.ask("gateway", "GET", "/gateway/snapshot")).json()["snapshot"]
    [row] = snapshot["tables"]["doors"].values()
    rotated = await stage.ask("provider", "POST", f"{path}/rotate")
    assert (rotated.status_code, rotated.json()["is_rotating"]) == (200, True)
    repeated = await stage.ask("provider", "POST", f"{path}/rotate")
    assert repeated.status_code == 200
    digests = await report(stage, await report(stage, []))
    assert len(digests) == 2
    stage.clock.elapsed_s += 1
    later = (await stage.ask("gateway", "GET", "/gateway/snapshot")).json()["snapshot"]
    [after] = later["tables"]["doors"].values()
    assert after["secret"] != row["secret"]
    stage.clock.elapsed_s += DOOR_SECRET_KEPT_S_MIN
    mark = f"incarnation={later['incarnation']}&version={later['version']}&digest={later['digest']}"
    assert (await stage.ask("gateway", "GET", f"/gateway/snapshot?{mark}")).status_code == 204
    [alone] = await report(stage, digests)
    await report(stage, [alone])
    assert (await stage.ask("provider", "GET", path)).json()["is_rotating"] is False


async def test_odd_place_is_refused(stage: Stage) -> None:
    odd = ({"host": "a b"}, {"host": "user@door"}, {"host": "door/x"}, {"port": 0}, {"digests": ["zz"]})
    for change in (*odd, {"certificates": "\x00"}, {"digests": ["a" * 64] * 3}):
        answer = await stage.ask("site", "POST", "/site/report", build_report(door=build_door_report(**change)))
        assert answer.status_code == 400, change
    for host in ("10.0.0.1", "::1", "door-1.example.org"):
        answer = await stage.ask("site", "POST", "/site/report", build_report(door=build_door_report(host=host)))
        assert answer.status_code == 200, host
