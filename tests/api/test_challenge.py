"""Challenges over HTTP: started, ordered with a report, committed to, answered, judged, and shown to whose site it is."""

import pytest

from keisan.control.lease import LeaseLoop
from keisan.control.reconcilers.challenge import ChallengeReconciler
from keisan.domain.lease import WorkNoun
from tests.api.stage import Stage, build_report


async def start(stage: Stage, who: str = "provider", **changes: object) -> list[dict[str, object]]:
    body = {"site_id": str(stage.ids["site"]), "may_disturb": True} | changes
    answer = await stage.ask(who, "POST", "/challenges", body)
    assert answer.status_code == 201, answer.text
    started: list[dict[str, object]] = answer.json()["challenges"]
    return started


async def test_challenge_goes_its_way(stage: Stage) -> None:
    [started] = await start(stage, workload="fp64", claim_per_s=10**9)
    assert (started["hardware_id"], started["state"], started["claim_per_s"]) == ("cpu-1", "planned", 10**9)
    orders = (await stage.ask("site", "POST", "/site/report", build_report())).json()["challenges"]
    order = next(order for order in orders if order["challenge_id"] == started["id"])
    work = {name: order[name] for name in ("workload", "width", "count", "seed")}
    # Who reads of it before it is ordered cannot begin before its time does.
    assert started["work"] == work | {"seed": ""}
    assert (await stage.ask("provider", "GET", f"/challenges/{started['id']}")).json()["work"] == work
    path = f"/site/challenges/{started['id']}"
    committed = await stage.ask("site", "POST", f"{path}/commit", {"commitment": "ab" * 32, "told_us": 7})
    assert (committed.status_code, len(committed.json()["positions"])) == (200, 24)
    taken = await stage.ask("site", "POST", f"{path}/answer", {"leaves": [{"content": "AAAA", "path": ["ab" * 32]}]})
    # The asker is told nothing of what came of it.
    assert (taken.status_code, taken.json()) == (200, {"state": "answered"})
    await LeaseLoop(stage.control, {WorkNoun.CHALLENGE: ChallengeReconciler(stage.control.challenge_terms)}).run_round()
    judged = (await stage.ask("auditor", "GET", f"/challenges/{started['id']}")).json()
    assert (judged["state"], judged["verdict"], judged["flags"]) == ("judged", "failed", ["wrong_answer"])
    assert (judged["told_us"], judged["rate_per_s"]) == (7, None)
    verified = (await stage.ask("provider", "GET", "/challenges/verified")).json()["items"]
    assert [(line["workload"], line["device_count"], line["verified_count"]) for line in verified] == [("fp64", 1, 0)]
    assert (await stage.ask("stranger", "GET", "/challenges/verified")).json() == {"items": []}


async def test_challenges_are_listed_by_site(stage: Stage) -> None:
    [started] = await start(stage)
    everything = (await stage.ask("admin", "GET", "/challenges")).json()["items"]
    own = (await stage.ask("admin", "GET", f"/challenges?site_id={stage.ids['site']}")).json()["items"]
    assert own == everything
    assert [line["id"] for line in own] == [str(stage.ids["challenge"]), started["id"]]
    other = await stage.ask("admin", "GET", f"/challenges?site_id={stage.ids['model']}")
    assert other.json()["items"] == []
    for who, count in (("owner", 0), ("other_provider", 0), ("provider", 2)):
        assert len((await stage.ask(who, "GET", "/challenges")).json()["items"]) == count


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"may_disturb": False}, 409),
        ({"workload": "fp4"}, 400),
        ({"claim_per_s": 0}, 400),
        ({"nodes": []}, 400),
    ],
)
async def test_start_is_refused(stage: Stage, changes: dict[str, object], status: int) -> None:
    body = {"site_id": str(stage.ids["site"]), "may_disturb": True} | changes
    assert (await stage.ask("admin", "POST", "/challenges", body)).status_code == status
