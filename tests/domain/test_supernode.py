"""Supernodes as values: what is no supernode is refused with the part that is wrong."""

import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.supernode import (
    MEMBERS_MAX,
    Supernode,
    SupernodeLink,
    SupernodeSwitch,
    check_supernode,
    list_tiers,
)

MEMBERS = ("a", "b", "c")
SWITCH = SupernodeSwitch("s", 1)
LINK = SupernodeLink("a~s", ("a", "s"))


def test_wiring_is_known_where_there_are_links() -> None:
    assert not Supernode("x", MEMBERS).is_wiring_known
    assert Supernode("x", MEMBERS, (SWITCH,), (LINK,)).is_wiring_known
    assert list_tiers(Supernode("x", MEMBERS, (SWITCH,))) == {"a": 0, "b": 0, "c": 0, "s": 1}


def test_good_supernodes_pass() -> None:
    check_supernode(Supernode("x", ("a",)))
    wide = SupernodeLink("a~b", ("a", "b"), 5)
    check_supernode(Supernode("x", MEMBERS, (SWITCH,), (LINK, wide)))


@pytest.mark.parametrize(
    ("supernode", "field"),
    [
        (Supernode("x", ()), "members"),
        (Supernode("x", tuple(str(n) for n in range(MEMBERS_MAX + 1))), "members"),
        (Supernode("x", ("a", "a")), "members"),
        (Supernode("x", MEMBERS, (SupernodeSwitch("a", 1),)), "switches"),
        (Supernode("x", MEMBERS, (SWITCH,), (LINK, LINK)), "links"),
        (Supernode("x", MEMBERS, (SupernodeSwitch("s", 0),)), "s"),
        (Supernode("x", MEMBERS, (SupernodeSwitch("s", 9),)), "s"),
        (Supernode("x", MEMBERS, (), (LINK,)), "links"),
        (Supernode("x", MEMBERS, (), (SupernodeLink("l", ("a", "a")),)), "links"),
        (Supernode("x", MEMBERS, (SWITCH,), (LINK, SupernodeLink("b~s", ("b", "s"), 5))), "links"),
        (Supernode("x", MEMBERS, (SWITCH,), (SupernodeLink("b~s", ("b", "s"), 0),)), "links"),
    ],
)
def test_what_is_no_supernode_is_refused(supernode: Supernode, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_supernode(supernode)
    assert refusal.value.field == field
