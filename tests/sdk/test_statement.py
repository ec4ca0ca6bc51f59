"""Statements through the client: closed, read in every form, and proved from their records."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest

from keisan.domain.errors import InvalidInput, StateConflict
from keisan.sdk import (
    AsyncKeisan,
    CloseOutcome,
    ClosingState,
    ClosingView,
    Connections,
    HolderKind,
    Keisan,
    PreviewQuery,
    StatementClose,
    verify_statement,
)
from tests.api.stage import Stage
from tests.deadline import wait_until_async
from tests.sdk.platform import connect
from tests.settlement import run_closings


async def test_statement_is_closed_and_proved_by_its_holder(stage: Stage, admin: AsyncKeisan) -> None:
    with pytest.raises(StateConflict):
        await admin.statements.close(StatementClose(period="2026-11"))
    stage.clock.instant = datetime(2026, 12, 8, tzinfo=UTC)
    asked = await admin.statements.close(StatementClose(period="2026-11"))
    assert asked.state is ClosingState.CLOSING
    moved: list[ClosingView] = []

    def note(closing: ClosingView) -> None:
        moved.append(closing)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(admin.statements.wait_closed(asked.id, note))
        await wait_until_async(lambda: bool(moved), "somebody waits")
        await run_closings(stage.control)
    closed = waiting.result()
    assert (moved[0], moved[-1]) == (asked, closed)
    # Told of what moved, and of nothing else.
    assert all(before != after for before, after in itertools.pairwise(moved))
    assert closed.counts == {CloseOutcome.CLOSED: 2}
    assert closed in [line async for line in admin.statements.list_closings()]
    async with AsyncKeisan.over(Connections(connect(stage, "owner"))) as owner:
        [line] = [line async for line in owner.statements.list()]
        assert line.id is not None
        detail = await owner.statements.get(line.id)
        leaves = [record.leaf async for record in owner.statements.list_records(line.id)]
        signed = await owner.statements.get_signed(line.id)
        assert verify_statement(signed, leaves) == detail
        with pytest.raises(InvalidInput):
            verify_statement(signed, [])
        assert (await owner.statements.get_csv(line.id)).startswith(b"period,line,")
        assert (await owner.statements.get_html(line.id)).startswith(b"<!DOCTYPE html>")
        query = PreviewQuery(
            holder_kind=HolderKind.CUSTOMER, holder_id=stage.ids["organization"], currency="CNY", period="2026-11"
        )
        assert (await owner.statements.preview(query)).lines == detail.lines


def test_blocking_twin_lists(keisan: Keisan) -> None:
    [line] = list(keisan.statements.list())
    assert line.id is not None
    assert keisan.statements.get(line.id).holder_name == "hikari"
