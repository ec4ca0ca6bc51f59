"""Deductions over HTTP: the platform's to write, and everybody's to see what applies to them."""

import pytest

from tests.api.stage import Stage


async def test_everybody_sees_what_applies_to_them(stage: Stage) -> None:
    organization = str(stage.ids["organization"])
    bodies: dict[str, dict[str, object]] = {
        "everybody's margin": {"kind": "margin", "rate_ppm": 50_000},
        "everybody's tax": {"kind": "tax", "rate_ppm": 60_000},
        "own tax": {"kind": "tax", "organization_id": organization, "rate_ppm": 0},
    }
    made = {"own margin": str(stage.ids["deduction"])}
    for name, body in bodies.items():
        created = await stage.ask("admin", "POST", "/deductions", body)
        assert created.status_code == 201, created.text
        made[name] = created.json()["id"]
    expected = {
        "admin": set(made),
        "auditor": set(made),
        "owner": {"everybody's tax", "own tax"},
        "developer": {"everybody's tax", "own tax"},
        "stranger": {"everybody's tax"},
        "provider": {"everybody's margin", "own margin"},
        "other_provider": {"everybody's margin"},
    }
    for who, seen in expected.items():
        listed = (await stage.ask(who, "GET", "/deductions")).json()["items"]
        assert {line["id"] for line in listed} == {made[name] for name in seen}, who
        for name, deduction_id in made.items():
            status = (await stage.ask(who, "GET", f"/deductions/{deduction_id}")).status_code
            assert status == (200 if name in seen else 404), (who, name)


@pytest.mark.parametrize("who", ["auditor", "owner", "developer", "provider", "other_provider"])
async def test_nobody_but_an_admin_writes_one(stage: Stage, who: str) -> None:
    events = await stage.list_actions()
    for path, body in (
        ("/deductions", {"kind": "margin", "rate_ppm": 0}),
        (f"/deductions/{stage.ids['deduction']}/withdraw", None),
    ):
        assert (await stage.ask(who, "POST", path, body)).status_code == 403
    assert await stage.list_actions() == events


async def test_withdrawn_once(stage: Stage) -> None:
    withdrawn = await stage.ask("admin", "POST", f"/deductions/{stage.ids['deduction']}/withdraw")
    assert (withdrawn.status_code, withdrawn.json()["rate_ppm"], withdrawn.json()["version"]) == (201, None, 2)
    assert withdrawn.headers["etag"] == '"2"'
    again = await stage.ask("admin", "POST", f"/deductions/{withdrawn.json()['id']}/withdraw")
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate_ppm": 1_000_001}, "rate_ppm"),
        ({"rate_ppm": None}, "rate_ppm"),
        ({"kind": "levy"}, "kind"),
        ({"kind": "tax", "provider_id": "019ab000-0005-7000-8000-000000000001"}, "provider_id"),
        ({"effective_from": "2020-01-01T00:00:00Z"}, "effective_from"),
    ],
)
async def test_wrong_ones_are_refused(stage: Stage, changes: dict[str, object], field: str) -> None:
    answer = await stage.ask("admin", "POST", "/deductions", {"kind": "margin", "rate_ppm": 1} | changes)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
