"""Chips through the client."""

import pytest

from keisan.sdk import AsyncKeisan, ComparisonQuery, Disclosure, FigureName, Grade, Keisan, NotFound
from tests.api.stage import CHIPS


async def test_list_get_and_compare(admin: AsyncKeisan) -> None:
    assert tuple([chip.id async for chip in admin.chips.list()]) == CHIPS
    c550 = await admin.chips.get("metax-c550")
    assert c550.figures[FigureName.FP16_GFLOPS].grade is Grade.TESTED
    assert c550.figures[FigureName.POWER_W].disclosure is Disclosure.NOT_DISCLOSED
    [only] = (await admin.chips.compare(ComparisonQuery(chip_ids="metax-c550"))).chips
    assert only.figures[0].ratio is not None
    assert only.figures[0].ratio.nominal_ppm == 666_667
    assert len((await admin.chips.compare()).chips) == len(CHIPS)


@pytest.mark.parametrize("chip_id", ["nothere", "../devices", "?limit=1", "a/b"])
async def test_id_is_never_more_than_an_id(admin: AsyncKeisan, chip_id: str) -> None:
    with pytest.raises(NotFound):
        await admin.chips.get(chip_id)


def test_blocking_twin(keisan: Keisan) -> None:
    assert [chip.id for chip in keisan.chips.list()] == list(CHIPS)
    assert keisan.chips.get("nvidia-h20").aliases[0].name == "NVIDIA H20"
    assert keisan.chips.compare().other_id == "nvidia-h20"
