"""Usage through the client."""

from datetime import date

import pytest

from keisan.domain.archive import AnalysisKey, ExportFormat
from keisan.domain.errors import InvalidInput
from keisan.sdk import AnalysisQuery, AsyncKeisan, ExportQuery, UsageQuery
from tests.api.stage import Stage


async def test_records_and_sums(stage: Stage, admin: AsyncKeisan) -> None:
    [record] = [line async for line in admin.usage.list()]
    assert await admin.usage.get(stage.ids["record"]) == record
    summary = await admin.usage.sum(UsageQuery(key_id=stage.ids["key"]))
    assert [(line.call_count, line.amount_nano) for line in summary.lines] == [(1, 30500)]
    nothing = UsageQuery(since=date(2020, 1, 1), until=date(2020, 1, 2))
    assert [line async for line in admin.usage.list(nothing)] == []
    assert (await admin.usage.sum(nothing)).lines == ()


async def test_archive_is_analysed_and_exported(stage: Stage, admin: AsyncKeisan) -> None:
    analysis = await admin.usage.analyse(AnalysisQuery(by="model,day"))
    (line,) = analysis.lines
    assert (line.group[AnalysisKey.MODEL], line.amount_nano) == (str(stage.ids["model"]), 30_500)
    pieces: list[bytes] = []
    reach = await admin.usage.export(ExportQuery(format=ExportFormat.JSONL), pieces.append)
    assert str(stage.ids["record"]).encode() in b"".join(pieces)
    assert reach == analysis.reach
    with pytest.raises(InvalidInput):
        await admin.usage.export(ExportQuery(since=date(2020, 1, 2), until=date(2020, 1, 1)), pieces.append)
