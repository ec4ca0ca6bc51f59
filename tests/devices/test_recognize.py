"""Texts are known by what is in them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.devices.recognize import PARSERS, TOOLS, recognize
from keisan.devices.vendors.unknown import describe_unknown
from tests.devices.sample_files import MAKERS, SAMPLES, SampleFile, list_samples, read_sample

ODDITIES = (
    "",
    "N/A",
    "[]",
    "{}",
    "null",
    "-",
    "1e400",
    "9" * 30,
    "\n",
    "|",
    ",",
    ":",
    '"',
    "<",
    "</a>",
    "\x00",
    "年",
    "%",
    "/",
)
EACH = pytest.mark.parametrize(
    "sample", list_samples(), ids=lambda sample: f"{sample.path.parent.name}/{sample.path.name}"
)


@EACH
def test_exactly_its_makers_parser_claims_a_text(sample: SampleFile) -> None:
    claimed = [parser.vendor for parser in PARSERS if parser.is_own(sample.text)]
    assert claimed == ([] if sample.vendor == "unknown" else [sample.vendor])


@EACH
def test_every_device_of_a_text_is_read(sample: SampleFile) -> None:
    parser = recognize(sample.text)
    readings = describe_unknown(sample.text) if parser is None else parser.parse(sample.text)
    assert len(readings) == sample.devices
    # The runtime is of no maker, and tells of nine.
    makers = {"nvidia", "ascend"} if sample.vendor == "gpustack" else {sample.vendor}
    assert {reading.vendor for reading in readings} == (makers if readings else set())


@EACH
def test_a_sample_says_where_its_form_is_from_and_how_sure_that_is(sample: SampleFile) -> None:
    assert sample.certainty in {"documented", "seen", "reconstructed"}
    assert sample.url.startswith("https://")


def test_no_sample_is_without_a_source() -> None:
    lying = {path for path in SAMPLES.glob("*/*") if path.name != "sources.toml"}
    assert lying == {sample.path for sample in list_samples()}


def test_there_is_a_parser_and_a_tool_for_each_maker() -> None:
    assert {parser.vendor for parser in PARSERS} == {*MAKERS, "gpustack"}
    assert set(MAKERS.values()) <= {tool.command for tool in TOOLS}


@pytest.mark.parametrize("text", ["", " \n", "command not found", "{}", "[]", "<a/>", "{", "uuid, name\n", "\x00\x01"])
def test_nonsense_is_nobodys(text: str) -> None:
    assert recognize(text) is None
    assert describe_unknown(text) == ()


@EACH
def test_a_torn_text_is_no_reason_to_stop(sample: SampleFile) -> None:
    for cut in range(0, len(sample.text), max(1, len(sample.text) // 60)):
        text = sample.text[:cut]
        parser = recognize(text)
        readings = describe_unknown(text) if parser is None else parser.parse(text)
        assert len(readings) <= sample.devices


def test_two_tools_of_one_name_are_told_apart() -> None:
    kunlunxin, intel = recognize(read_sample("kunlunxin/log.txt")), recognize(read_sample("intel/discovery.json"))
    assert kunlunxin is not None
    assert kunlunxin.vendor == "kunlunxin"
    assert intel is None


@EACH
@settings(max_examples=40)
@given(data=st.data())
def test_a_text_in_which_anything_is_changed_is_read_or_left(sample: SampleFile, data: st.DataObject) -> None:
    """Numbers, names and marks in any place become others: a parser may know less then, and never fails."""
    text = sample.text
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        text = text[:place] + data.draw(st.sampled_from(ODDITIES)) + text[place + length :]
    parser = recognize(text)
    readings = describe_unknown(text) if parser is None else parser.parse(text)
    assert all(value is None or isinstance(value, int | float) for each in readings for value in each.values.values())
