"""The platform over HTTP, and its health."""

import hashlib

import pytest

from keisan.domain.errors import StorageUnavailable
from tests.api.stage import NOBODY, Stage


async def test_platform_id_is_the_hash_of_its_key(stage: Stage) -> None:
    shown = (await stage.ask("developer", "GET", "/platform")).json()
    assert shown["id"] == hashlib.sha256(bytes.fromhex(shown["public_key"])).hexdigest()
    created = await stage.ask("owner", "POST", "/keys", {"name": "new", "project_id": str(stage.project.id)})
    again = (await stage.ask("developer", "GET", "/platform")).json()
    assert again["snapshot_version"] == shown["snapshot_version"] + 1 == created.json()["snapshot_version"]


async def test_health_needs_no_key(stage: Stage) -> None:
    for path in ("/healthz", "/api/v1/healthz"):
        answer = await stage.http.get(path)
        assert answer.json() == {"status": "ok", "platform_id": stage.control.platform_id, "version": "0.1.0"}


async def test_health_tells_that_the_database_is_gone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise StorageUnavailable("the database does not answer", "at /somewhere")

    monkeypatch.setattr(stage.storage, "check", fail)
    answer = await stage.ask(NOBODY, "GET", "/healthz")
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "storage_unavailable", True)
    assert answer.headers["retry-after"] == "1"
    assert "somewhere" not in answer.text
