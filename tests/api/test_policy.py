"""Policies over HTTP: what one says of each chip, and the clause for which it is refused."""

import pytest

from tests.api.stage import Stage


async def test_check_normalises_and_tells_of_chips(stage: Stage) -> None:
    answer = await stage.ask("developer", "GET", "/policies/check?policy=region%20in%20CN,%20JP-13;advisory%20none")
    assert answer.status_code == 200
    assert answer.json() == {
        "policy": "region in CN, JP-13; advisory none",
        "clauses": ["region in CN, JP-13", "advisory none"],
        "chips": [
            {"chip": "metax-c550", "outcome": "unknown", "clause": "advisory none"},
            {"chip": "nvidia-h20", "outcome": "fails", "clause": "advisory none"},
        ],
    }


@pytest.mark.parametrize(
    ("policy", "clause"),
    [
        ("colour in red", "colour in red"),
        ("region in CN; region in JP", "region in JP"),
        ("vendor in X", "vendor in X"),
    ],
)
async def test_policy_that_could_not_be_set_is_refused(stage: Stage, policy: str, clause: str) -> None:
    answer = await stage.ask("developer", "GET", f"/policies/check?policy={policy.replace(' ', '%20')}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert answer.json()["errors"][0]["field"] == "policy"
    assert f"'{clause}'" in answer.json()["detail"]


@pytest.mark.parametrize("noun", ["organizations", "projects", "keys"])
async def test_policy_that_can_never_match_is_refused_where_it_is_set(stage: Stage, noun: str) -> None:
    path = {
        "organizations": f"/organizations/{stage.ids['beta']}",
        "projects": f"/projects/{stage.project.id}",
        "keys": f"/keys/{stage.keys['developer'].id}",
    }[noun]
    body = {"policy": "advisory none; advisory in CN-CAC-2025-07-31"}
    answer = await stage.ask("admin", "PATCH", path, body, {"if-match": '"1"'})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "policy")
    assert "'advisory in CN-CAC-2025-07-31'" in answer.json()["detail"]
    set_well = await stage.ask("admin", "PATCH", path, {"policy": "advisory none;"}, {"if-match": '"1"'})
    assert (set_well.status_code, set_well.json()["policy"]) == (200, "advisory none")
