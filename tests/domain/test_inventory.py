"""What may stand in an inventory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.inventory import INVENTORY_TEXT_CHARACTERS_MAX, digest_devices, is_incarnation, is_inventory_text


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


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=4), max_size=6), st.data())
def test_any_other_list_has_another_digest(names: list[str], data: st.DataObject) -> None:
    other = data.draw(st.permutations(names) | st.just(names[:-1]) | st.just(["".join(names)]) | st.just([*names, "x"]))
    assert (digest_devices(names) == digest_devices(other)) == (
        names == other or "".join(names) == "".join(other) == ""
    )
