"""Development over HTTP: what a region, or the whole platform, came to within a month."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf, ContextOf
from keisan.wire.development import DevelopmentFigureView, DevelopmentQuery, DevelopmentView

router = APIRouter(prefix="/development", tags=["development"])


@router.get("")
async def get_development(
    caller: CallerOf, context: ContextOf, query: Annotated[DevelopmentQuery, Query()]
) -> DevelopmentView:
    drawn = await context.get_development().draw(caller.principal, query.region, query.month)
    return DevelopmentView(
        region=drawn.region,
        since=drawn.since,
        until=drawn.until,
        taken_at=drawn.taken_at,
        figures=tuple(
            DevelopmentFigureView(
                name=each.name,
                unit=each.unit,
                first=each.first,
                last=each.last,
                growth_permille=each.growth_permille,
                coverage_permille=each.coverage_permille,
                as_of=each.as_of,
                age_s=None if each.as_of is None else max(0, int((drawn.taken_at - each.as_of).total_seconds())),
            )
            for each in drawn.figures
        ),
    )
