"""What ships is whole: models pass the API, chips are those of the project's table, and nothing stands without evidence."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date

import pytest

from keisan.catalog import base
from keisan.catalog.base import load_catalog, load_chips, load_models
from keisan.domain.chip import find_chip, find_figure, get_nominal_gflops, list_facts, list_names
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import FactName
from keisan.domain.figure import Disclosure, FigureName, Precision
from keisan.domain.maker import MakerPart
from keisan.domain.policy import CandidateFacts, Outcome, evaluate_policy, parse_policy
from keisan.wire.model import ModelCreate

# Each row of the table of chips in the project's reference notes, and what of it is disputed there.
ROWS = {
    "nvidia-h200": (),
    "nvidia-h20": (FigureName.POWER_W,),
    "nvidia-h20-3e": (FigureName.POWER_W,),
    "cambricon-mlu370-x8": (),
    "cambricon-mlu590": (
        FigureName.MEMORY_BYTES,
        FigureName.MEMORY_GB_PER_S,
        FigureName.FP16_GFLOPS,
        FigureName.POWER_W,
    ),
    "cambricon-mlu690": (),
    "metax-c500": (FigureName.FP16_GFLOPS, FigureName.INT8_GOPS, FigureName.POWER_W),
    "metax-c550": (),
    "metax-c600": (FigureName.MEMORY_GB_PER_S,),
    "huawei-ascend-910b": (FigureName.FP16_GFLOPS, FigureName.POWER_W),
    "huawei-ascend-910c": (FigureName.FP16_GFLOPS, FigureName.INT8_GOPS, FigureName.POWER_W),
    "t-head-zhenwu-810e": (),
    "t-head-zhenwu-m890": (),
    "kunlunxin-p800": (FigureName.MEMORY_BYTES, FigureName.MEMORY_GB_PER_S, FigureName.FP16_GFLOPS),
    "hygon-k100-ai": (FigureName.POWER_W,),
    "hygon-bw1000": (FigureName.FP16_GFLOPS,),
    "moore-threads-s4000": (),
    "moore-threads-s5000": (FigureName.MEMORY_BYTES, FigureName.FP16_GFLOPS),
    "iluvatar-bi-v150": (),
    "biren-104p": (),
    "biren-br100": (),
}
VENDORS = {
    "NVIDIA",
    "AMD",
    "Huawei",
    "Cambricon",
    "MetaX",
    "Hygon",
    "Kunlunxin",
    "T-Head",
    "Iluvatar",
    "Moore-Threads",
    "Enflame",
    "Biren",
}
CATALOG = load_catalog()


def walk_evidence(part: object) -> Iterator[Evidence]:
    """Yield all evidence within a value."""
    if isinstance(part, Evidence):
        yield part
    elif isinstance(part, dict):
        yield from (found for value in part.values() for found in walk_evidence(value))
    elif isinstance(part, tuple):
        yield from (found for value in part for found in walk_evidence(value))
    elif is_dataclass(part) and not isinstance(part, type):
        yield from (found for field in fields(part) for found in walk_evidence(getattr(part, field.name)))


def test_models_that_ship_pass_the_api() -> None:
    for model in load_models():
        facts = {field.name: getattr(model.facts, field.name) for field in fields(model.facts)}
        assert ModelCreate.model_validate(facts).name == model.facts.name
        assert model.facts.output_tokens_max < model.facts.context_tokens


def test_every_row_of_the_table_is_there_with_its_conflicts() -> None:
    assert ROWS.keys() <= CATALOG.chips.keys()
    for chip_id, disputed in ROWS.items():
        chip = CATALOG.chips[chip_id]
        assert FigureName.MEMORY_BYTES in chip.figures, chip_id
        assert any(find_figure(chip, name).disclosure is Disclosure.KNOWN for name in chip.figures), chip_id
        not_disputed = [name for name in disputed if not find_figure(chip, name).is_disputed]
        assert not not_disputed, chip_id


def test_figures_that_are_not_disclosed_are_no_zero() -> None:
    c550 = CATALOG.chips["metax-c550"]
    assert find_figure(c550, FigureName.POWER_W).disclosure is Disclosure.NOT_DISCLOSED
    assert get_nominal_gflops(c550, Precision.FP64) is None
    # A third party measured what its maker does not tell.
    assert get_nominal_gflops(c550, Precision.FP16) == 275_000
    every = [value for chip in CATALOG.chips.values() for values in chip.figures.values() for value in values]
    assert all(value.low is None or value.low > 0 for value in every)


def test_each_vendor_has_a_chip_that_its_tool_names() -> None:
    named = {chip.facts[FactName.VENDOR].values[0] for chip in CATALOG.chips.values() if chip.aliases}
    assert named == VENDORS
    assert {value for chip in CATALOG.chips.values() for value in _list_vendors(chip.facts)} == VENDORS


def _list_vendors(facts: object) -> tuple[str, ...]:
    assert isinstance(facts, dict)
    return facts[FactName.VENDOR].values if FactName.VENDOR in facts else ()


@pytest.mark.parametrize(
    ("reported", "chip"),
    [
        ("NVIDIA H20", "nvidia-h20"),
        ("NVIDIA H20-3e", "nvidia-h20-3e"),
        ("NVIDIA H200", "nvidia-h200"),
        ("AMD Instinct MI300X", "amd-mi300x"),
        ("910B3", "huawei-ascend-910b"),
        ("Ascend910_9392", "huawei-ascend-910c-die"),
        ("MLU590-M9", "cambricon-mlu590"),
        ("MXC550", "metax-c550"),
        ("K100_AI", "hygon-k100-ai"),
        ("P800 OAM", "kunlunxin-p800"),
        ("PPU-ZW810E", "t-head-zhenwu-810e"),
        ("Iluvatar BI-V150", "iluvatar-bi-v150-die"),
        ("MTT S5000", "moore-threads-s5000"),
        ("Enflame S60", "enflame-s60"),
        ("Biren106M", "biren-106"),
        ("cpu-x86-64", "cpu-x86-64"),
        ("NVIDIA GeForce RTX 4090", None),
    ],
)
def test_product_names_of_every_vendor_lead_to_a_chip(reported: str, chip: str | None) -> None:
    assert find_chip(list_names(CATALOG.chips.values()), reported) == chip


def test_parts_that_a_tool_lists_make_a_whole() -> None:
    """Else a node of eight packages, whose tool lists sixteen dies, would count twice."""
    for die, whole in (
        ("huawei-ascend-910c-die", "huawei-ascend-910c"),
        ("iluvatar-bi-v150-die", "iluvatar-bi-v150"),
    ):
        parts = get_nominal_gflops(CATALOG.chips[die], Precision.FP16)
        assert parts is not None
        assert 2 * parts == get_nominal_gflops(CATALOG.chips[whole], Precision.FP16)
        assert CATALOG.chips[whole].facts[FactName.VENDOR] == CATALOG.chips[die].facts[FactName.VENDOR]


def test_all_that_ships_has_evidence() -> None:
    found = list(walk_evidence((dict(CATALOG.chips), CATALOG.makers, CATALOG.advisories, CATALOG.compatibilities)))
    assert len(found) > 400
    assert all(len(each.source) > 5 and each.grade in Grade for each in found)
    assert all(date(2026, 11, 1) <= each.date <= date(2026, 12, 31) for each in found)
    # A reference that a person can follow, for all that is more than hearsay.
    assert not [each for each in found if each.grade in "ABC" and "/" not in each.source]
    # Nothing was measured here yet but the host's own processor; what others measured is B.
    assert {each.source for each in found if each.grade is Grade.MEASURED} == {"the host's kernel"}


def test_makers_of_every_kind_are_there() -> None:
    assert {part for maker in CATALOG.makers.values() for part in maker.parts} == set(MakerPart)
    assert CATALOG.advisories["CN-CAC-2025-07-31"].severity == "warning"
    assert {record.engine for record in CATALOG.compatibilities} >= {"vllm-ascend", "FastDeploy", "vLLM-metax"}


@pytest.mark.parametrize(
    ("policy", "admitted"),
    [
        ("advisory none", {"metax-c600"}),
        ("fabricated_in in CN; fabricated_in not in TW", {"metax-c600", "t-head-zhenwu-810e"}),
        ("fabricated_by in SMIC, TSMC; designed_in in CN; fabricated_by not in TSMC", set()),
        ("software_stack in CUDA @ B", {"nvidia-h100", "nvidia-h20", "nvidia-h20-3e", "nvidia-h200"}),
        ("designed_in in CN @ A; vendor in MetaX", {"metax-c500", "metax-c550"}),
        ("advisory in CN-CAC-2025-07-31", {"nvidia-h20", "nvidia-h20-3e"}),
    ],
)
def test_policies_tell_the_chips_that_ship_apart(policy: str, admitted: set[str]) -> None:
    parsed = parse_policy(policy)
    found = {
        chip.id
        for chip in load_chips()
        if evaluate_policy(parsed, CandidateFacts(list_facts(chip), None)).outcome is Outcome.HOLDS
    }
    assert found == admitted


def test_file_is_named_by_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """So no two records have one id, and who looks for a chip finds its file."""
    monkeypatch.setattr(base, "parse_chip", lambda _text, _name: CATALOG.chips["nvidia-h20"])
    with pytest.raises(InvalidInput, match="expected the name of the file in id, got 'nvidia-h20'"):
        load_chips()
