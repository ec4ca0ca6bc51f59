"""Device logs in XML: older and newer forms of the same facts."""

import pytest

from keisan.devices.query_text import encode_throttle
from keisan.devices.xml_text import find_products, parse_xml, read_xml_log
from keisan.domain.sample import SampleName, Throttle
from keisan.domain.verdict import Verdict


def read_one(inner: str) -> dict[SampleName, float | None]:
    (reading,) = read_xml_log(f"<log><gpu id='00000000:01:00.0'>{inner}</gpu></log>", "x")
    return dict(reading.values)


@pytest.mark.parametrize("text", ["", "plain", "<log><gpu></log>", "<log/>"])
def test_what_is_no_log_has_no_devices(text: str) -> None:
    assert read_xml_log(text, "x") == ()


def test_errors_of_the_older_form_are_totals() -> None:
    values = read_one(
        "<ecc_errors><aggregate><single_bit><device_memory>1</device_memory><total>3</total></single_bit>"
        "<double_bit><total>2</total></double_bit></aggregate></ecc_errors>"
    )
    assert values[SampleName.ECC_CORRECTED_COUNT] == 3.0
    assert values[SampleName.ECC_UNCORRECTED_COUNT] == 2.0


def test_errors_of_the_newer_form_are_sums_over_places() -> None:
    values = read_one(
        "<ecc_errors><aggregate><sram_correctable>1</sram_correctable><dram_correctable>2</dram_correctable>"
        "<sram_uncorrectable_parity>4</sram_uncorrectable_parity><dram_uncorrectable>8</dram_uncorrectable>"
        "<sram_threshold_exceeded>No</sram_threshold_exceeded></aggregate></ecc_errors>"
    )
    assert values[SampleName.ECC_CORRECTED_COUNT] == 3.0
    assert values[SampleName.ECC_UNCORRECTED_COUNT] == 12.0


def test_what_a_log_leaves_out_is_not_known() -> None:
    assert {name for name, value in read_one("").items() if value is not None} == set()


@pytest.mark.parametrize("kind", ["clocks_event_reason", "clocks_throttle_reason"])
def test_reasons_have_two_names(kind: str) -> None:
    values = read_one(
        f"<{kind}s><{kind}_hw_slowdown>Active</{kind}_hw_slowdown><{kind}_gpu_idle>Active</{kind}_gpu_idle></{kind}s>"
    )
    assert values[SampleName.THROTTLE_FLAGS] == encode_throttle({Throttle.HARDWARE})


@pytest.mark.parametrize(
    ("inner", "verdict"),
    [
        ("<gpu_reset_status><reset_required>Yes</reset_required></gpu_reset_status>", Verdict.FAILED),
        ("<remapped_rows><remapped_row_failure>Yes</remapped_row_failure></remapped_rows>", Verdict.FAILED),
        ("<temperature><gpu_temp>GPU is lost</gpu_temp></temperature>", Verdict.FAILED),
        ("<gpu_reset_status><reset_required>No</reset_required></gpu_reset_status>", None),
    ],
)
def test_a_device_that_must_be_reset_or_is_lost_has_failed(inner: str, verdict: Verdict | None) -> None:
    (reading,) = read_xml_log(f"<log><gpu>{inner}</gpu></log>", "x")
    assert reading.verdict is verdict


def test_products_are_found_without_reading_it_all() -> None:
    assert find_products("<a><product_name> X 1 </product_name><product_name>Y</product_name>") == ("X 1", "Y")


def test_entities_that_grow_without_end_are_refused() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 20}">' for n in range(1, 12))
    assert parse_xml(f'<!DOCTYPE log [<!ENTITY l0 "ha">{levels}]><log>&l11;</log>') is None
