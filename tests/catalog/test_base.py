"""Catalogue files: what ships is whole, and a fault names its file and field."""

from dataclasses import fields
from datetime import date
from importlib.resources import files

import pytest

from keisan.catalog.base import load_chips, load_models, parse_chip, parse_model
from keisan.domain.chip import list_facts
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import FactName
from keisan.domain.policy import CandidateFacts, Outcome, evaluate_policy, parse_policy
from keisan.domain.price import TokenClass
from keisan.wire.model import ModelCreate

MODEL = files("keisan.catalog").joinpath("data/models/smollm2-135m-instruct.toml").read_text()
CHIP = files("keisan.catalog").joinpath("data/chips/cpu-x86-64.toml").read_text()
H20 = files("keisan.catalog").joinpath("data/chips/nvidia-h20.toml").read_text()


def test_models_that_ship_pass_the_api() -> None:
    for model in load_models():
        facts = {field.name: getattr(model.facts, field.name) for field in fields(model.facts)}
        assert ModelCreate.model_validate(facts).name == model.facts.name
        assert model.facts.output_tokens_max < model.facts.context_tokens


def test_prices_are_whole_nano_units() -> None:
    model = parse_model(MODEL, "m.toml")
    assert model.currency == "CNY"
    assert model.nano_per_million == {
        TokenClass.INPUT: 500_000_000,
        TokenClass.INPUT_CACHED: 50_000_000,
        TokenClass.OUTPUT: 1_500_000_000,
    }


def test_chips_say_where_they_are_from() -> None:
    ids = ["cpu-aarch64", "cpu-x86-64", "huawei-ascend-910c", "metax-c600", "nvidia-h20"]
    assert [chip.id for chip in load_chips()] == ids
    chip = parse_chip(CHIP, "c.toml")
    assert chip.evidence == Evidence("the host's kernel", Grade.MEASURED, date(2026, 11, 23))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("weights_bytes = 98_362_432", 'weights_bytes = "98362432"', "facts.weights_bytes"),
        ("weights_bytes = 98_362_432", "weights_bytes = true", "facts.weights_bytes"),
        ("weights_bytes = 98_362_432", "", "facts.weights_bytes"),
        ("weights_bytes = 98_362_432", "weights_byte = 98_362_432", "facts.weights_byte"),
        ('licence = "Apache-2.0"', 'licence = ""', "facts.licence"),
        ('"chat", "completions"', '"chat", "smoke"', "facts.surfaces[1]"),
        ('engines = ["llama_cpp"]', 'engines = "llama_cpp"', "facts.engines"),
        ('engines = ["llama_cpp"]', "engines = [1]", "facts.engines[0]"),
        ("input = 500_000_000", "input = 0.5", "price.nano_per_million.input"),
        ("input = 500_000_000", "inputs = 1", "price.nano_per_million.inputs"),
        ("input = 500_000_000", "input = -1", "price.nano_per_million.input"),
        ('currency = "CNY"', "", "price.currency"),
        ('currency = "CNY"', 'currency = "CNY"\nunit = "x"', "price.unit"),
        ("[price.nano_per_million]", "[price.nano]", "price.nano"),
        ("[facts]", "[fact]", "fact"),
    ],
)
def test_fault_names_file_and_field(old: str, new: str, field: str) -> None:
    assert old in MODEL
    with pytest.raises(InvalidInput, match=r"m\.toml: ") as refusal:
        parse_model(MODEL.replace(old, new, 1), "m.toml")
    assert refusal.value.field == field


def test_missing_table_is_named() -> None:
    with pytest.raises(InvalidInput, match="expected a table in price, got nothing"):
        parse_model(MODEL.partition("[price]")[0], "m.toml")


def test_text_that_is_not_toml_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"m\.toml: this is not TOML"):
        parse_model("[", "m.toml")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [('grade = "M"', 'grade = "E"', "evidence.grade"), ("date = 2026-11-23", 'date = "x"', "evidence.date")],
)
def test_evidence_is_typed(old: str, new: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_chip(CHIP.replace(old, new), "c.toml")
    assert refusal.value.field == field


def test_facts_of_a_chip_have_evidence_of_their_own() -> None:
    chips = {chip.id: chip for chip in load_chips()}
    h20 = parse_chip(H20, "c.toml")
    assert h20 == chips["nvidia-h20"]
    assert h20.facts[FactName.ADVISORY].values == ("CN-CAC-2025-07-31",)
    assert h20.facts[FactName.ADVISORY].evidence.grade is Grade.PRESS
    assert FactName.PACKAGED_IN not in h20.facts
    # Known to have none, which is not the same as not known.
    assert chips["metax-c600"].facts[FactName.ADVISORY].values == ()
    assert chips["cpu-x86-64"].facts == {}


@pytest.mark.parametrize(
    ("policy", "admitted"),
    [
        ("advisory none", {"metax-c600"}),
        ("designed_in in CN", {"huawei-ascend-910c", "metax-c600"}),
        ("fabricated_by not in TSMC", set()),
        ("fabricated_in in CN; fabricated_in not in TW", {"metax-c600"}),
        ("software_stack in CUDA @ B", {"nvidia-h20"}),
        ("designed_in in CN @ A", set()),
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


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("[facts.vendor]", "[facts.colour]", "facts.colour"),
        ("[facts.vendor]", "[facts.region]", "facts.region"),
        ('values = ["NVIDIA"]', "values = []", "facts.vendor.values"),
        ('values = ["NVIDIA"]', 'values = ["NVIDIA", "a b"]', "facts.vendor.values[1]"),
        ('values = ["NVIDIA"]', 'values = ["NVIDIA", ""]', "facts.vendor.values[1]"),
        ('values = ["NVIDIA"]', 'values = "NVIDIA"', "facts.vendor.values"),
        ('values = ["NVIDIA"]', "", "facts.vendor.values"),
        ('grade = "B"', "", "facts.software_stack.grade"),
        ('grade = "B"', 'grade = "B"\nnote = "x"', "facts.software_stack.note"),
        ('kind = "gpu"', 'kind = "gpu"\nfacts = 1', ""),
        ('kind = "gpu"', 'kind = "gpu"\ncolour = 1', "colour"),
    ],
)
def test_fault_in_a_fact_names_its_field(old: str, new: str, field: str) -> None:
    assert old in H20
    with pytest.raises(InvalidInput) as refusal:
        parse_chip(H20.replace(old, new, 1), "c.toml")
    assert refusal.value.field == field


def test_facts_that_are_no_table_are_refused() -> None:
    with pytest.raises(InvalidInput, match="expected a table in facts"):
        parse_chip("facts = 1\n" + CHIP, "c.toml")
