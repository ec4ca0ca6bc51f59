"""Idempotency keys: done once, answered twice, by the same key only, and unreadable at rest."""

import asyncio
import sqlite3
from collections import Counter

import pytest
from starlette.responses import Response

from keisan.api.idempotency import JoinedStorage, _find_answer, _Write
from keisan.domain.errors import NotFound
from keisan.domain.ids import OrganizationId
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from tests.api.stage import EVERYTHING, Stage, build_report

KEY = {"idempotency-key": "once-1"}


async def test_repeat_is_answered_and_not_done(stage: Stage) -> None:
    first = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY)
    again = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert Counter(await stage.list_actions())["organization.created"] == 3


@pytest.mark.parametrize("change", ["body", "path", "query", "tag"])
async def test_key_is_for_one_request(stage: Stage, change: str) -> None:
    path = f"/organizations/{stage.ids['beta']}"
    await stage.ask("admin", "PATCH", path, {"name": "gamma"}, KEY | {"if-match": '"1"'})
    other = await stage.ask(
        "admin",
        "PATCH",
        f"/projects/{stage.ids['second']}" if change == "path" else path + ("?x=1" if change == "query" else ""),
        {"name": "delta" if change == "body" else "gamma"},
        KEY | {"if-match": '"2"' if change == "tag" else '"1"'},
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_key_is_the_askers_own(stage: Stage) -> None:
    mine = await stage.ask("admin", "POST", "/projects", {"name": "p", "organization_id": str(stage.ids["beta"])}, KEY)
    theirs = await stage.ask("owner", "POST", "/projects", {"name": "p"}, KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_refused_write_keeps_nothing(stage: Stage) -> None:
    refused = await stage.ask("admin", "POST", "/organizations", {"name": "beta"}, KEY)
    assert refused.status_code == 409
    invalid = await stage.ask("admin", "POST", "/organizations", {"name": ""}, KEY)
    assert invalid.status_code == 400
    assert (await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY)).status_code == 201


async def test_secret_is_repeated_to_its_owner_and_unreadable_at_rest(stage: Stage) -> None:
    body = {"name": "k", "project_id": str(stage.project.id)}
    first = await stage.ask("admin", "POST", "/keys", body, KEY)
    again = await stage.ask("admin", "POST", "/keys", body, KEY)
    secret = first.json()["secret"]
    assert again.json()["secret"] == secret
    async with stage.storage.read() as view:
        kept = await view.idempotency.find(stage.keys["admin"].id, KEY["idempotency-key"])
    assert kept is not None
    assert secret not in kept.body
    assert "secret" not in kept.body


async def test_twins_at_the_same_time_make_one(any_stage: Stage) -> None:
    twins = [any_stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY) for _ in range(5)]
    answers = await asyncio.gather(*twins)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
    assert Counter(await any_stage.list_actions())["organization.created"] == 3


async def test_twin_that_comes_second_is_answered_by_the_first(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two writers that run at once, the second sees the first's answer only when it collides with it."""
    first = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY)
    looks = 0

    async def find_late(view: Transaction, write: _Write) -> Response | None:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await _find_answer(view, write)

    monkeypatch.setattr("keisan.api.idempotency._find_answer", find_late)
    second = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY)
    assert (second.status_code, second.content) == (201, first.content)
    assert looks == 2


async def test_failure_to_keep_the_answer_undoes_the_write(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk")

    monkeypatch.setattr("keisan.api.idempotency._seal_answer", fail)
    answer = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, KEY)
    assert answer.status_code >= 500
    listed = await stage.ask("admin", "GET", "/organizations")
    assert "gamma" not in listed.text


@pytest.mark.parametrize("key", ["", "x" * 129, "tab\there"])
async def test_wrong_key_is_refused(stage: Stage, key: str) -> None:
    answer = await stage.ask("admin", "POST", "/organizations", {"name": "gamma"}, {"idempotency-key": key})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_machines_exchanges_and_reads_are_not_kept(stage: Stage) -> None:
    for _ in range(2):
        report = await stage.ask("site", "POST", "/site/report", build_report(), KEY)
        assert report.status_code == 200
        assert "idempotency-replayed" not in report.headers
        listed = await stage.ask("admin", "GET", "/organizations", headers=KEY)
        assert "idempotency-replayed" not in listed.headers


async def test_joined_storage_is_the_one_transaction(stage: Stage) -> None:
    async with stage.storage.write() as transaction:
        joined = JoinedStorage(stage.storage, transaction)
        async with joined.write() as inner, joined.read() as view:
            assert inner is transaction
            assert view is transaction
            with pytest.raises(NotFound):
                await view.organizations.get(EVERYTHING, OrganizationId(create_id()))
        await joined.migrate()
        await joined.close()
    await stage.storage.check()
