"""The tree of errors: one code each, drawn in the docstring, outside and inside texts kept apart."""

from collections.abc import Iterator

import pytest

from keisan.domain import errors
from keisan.domain.errors import InvalidInput, KeisanError, LeaseLost, Unavailable


def walk_tree(root: type[KeisanError]) -> Iterator[type[KeisanError]]:
    yield root
    for child in root.__subclasses__():
        yield from walk_tree(child)


TREE = tuple(walk_tree(KeisanError))


def test_every_class_has_a_code_of_its_own() -> None:
    assert len({error.code for error in TREE}) == len(TREE)


def test_every_class_is_drawn_in_the_docstring() -> None:
    drawn = errors.__doc__ or ""
    assert [error.__name__ for error in TREE if error.__name__ not in drawn] == []


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_only_what_may_pass_later_is_retryable(error: type[KeisanError]) -> None:
    assert error.is_retryable == issubclass(error, Unavailable | LeaseLost)


@pytest.mark.parametrize("error", TREE, ids=lambda error: error.__name__)
def test_inside_text_stays_out_of_the_outside_text(error: type[KeisanError]) -> None:
    fault = error("what people may read", inside="/etc/secret")
    assert fault.outside == "what people may read"
    assert fault.args == ("what people may read",)
    assert str(fault) == "what people may read [/etc/secret]"
    assert str(error("what people may read")) == "what people may read"


def test_invalid_input_names_its_field() -> None:
    assert InvalidInput("too long", "models[0]").field == "models[0]"
    assert InvalidInput("too long").field == ""
