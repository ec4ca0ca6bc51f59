"""Who asks: only a key or a machine that is in force, told from others by its digest alone."""

from dataclasses import replace

import pytest

from keisan.api.authentication import API_PATH, PUBLIC_PATHS
from tests.api.stage import NOBODY, Stage


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic c2s6", "sk-keisan-admin", "Bearer sk-keisan-admin2", "Bearer " + "x" * 300],
)
async def test_anything_but_a_key_is_refused(stage: Stage, header: str) -> None:
    answer = await stage.http.get("/api/v1/platform", headers={"authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_scheme_is_read_in_any_case(stage: Stage) -> None:
    answer = await stage.http.get("/api/v1/platform", headers={"authorization": "bearer sk-keisan-admin"})
    assert answer.status_code == 200


async def test_unknown_paths_are_closed_too(stage: Stage) -> None:
    assert (await stage.ask(NOBODY, "GET", "/nowhere")).status_code == 401
    assert (await stage.http.get("/")).status_code == 401


def test_public_paths_are_these_and_no_more() -> None:
    names = ("healthz", "openapi.json", "machines/join", "links/ask")
    open_paths = {"/healthz", *(f"{API_PATH}/{name}" for name in names)}
    assert open_paths == PUBLIC_PATHS


async def test_revoked_machine_is_refused(stage: Stage) -> None:
    assert (await stage.ask("gateway", "GET", "/gateway/snapshot")).status_code == 200
    machine = stage.machines["gateway"]
    async with stage.storage.write() as transaction:
        await transaction.machines.update(replace(machine, revoked_at=stage.clock.now(), version=2))
    assert (await stage.ask("gateway", "GET", "/gateway/snapshot")).status_code == 401
