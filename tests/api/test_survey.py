"""Surveys over HTTP: everybody reads them, administrators write them."""

import pytest

from tests.api.stage import SURVEY, Stage


@pytest.mark.parametrize("who", ["admin", "auditor", "developer", "provider", "stranger"])
async def test_everybody_reads_surveys_with_their_evidence(stage: Stage, who: str) -> None:
    [line] = (await stage.ask(who, "GET", "/surveys")).json()["items"]
    assert (line["source"], line["date"], line["grade"]) == ("a yearbook", "2026-01-01", "C")
    assert (line["owner"], line["gflops"], line["memory_bytes"]) == ("Datong", {"fp16": 80_000_000}, None)
    assert "uploaded_by" not in line


async def test_survey_is_replaced_and_withdrawn(stage: Stage) -> None:
    again = (await stage.ask("admin", "POST", "/surveys/upload", SURVEY)).json()
    assert (again["unchanged_count"], again["created_count"]) == (1, 0)
    changed = (await stage.ask("admin", "POST", "/surveys/upload", SURVEY.replace(b"100", b"200"))).json()
    assert (changed["created_count"], changed["deleted_count"]) == (1, 1)
    body = {"source": "a yearbook", "date": "2026-01-01"}
    assert (await stage.ask("provider", "POST", "/surveys/withdraw", body)).status_code == 403
    assert (await stage.ask("admin", "POST", "/surveys/withdraw", body)).json() == {"deleted_count": 1}
    assert (await stage.ask("admin", "POST", "/surveys/withdraw", body)).status_code == 404
    assert (await stage.ask("admin", "GET", "/surveys")).json()["items"] == []
