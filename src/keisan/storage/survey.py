"""Lines of surveys, public on the platform, in a table of their own: no sum of what is connected can meet them."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date

from sqlalchemy import BigInteger, Date, Table, Text, UniqueConstraint, delete

from keisan.domain.access import Scope
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.ids import SurveyId
from keisan.domain.survey import SurveyedFacility, SurveyLine
from keisan.storage.gflops import decode_gflops, encode_gflops
from keisan.storage.repository import Condition, FixedRepository, Visibility, limit_to_all
from keisan.storage.schema import (
    AnyRow,
    EnumText,
    Structure,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)

SURVEYED = tuple(field.name for field in fields(SurveyedFacility))

survey_line = Table(
    "survey_line",
    metadata,
    *build_noun_columns(),
    build_column("source", Text()),
    build_column("day", Date()),
    build_column("grade", EnumText(Grade)),
    build_column("line", BigInteger()),
    build_id("uploaded_by"),
    build_column("region", Text()),
    build_column("owner", Text()),
    build_column("vendor", Text(), is_nullable=True),
    build_column("chip", Text(), is_nullable=True),
    build_column("device_count", BigInteger(), is_nullable=True),
    build_column("standard_racks", BigInteger(), is_nullable=True),
    build_column("memory_bytes", BigInteger(), is_nullable=True),
    build_column("storage_bytes", BigInteger(), is_nullable=True),
    build_column("pue_permille", BigInteger(), is_nullable=True),
    build_column("gflops", Structure(encode_gflops, decode_gflops)),
    UniqueConstraint("source", "day", "line"),
)
OWN = ("id", "platform_id", "line", "uploaded_by", "version", "created_at")


class SurveyRepository(FixedRepository[SurveyLine, SurveyId]):
    """Lines by id, and by survey."""

    table = survey_line
    noun_type = SurveyLine
    unique = "place in its survey"
    visibility = Visibility(organization=limit_to_all, provider=limit_to_all)

    def _to_row(self, noun: SurveyLine) -> dict[str, object]:
        evidence = {"source": noun.evidence.source, "day": noun.evidence.date, "grade": noun.evidence.grade}
        own = {name: getattr(noun, name) for name in OWN}
        return own | evidence | {name: getattr(noun.facility, name) for name in SURVEYED}

    def _to_noun(self, row: AnyRow) -> SurveyLine:
        return SurveyLine(
            **{name: row[name] for name in OWN},
            evidence=Evidence(row["source"], row["grade"], row["day"]),
            facility=SurveyedFacility(**{name: row[name] for name in SURVEYED}),
        )

    async def list_all(self, scope: Scope) -> Sequence[SurveyLine]:
        """Return all lines of all surveys."""
        return await self._list_where(scope)

    async def list_survey(self, scope: Scope, source: str, day: date) -> Sequence[SurveyLine]:
        """Return a survey's lines in order of their place."""
        lines = await self._list_where(scope, _match_survey(source, day))
        return sorted(lines, key=lambda line: line.line)

    async def delete_survey(self, source: str, day: date) -> int:
        """Delete a survey's lines and return how many there were."""
        return await self._connection.change(delete(survey_line).where(_match_survey(source, day)))


def _match_survey(source: str, day: date) -> Condition:
    return (survey_line.c.source == source) & (survey_line.c.day == day)
