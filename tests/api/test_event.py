"""Events over HTTP: the chain in order, for auditors and admins only."""

from tests.api.stage import Stage


async def test_events_follow_one_another(stage: Stage) -> None:
    first = (await stage.ask("auditor", "GET", "/events?limit=2")).json()
    assert [line["sequence"] for line in first["items"]] == [1, 2]
    rest = (await stage.ask("auditor", "GET", "/events?after=2&limit=500")).json()["items"]
    assert rest[0]["previous_hash"] == first["items"][1]["hash"]
    assert rest[-1]["sequence"] == first["last_sequence"]


async def test_others_may_not_read_them(stage: Stage) -> None:
    for who in ("owner", "developer", "provider"):
        assert (await stage.ask(who, "GET", "/events")).status_code == 403


async def test_write_names_its_actor(stage: Stage) -> None:
    await stage.ask("admin", "POST", "/organizations", {"name": "gamma"})
    events = (await stage.ask("admin", "GET", "/events?limit=500")).json()["items"]
    assert events[-1]["action"] == "organization.created"
    assert events[-1]["actor"] == f"key:{stage.keys['admin'].id}"
    assert events[-1]["detail"] == {"name": "gamma"}
