"""Chips over HTTP: the catalogue's, and chips beside another. All come in one page: they ship with keisan."""

from typing import Annotated

from fastapi import APIRouter, Query

from keisan.api.context import CallerOf
from keisan.control.chip import compare_with, get_chip
from keisan.wire.chip import (
    ChipDetail,
    ChipView,
    ComparedChipView,
    ComparedFigureView,
    ComparisonQuery,
    ComparisonView,
    build_chip_detail,
    build_chip_view,
)
from keisan.wire.page import Page

router = APIRouter(prefix="/chips", tags=["chips"])


@router.get("")
async def list_chips(caller: CallerOf) -> Page[ChipView]:
    return Page(items=tuple(build_chip_view(chip) for _, chip in sorted(caller.read_catalog().chips.items())))


@router.get("/comparison")
async def compare_chips(caller: CallerOf, query: Annotated[ComparisonQuery, Query()]) -> ComparisonView:
    """The other chip is the H20 unless it is named."""
    wanted = [chip_id for chip_id in query.chip_ids.split(",") if chip_id]
    return ComparisonView(
        other_id=query.other_id,
        chips=tuple(
            ComparedChipView(
                id=chip.id, name=chip.name, figures=tuple(ComparedFigureView.model_validate(line) for line in figures)
            )
            for chip, figures in compare_with(caller.read_catalog(), query.other_id, wanted)
        ),
    )


@router.get("/{chip_id}")
async def get_chip_detail(caller: CallerOf, chip_id: str) -> ChipDetail:
    return build_chip_detail(get_chip(caller.read_catalog(), chip_id))
