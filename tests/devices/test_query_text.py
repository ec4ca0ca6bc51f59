"""Answers to CSV queries."""

import pytest

from keisan.devices.query_text import build_reading, decode_reasons, encode_throttle, judge_row, read_query
from keisan.domain.sample import SampleName, Throttle
from keisan.domain.verdict import Verdict


def test_names_lose_units_and_their_makers_ways() -> None:
    (row,) = read_query("gpu_name, gpu_uuid, utilization.ppu [%], board.power.draw [W]\nX, U, 7 %, 5 W\n")
    assert row == {"name": "X", "uuid": "U", "utilization.gpu": "7 %", "power.draw": "5 W"}


@pytest.mark.parametrize(
    "text", ["", "hello\n", "uuid\nU\n", "a, b\n1, 2\n", '{"uuid": 1, "b": 2}', "name, power.draw [W]\nX, 5 W\n"]
)
def test_other_texts_have_no_rows(text: str) -> None:
    assert read_query(text) == ()


def test_a_row_with_too_few_cells_is_left_out() -> None:
    assert [row["uuid"] for row in read_query("name, uuid\nX, U\nbroken\nY, V\n")] == ["U", "V"]


@pytest.mark.parametrize(
    ("mask", "flags"),
    [
        ("0x0000000000000000", set()),
        ("0x0000000000000001", set()),
        ("0x0000000000000004", {Throttle.POWER}),
        ("0x0000000000000024", {Throttle.POWER, Throttle.HEAT}),
        ("0x00000000000000C8", {Throttle.HARDWARE, Throttle.HEAT, Throttle.POWER}),
        ("0x0000000000000010", {Throttle.OTHER}),
    ],
)
def test_reasons_become_flags(mask: str, flags: set[Throttle]) -> None:
    assert decode_reasons(mask) == encode_throttle(flags)


def test_no_reasons_are_not_known() -> None:
    assert decode_reasons("[N/A]") is decode_reasons(None) is None


def test_flags_are_bits_in_the_order_of_the_reasons() -> None:
    assert [encode_throttle({reason}) for reason in Throttle] == [1, 2, 4, 8]


def test_a_lost_device_has_failed_and_an_error_says_nothing_sure() -> None:
    assert judge_row({"uuid": "U", "power.draw": "[GPU is lost]"}) is Verdict.FAILED
    assert judge_row({"uuid": "U", "power.draw": "[Unknown Error]"}) is Verdict.UNKNOWN
    assert judge_row({"uuid": "U", "power.draw": "[N/A]"}) is None


def test_memory_utilization_is_the_share_in_use() -> None:
    reading = build_reading({"memory.total": "400 MiB", "memory.used": "100 MiB", "utilization.memory": "90 %"}, "x")
    assert reading.values[SampleName.MEMORY_UTILIZATION_PERMILLE] == 250.0
