"""Surveys on the wire: lines of CSV, each with its evidence."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from keisan.domain.evidence import Grade
from keisan.domain.figure import Precision
from keisan.domain.survey import SurveyLine
from keisan.wire.base import Count, Name, Region, WireInput, WireView
from keisan.wire.claim import Gflops
from keisan.wire.csv_file import CsvShape, list_gflops_columns, list_plain
from keisan.wire.facility import RATIO, PlainText


class SurveyLineWrite(WireInput):
    """One facility, or several together, that are not connected. Its survey is the `source` and `date`, handed in whole."""

    region: Region
    owner: PlainText
    vendor: PlainText | None = None
    chip: Name | None = None
    device_count: Count | None = None
    standard_racks: Count | None = None
    memory_bytes: Count | None = None
    storage_bytes: Count | None = None
    pue_permille: Annotated[int, RATIO] | None = None
    gflops: Gflops = {}
    source: PlainText
    date: date
    grade: Grade


class SurveyWithdraw(WireInput):
    """Which survey goes."""

    source: PlainText
    date: date


class SurveyWithdrawn(WireView):
    """How many lines went."""

    deleted_count: Annotated[int, Field(ge=0)]


class SurveyLineView(WireView):
    """A line of a survey as the API shows it."""

    id: UUID
    platform_id: str
    source: str
    date: date
    grade: Grade
    line: int
    region: str
    owner: str
    vendor: str | None
    chip: str | None
    device_count: int | None
    standard_racks: int | None
    memory_bytes: int | None
    storage_bytes: int | None
    pue_permille: int | None
    gflops: dict[Precision, int]
    created_at: datetime


SURVEY_CSV = CsvShape(SurveyLineWrite, list_plain(SurveyLineWrite, {"gflops": list_gflops_columns()}))


def build_survey_view(line: SurveyLine) -> SurveyLineView:
    """Return a line as the API shows it."""
    parts = (line.evidence, line.facility, line)
    told = {name: getattr(part, name) for part in parts for name in SurveyLineView.model_fields if hasattr(part, name)}
    return SurveyLineView(**told)
