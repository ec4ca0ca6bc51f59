"""A survey's lines are read in order of their place and go together; those of others stay."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.access import PlatformScope
from keisan.storage.database import Database
from tests.factories import create_survey_line, plant_world

EVERYTHING = PlatformScope()


async def test_survey_goes_as_a_whole_and_alone(storage: Database) -> None:
    world = await plant_world(storage)
    first = world.survey_line
    source, day = first.evidence.source, first.evidence.date
    third, second = create_survey_line(3), create_survey_line(2)
    older = replace(create_survey_line(), evidence=replace(first.evidence, date=day - timedelta(days=1)))
    other = replace(create_survey_line(), evidence=replace(first.evidence, source="another"))
    async with storage.write() as transaction:
        for line in (third, second, older, other):
            await transaction.surveys.insert(line)
    async with storage.read() as view:
        assert await view.surveys.list_survey(EVERYTHING, source, day) == [first, second, third]
        assert len(await view.surveys.list_all(EVERYTHING)) == 5
    async with storage.write() as transaction:
        assert await transaction.surveys.delete_survey(source, day) == 3
        assert await transaction.surveys.delete_survey(source, day) == 0
    async with storage.read() as view:
        assert await view.surveys.list_all(EVERYTHING) == (older, other)
