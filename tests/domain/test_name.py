"""Names: one function writes them, one reads them, and no single slip of a hand passes for another name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.name import (
    NameType,
    PlatformName,
    check_prefix,
    encode_name,
    is_prefix_below,
    issue_prefix,
    parse_name,
)

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
SUFFIXES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?", fullmatch=True)
NAMES = st.builds(
    PlatformName,
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
    st.sampled_from(NameType),
    SUFFIXES,
)


@given(NAMES)
def test_a_name_is_read_back_as_it_was_written(name: PlatformName) -> None:
    assert parse_name(encode_name(name)) == name
    assert parse_name(f" {encode_name(name).upper()}\n") == name


@given(NAMES, st.data())
def test_a_changed_character_is_noticed(name: PlatformName, data: st.DataObject) -> None:
    text = encode_name(name)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(
        st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789-.:").filter(lambda each: each != text[place])
    )
    with pytest.raises(InvalidInput):
        parse_name(text[:place] + other + text[place + 1 :])


@given(NAMES, st.data())
def test_two_neighbours_that_changed_places_are_noticed(name: PlatformName, data: st.DataObject) -> None:
    text = encode_name(name)
    place = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if swapped != text:
        with pytest.raises(InvalidInput):
            parse_name(swapped)


def test_a_name_looks_like_this() -> None:
    assert encode_name(PlatformName("cn.sx", NameType.SITE, "taiyuan-1")) == "cn.sx:site:taiyuan-1:93"


@pytest.mark.parametrize("text", ["", "cn.sx", "cn.sx:site:a", "cn.sx:city:a:00", "cn.sx:site:a:0x", "cn.sx:site:a:1"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="PREFIX:TYPE:SUFFIX:CHECK"):
        parse_name(text)


@pytest.mark.parametrize("suffix", ["", "-a", "a.", "ä", "a:b", "A", "a" * 200])
def test_a_suffix_that_is_none_is_refused(suffix: str) -> None:
    with pytest.raises(InvalidInput):
        encode_name(PlatformName("cn", NameType.SITE, suffix))


@pytest.mark.parametrize(
    "prefix", ["", ".", "cn.", "CN", "a" * 17, ".".join("a" * 9), ".".join(["abcdefghijklmno"] * 5)]
)
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput):
        check_prefix(prefix)


def test_prefixes_are_issued_from_the_top_down() -> None:
    assert issue_prefix("", "sx") == "sx"
    assert issue_prefix("cn", "sx") == "cn.sx"
    with pytest.raises(InvalidInput):
        issue_prefix("cn", "sx.ty")
    assert is_prefix_below("cn.sx", "cn")
    assert is_prefix_below("cn", "")
    assert not is_prefix_below("cn.sx", "")
    assert not is_prefix_below("cn.sx.ty", "cn")
    assert not is_prefix_below("", "")
    assert not is_prefix_below("cnx", "cn")
