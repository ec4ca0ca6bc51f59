"""Replicas over HTTP: without their endpoint, with their last words."""

from keisan.kit.ids import create_id
from tests.api.stage import Stage


async def test_replicas_of_one_deployment(stage: Stage) -> None:
    listed = await stage.ask("provider", "GET", f"/replicas?deployment_id={stage.ids['deployment']}")
    assert [line["id"] for line in listed.json()["items"]] == [str(stage.ids["replica"])]
    assert "endpoint" not in listed.text
    assert (await stage.ask("provider", "GET", f"/replicas?deployment_id={create_id()}")).json()["items"] == []
    assert len((await stage.ask("provider", "GET", "/replicas")).json()["items"]) == 1


async def test_replica_and_its_log(stage: Stage) -> None:
    found = await stage.ask("provider", "GET", f"/replicas/{stage.ids['replica']}")
    assert (found.json()["state"], found.headers["etag"]) == ("ready", '"1"')
    log = await stage.ask("provider", "GET", f"/replicas/{stage.ids['replica']}/log")
    assert log.json()["log_tail"] == "ready\n"
    assert (await stage.ask("other_provider", "GET", f"/replicas/{stage.ids['replica']}/log")).status_code == 404
