"""What may stand in an inventory."""

import pytest

from keisan.domain.inventory import INVENTORY_TEXT_CHARACTERS_MAX, is_incarnation, is_inventory_text


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("a", True), ("A-b_9" * 12, True), ("", False), ("a" * 65, False), ("a b", False), ("計", False)],
)
def test_incarnations_are_short_and_plain(text: str, is_one: bool) -> None:
    assert is_incarnation(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("", True),
        ("昇騰 910C", True),
        ("x" * INVENTORY_TEXT_CHARACTERS_MAX, True),
        ("x" * (INVENTORY_TEXT_CHARACTERS_MAX + 1), False),
        ("a\0", False),
        ("a\nb", False),
        ("\x1b[2J", False),
    ],
)
def test_texts_are_short_and_act_on_nothing(text: str, is_one: bool) -> None:
    assert is_inventory_text(text) is is_one
