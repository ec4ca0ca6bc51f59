"""Models as TOML: prices are whole, and a fault names its file and field."""

from importlib.resources import files

import pytest

from keisan.catalog.model import parse_model
from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass

MODEL = files("keisan.catalog").joinpath("data/models/smollm2-135m-instruct.toml").read_text()


def test_prices_are_whole_nano_units() -> None:
    model = parse_model(MODEL, "m.toml")
    assert model.currency == "CNY"
    assert model.nano_per_million == {
        TokenClass.INPUT: 500_000_000,
        TokenClass.INPUT_CACHED: 50_000_000,
        TokenClass.OUTPUT: 1_500_000_000,
    }


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
