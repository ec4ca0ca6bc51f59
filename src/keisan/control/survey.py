"""Commands on surveys: take a table, which replaces each survey that it has lines of, and withdraw one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date

from keisan.control.context import Control, name_actor
from keisan.control.facility import describe_upload
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.evidence import Evidence
from keisan.domain.ids import KeyId, SurveyId
from keisan.domain.survey import SurveyedFacility, SurveyLine
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.csv_file import CsvFault, NumberedLine, raise_faults, read_csv
from keisan.wire.facility import UploadAnswer
from keisan.wire.survey import SURVEY_CSV, SurveyLineWrite, SurveyWithdraw

SURVEYED = tuple(field.name for field in fields(SurveyedFacility))


@dataclass(frozen=True, slots=True)
class _Counts:
    created: int = 0
    unchanged: int = 0
    deleted: int = 0


async def upload_surveys(control: Control, principal: Principal, content: bytes) -> UploadAnswer:
    """Take a table of surveys, all of it or nothing: a survey is its source and date, and what was stored of it is replaced.

    A survey that is stored as it is stays. Raises PermissionDenied, TableInvalid with every bad line.
    """
    principal.require(Right.WRITE_SURVEYS)
    lines, faults = read_csv(content, SURVEY_CSV)
    raise_faults([*faults, *(_check_day(control, line) for line in lines if _is_to_come(control, line))])
    async with control.storage.write() as transaction:
        counts = [
            await _replace(transaction, survey, _build_lines(control, principal, bodies))
            for survey, bodies in _group(lines).items()
        ]
        answer = UploadAnswer(
            created_count=sum(count.created for count in counts),
            changed_count=0,
            unchanged_count=sum(count.unchanged for count in counts),
            deleted_count=sum(count.deleted for count in counts),
        )
        if answer.created_count:
            await transaction.events.append(
                EventDraft(name_actor(principal), "survey.uploaded", None, describe_upload(answer))
            )
    return answer


async def withdraw_survey(control: Control, principal: Principal, body: SurveyWithdraw) -> int:
    """Delete a survey's lines and return how many there were; raises PermissionDenied, NotFound."""
    principal.require(Right.WRITE_SURVEYS)
    async with control.storage.write() as transaction:
        deleted_count = await transaction.surveys.delete_survey(body.source, body.date)
        if not deleted_count:
            raise NotFound(f"there is no survey of {body.date} from '{body.source}'")
        detail = {"source": body.source, "day": str(body.date), "deleted_count": str(deleted_count)}
        await transaction.events.append(EventDraft(name_actor(principal), "survey.withdrawn", None, detail))
    return deleted_count


def _is_to_come(control: Control, line: NumberedLine[SurveyLineWrite]) -> bool:
    return line.body.date > control.clock.now().date()


def _check_day(control: Control, line: NumberedLine[SurveyLineWrite]) -> CsvFault:
    return CsvFault(line.number, "date", f"expected a day until {control.clock.now().date()}, got {line.body.date}")


def _group(lines: Sequence[NumberedLine[SurveyLineWrite]]) -> Mapping[tuple[str, date], list[SurveyLineWrite]]:
    surveys: dict[tuple[str, date], list[SurveyLineWrite]] = {}
    for line in lines:
        surveys.setdefault((line.body.source, line.body.date), []).append(line.body)
    return surveys


def _build_lines(control: Control, principal: Principal, bodies: Sequence[SurveyLineWrite]) -> list[SurveyLine]:
    return [
        SurveyLine(
            id=SurveyId(create_id()),
            platform_id=control.platform_id,
            evidence=Evidence(body.source, body.grade, body.date),
            line=place,
            facility=SurveyedFacility(**{name: getattr(body, name) for name in SURVEYED}),
            uploaded_by=KeyId(principal.id),
            version=1,
            created_at=control.clock.now(),
        )
        for place, body in enumerate(bodies, start=1)
    ]


async def _replace(transaction: Transaction, survey: tuple[str, date], lines: Sequence[SurveyLine]) -> _Counts:
    stored = await transaction.surveys.list_survey(PlatformScope(), *survey)
    if [(line.evidence, line.facility) for line in stored] == [(line.evidence, line.facility) for line in lines]:
        return _Counts(unchanged=len(lines))
    deleted_count = await transaction.surveys.delete_survey(*survey)
    for line in lines:
        await transaction.surveys.insert(line)
    return _Counts(created=len(lines), deleted=deleted_count)
