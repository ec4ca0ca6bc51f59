"""Grants and wants through the client."""

from keisan.domain.grant import GrantState, OnExpiry, WantState
from keisan.sdk import AsyncKeisan, GrantAsk, WorkUpdate
from tests.api.stage import Stage


async def test_grant_is_issued_and_ended_under_terms(stage: Stage, admin: AsyncKeisan) -> None:
    terms = await admin.grants.update_terms(await admin.grants.get_terms(), 3)
    assert terms.automatic_count == 3
    issued = await admin.grants.approve(stage.ids["grant"])
    assert await admin.grants.get(issued.id) == issued
    ended = await admin.grants.end(issued.id, "needed here")
    assert ended.state is GrantState.RELEASED
    assert [line async for line in admin.grants.list()] == [ended]


async def test_proposed_grant_is_refused(stage: Stage, admin: AsyncKeisan) -> None:
    assert (await admin.grants.refuse(stage.ids["grant"], "too many")).state is GrantState.REFUSED


async def test_want_goes_its_way(stage: Stage, admin: AsyncKeisan) -> None:
    body = GrantAsk(child_id="c" * 64, count=1, duration_s=600, on_expiry=OnExpiry.HOLD)
    asked = await admin.grant_wants.ask(body)
    want = await admin.grant_wants.get(stage.ids["want"])
    assert [line.id async for line in admin.grant_wants.list()] == sorted([asked.id, want.id])
    want = await admin.grant_wants.set_work(want, WorkUpdate(model_id=stage.ids["model"]))
    assert want.work is not None
    want = await admin.grant_wants.set_work(want, None)
    assert want.work is None
    assert (await admin.grant_wants.renew(want.id)).renewal == 2
    assert (await admin.grant_wants.end(want.id)).state is WantState.ENDED
