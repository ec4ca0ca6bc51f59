"""Serving challenges over HTTP: who may start them, what is refused, and to whom they are shown."""

from typing import Any

import httpx
import pytest

from keisan.domain.access import PlatformScope
from keisan.domain.ids import MachineId
from tests.api.stage import Stage

EVERYTHING = PlatformScope()
PATH = "/serving-challenges"


async def connect_gateway(stage: Stage) -> None:
    async with stage.storage.write() as transaction:
        machine_id = MachineId(stage.machines["gateway"].id)
        await transaction.machines.acknowledge(machine_id, 1, stage.clock.now())


async def start(stage: Stage, who: str = "admin", **changes: object) -> httpx.Response:
    body = {"deployment_id": str(stage.ids["deployment"])} | changes
    return await stage.ask(who, "POST", PATH, body)


async def test_serving_challenge_is_planned_its_seed_kept_and_paid_by_the_askers_project(stage: Stage) -> None:
    await connect_gateway(stage)
    answer = await start(stage, claim_milli_per_s=5000, first_token_ms=1500)
    assert answer.status_code == 201, answer.text
    planned: dict[str, Any] = answer.json()
    assert (planned["state"], planned["verdict"], planned["rate_milli_per_s"]) == ("planned", "unknown", None)
    assert (planned["site_id"], planned["project_id"]) == (str(stage.ids["site"]), str(stage.ids["project"]))
    assert (planned["claim_milli_per_s"], planned["work"]["first_token_ms"]) == (5000, 1500)
    # Whoever knew it would know the prompts; it is shown once it is of no use.
    assert planned["work"]["seed"] == ""
    over = (await stage.ask("provider", "GET", f"{PATH}/{stage.ids['serving_challenge']}")).json()
    assert (over["state"], over["work"]["seed"]) == ("judged", "5eed")
    assert (await stage.list_actions())[-1] == "serving_challenge.planned"
    for path in (f"{PATH}/{planned['id']}", f"{PATH}?limit=9"):
        shown = (await stage.ask("auditor", "GET", path)).json()
        assert (shown["items"][-1] if "items" in shown else shown) == planned
    again = await start(stage)
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
    assert "under a serving challenge" in again.json()["detail"]


async def test_serving_challenges_are_seen_by_the_platform_and_by_whose_site_it_was(stage: Stage) -> None:
    for who, count in (("admin", 1), ("auditor", 1), ("provider", 1), ("other_provider", 0), ("owner", 0)):
        listed = (await stage.ask(who, "GET", PATH)).json()["items"]
        assert [line["id"] for line in listed] == [str(stage.ids["serving_challenge"])][:count]


async def test_without_a_connected_gateway_nothing_is_planned(stage: Stage) -> None:
    answer = await start(stage)
    assert (answer.status_code, answer.json()["detail"]) == (409, "no gateway is connected")


@pytest.mark.parametrize("who", ["provider", "owner", "developer", "auditor"])
async def test_only_who_may_challenge_and_make_keys_may_start(stage: Stage, who: str) -> None:
    await connect_gateway(stage)
    answer = await start(stage, who)
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"first_token_ms": 0},
        {"first_token_ms": 9001},
        {"step_s": 6},
        {"output_tokens_max": 0},
        {"concurrency_max": 257},
        {"claim_milli_per_s": 0},
        {"gateway_url": "http://10.0.0.1"},
    ],
)
async def test_start_is_refused(stage: Stage, changes: dict[str, Any]) -> None:
    await connect_gateway(stage)
    assert (await start(stage, **changes)).status_code == 400
