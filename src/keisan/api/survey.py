"""Surveys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body, Query

from keisan.api.context import CallerOf
from keisan.api.page import build_page, read_page
from keisan.control import survey as commands
from keisan.wire.csv_file import CSV_TYPE
from keisan.wire.facility import UploadAnswer
from keisan.wire.page import ListQuery, Page
from keisan.wire.survey import SURVEY_CSV, SurveyLineView, SurveyWithdraw, SurveyWithdrawn, build_survey_view

DESCRIPTION = (
    "A first line of names, then a line for each facility, or several together, that are not connected. Each survey (source and "
    "date) is replaced whole. All is taken, or nothing and every bad line is told. Columns: "
    + ", ".join(column.name for column in SURVEY_CSV.columns)
)

router = APIRouter(prefix="/surveys", tags=["surveys"])


@router.get("")
async def list_survey_lines(caller: CallerOf, query: Annotated[ListQuery, Query()]) -> Page[SurveyLineView]:
    async with caller.read() as view:
        found = await view.surveys.list(caller.scope, read_page(query))
    return build_page(found, build_survey_view)


@router.post("/upload")
async def upload_surveys(
    caller: CallerOf,
    # Strict, or a JSON text would pass for lines.
    body: Annotated[bytes, Body(media_type=CSV_TYPE, strict=True, description=DESCRIPTION)],
) -> UploadAnswer:
    return await commands.upload_surveys(caller.control, caller.principal, body)


@router.post("/withdraw")
async def withdraw_survey(caller: CallerOf, body: SurveyWithdraw) -> SurveyWithdrawn:
    deleted_count = await commands.withdraw_survey(caller.control, caller.principal, body)
    return SurveyWithdrawn(deleted_count=deleted_count)
