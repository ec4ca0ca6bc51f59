"""History through the client."""

import pyarrow as pa
import pytest

from keisan.domain.errors import InvalidInput
from keisan.sdk import AsyncKeisan, HistoryGroup, HistoryQuery
from tests.api.stage import Stage
from tests.api.test_history import fill

QUERY = HistoryQuery(fields="power_milliwatts", by=HistoryGroup.DEVICE, step_s=600)


async def test_rows_are_the_same_either_way(stage: Stage, admin: AsyncKeisan) -> None:
    await fill(stage)
    answer = await admin.history.query(QUERY)
    assert (len(answer.rows), answer.device_count, answer.site_names) == (3, 2, {stage.site.id: stage.site.name})
    pieces: list[bytes] = []
    await admin.history.download(QUERY, pieces.append)
    table = pa.ipc.open_stream(b"".join(pieces)).read_all()
    assert [tuple(row.values()) for row in table.to_pylist()] == list(answer.rows)


async def test_a_query_that_makes_no_sense_is_refused(stage: Stage, admin: AsyncKeisan) -> None:
    with pytest.raises(InvalidInput):
        await admin.history.query(HistoryQuery(fields="power"))
