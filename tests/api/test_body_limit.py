"""The body limit: announced or not, nothing larger is read."""

from collections.abc import AsyncIterator

import pytest

from keisan.domain.limits import API_BODY_BYTES_MAX
from tests.api.stage import Stage

CHUNK = b" " * (1024 * 1024)


async def test_announced_body_is_refused(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {stage.secrets['admin']}", "content-type": "application/json"}
    answer = await stage.http.post("/api/v1/organizations", content=b" " * (API_BODY_BYTES_MAX + 1), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("extra", [{}, {"idempotency-key": "k1"}])
async def test_unannounced_body_is_cut_off(stage: Stage, extra: dict[str, str]) -> None:
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 4 * API_BODY_BYTES_MAX:
            sent += len(CHUNK)
            yield CHUNK

    headers = {"authorization": f"Bearer {stage.secrets['admin']}", "content-type": "application/json"} | extra
    answer = await stage.http.post("/api/v1/organizations", content=stream(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert sent <= API_BODY_BYTES_MAX + len(CHUNK)


async def test_largest_body_passes(stage: Stage) -> None:
    headers = {"authorization": f"Bearer {stage.secrets['admin']}", "content-type": "application/json"}
    content = b'{"name": "gamma"}'.ljust(API_BODY_BYTES_MAX)
    assert (await stage.http.post("/api/v1/organizations", content=content, headers=headers)).status_code == 201
