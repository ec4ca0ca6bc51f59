"""Surveys through the client."""

from datetime import date

from keisan.sdk import AsyncKeisan, SurveyWithdraw
from tests.api.stage import SURVEY


async def test_survey_is_uploaded_listed_and_withdrawn(admin: AsyncKeisan) -> None:
    assert (await admin.surveys.upload(SURVEY.replace(b"yearbook", b"report"))).created_count == 1
    assert [line.source async for line in admin.surveys.list()] == ["a yearbook", "a report"]
    withdrawn = await admin.surveys.withdraw(SurveyWithdraw(source="a report", date=date(2026, 1, 1)))
    assert withdrawn.deleted_count == 1
