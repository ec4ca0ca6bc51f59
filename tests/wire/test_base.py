"""What every wire type shares: names, regions, amounts as decimal strings, input that refuses and views that ignore."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from keisan.domain.errors import InvalidInput
from keisan.wire.base import (
    ForeignText,
    Name,
    NanoText,
    Region,
    WireChange,
    WireInput,
    WireView,
    explain_refusal,
)

NAME = TypeAdapter[str](Name)
REGION = TypeAdapter[str](Region)
NANO = TypeAdapter[int](NanoText)


class _Input(WireInput):
    amount_nano: NanoText


class _Whole(WireInput):
    count: Annotated[int, Field(ge=0)]
    names: tuple[Name, ...] = ()
    secret: Annotated[str, Field(pattern="^sk-")] = "sk-1"


class _View(WireView):
    amount_nano: NanoText


def test_refused_body_is_told_without_its_values() -> None:
    with pytest.raises(InvalidInput) as caught, explain_refusal():
        _Whole(count=-1)
    assert (caught.value.outside, caught.value.field) == ("expected greater than or equal to 0", "count")
    with pytest.raises(InvalidInput) as caught, explain_refusal():
        _Whole(count=1, names=("a", ""), secret="mine")  # a test
    told = "expected at least 1 character; secret: expected pattern '^sk-'"
    assert (caught.value.outside, caught.value.field) == (told, "names.1")
    assert caught.value.__cause__ is None
    with explain_refusal():
        _Whole(count=0)


@given(st.integers(min_value=-(10**38), max_value=10**38))
def test_amounts_cross_as_decimal_strings(amount_nano: int) -> None:
    text = _View(amount_nano=amount_nano).model_dump_json()
    assert text == f'{{"amount_nano":"{amount_nano}"}}'
    assert _View.model_validate_json(text).amount_nano == amount_nano


@pytest.mark.parametrize("value", ["1.5", "1e3", "", "abc", "٣", 1.0, 1e22, True, None, "NaN"])
def test_amount_that_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        NANO.validate_python(value)


def test_amount_as_a_double_in_json_is_refused() -> None:
    # 9007199254740993.0 would silently become 9007199254740992.
    with pytest.raises(ValidationError):
        _View.model_validate_json('{"amount_nano":9007199254740993.0}')


@pytest.mark.parametrize("text", ["a", "Tokyo 1", "組織", "a/b:c@d+e-f.g", "  padded  "])
def test_names_that_people_give_pass(text: str) -> None:
    assert NAME.validate_python(text) == text.strip()


@pytest.mark.parametrize("text", ["", " ", "-a", "a\x00b", "a" * 129, "<b>", ".hidden", "a\nb"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(text)


@pytest.mark.parametrize("text", ["JP-13", "CN-SX", "US-CA"])
def test_regions_are_iso_3166_2(text: str) -> None:
    assert REGION.validate_python(text) == text


@pytest.mark.parametrize("text", ["JP", "jp-13", "JP-1234", "JP-13\n", "日本-13", "JP_13"])
def test_other_regions_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        REGION.validate_python(text)


def test_foreign_text_loses_its_nul_and_nothing_else() -> None:
    assert TypeAdapter[str](ForeignText).validate_python("a\x00b\n\t\x1b") == "a\ufffdb\n\t\x1b"


def test_input_refuses_unknown_fields_and_views_ignore_them() -> None:
    assert _View.model_validate({"amount_nano": "1", "later": 2}).amount_nano == 1
    with pytest.raises(ValidationError, match="later"):
        _Input.model_validate({"amount_nano": "1", "later": 2})


def test_wire_values_are_frozen() -> None:
    view = _View(amount_nano=1)
    with pytest.raises(ValidationError, match="frozen"):
        view.amount_nano = 2


def test_change_tells_what_was_set_and_nothing_else() -> None:
    class Part(WireChange):
        bound: int | None = None

    class Change(WireChange):
        name: str = Field(default_factory=str)
        age_s: int | None = None
        part: Part = Field(default_factory=Part)

    assert Change().model_dump_json() == "{}"
    assert Change(age_s=None, part=Part(bound=None)).model_dump_json() == '{"age_s":null,"part":{"bound":null}}'
    assert Change(name="a").model_dump() == {"name": "a"}
    for wrong in ('{"name": null}', '{"other": 1}'):
        with pytest.raises(ValidationError):
            Change.model_validate_json(wrong)
