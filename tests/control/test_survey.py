"""Commands on surveys: the platform's to write, each replaced whole, all of a table or none of it."""

from datetime import timedelta

import pytest

from keisan.control.context import Control
from keisan.control.survey import upload_surveys, withdraw_survey
from keisan.domain.access import Principal, Role
from keisan.domain.errors import NotFound, PermissionDenied, TableInvalid
from keisan.domain.survey import SurveyLine
from keisan.wire.facility import UploadAnswer
from keisan.wire.survey import SurveyWithdraw
from tests.control.people import EVERYTHING, add_key, count_actions
from tests.factories import NOW, World

WITHDRAW = SurveyWithdraw(source="a yearbook", date=NOW.date())


@pytest.fixture
async def admin(control: Control, world: World) -> Principal:
    return await add_key(control, world.left.project, Role.PLATFORM_ADMIN)


async def list_lines(control: Control) -> list[SurveyLine]:
    async with control.storage.read() as view:
        return list(await view.surveys.list_all(EVERYTHING))


def write_table(*lines: str) -> bytes:
    return "\n".join(["region,owner,device_count,source,date,grade", *lines]).encode()


TABLE = write_table("CN-SX,one,1,A,2026-01-01,C", "CN-SX,two,,A,2026-01-01,D", "JP-13,three,3,B,2026-02-01,A")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.PROVIDER, Role.ORGANIZATION_ADMIN, Role.DEVELOPER])
async def test_nobody_but_an_admin_writes_one(control: Control, world: World, role: Role) -> None:
    who = await add_key(control, world.left.project, role, world.left.provider.id)
    with pytest.raises(PermissionDenied):
        await upload_surveys(control, who, TABLE)
    with pytest.raises(PermissionDenied):
        await withdraw_survey(control, who, WITHDRAW)


async def test_survey_is_replaced_whole_and_others_stay(control: Control, world: World, admin: Principal) -> None:
    assert (await upload_surveys(control, admin, TABLE)).created_count == 3
    stored = await list_lines(control)
    assert await upload_surveys(control, admin, TABLE) == UploadAnswer(
        created_count=0, changed_count=0, unchanged_count=3
    )
    assert await list_lines(control) == stored
    shorter = write_table("CN-SX,two,5,A,2026-01-01,D")
    answer = await upload_surveys(control, admin, shorter)
    assert (answer.created_count, answer.deleted_count) == (1, 2)
    found = {
        (line.evidence.source, line.facility.owner): line.facility.device_count for line in await list_lines(control)
    }
    assert found == {("a yearbook", "Datong"): 100, ("A", "two"): 5, ("B", "three"): 3}
    assert await count_actions(control) == {"survey.uploaded": 2}


async def test_survey_is_withdrawn_once(control: Control, world: World, admin: Principal) -> None:
    assert await withdraw_survey(control, admin, WITHDRAW) == 1
    assert await list_lines(control) == []
    with pytest.raises(NotFound):
        await withdraw_survey(control, admin, WITHDRAW)
    assert await count_actions(control) == {"survey.withdrawn": 1}


async def test_every_bad_line_is_told_and_nothing_is_taken(control: Control, world: World, admin: Principal) -> None:
    tomorrow = NOW.date() + timedelta(days=1)
    table = write_table(
        "CN-SX,one,1,A,2026-01-01,C", f"CN-SX,one,1,A,{tomorrow},C", "Shanxi,=1,1,A,2026-01-01,E", "CN-SX,one,1,,,"
    )
    with pytest.raises(TableInvalid) as refusal:
        await upload_surveys(control, admin, table)
    assert [place for place, _ in refusal.value.faults] == [
        "lines[3].date",
        "lines[4].grade",
        "lines[4].owner",
        "lines[4].region",
        "lines[5].date",
        "lines[5].grade",
        "lines[5].source",
    ]
    assert await list_lines(control) == [world.survey_line]
    assert await count_actions(control) == {}
