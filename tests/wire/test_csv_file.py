"""Tables as CSV: what is written is read back, and every bad line is told with its column and what was expected."""

import csv
import io
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keisan.domain.errors import TableInvalid
from keisan.domain.evidence import Grade
from keisan.domain.facility import PORT_GBPS
from keisan.domain.figure import Precision
from keisan.domain.limits import CSV_LINES_MAX
from keisan.wire.base import INTEGER_MAX
from keisan.wire.claim import CLAIM_CSV, ClaimLine
from keisan.wire.csv_file import CsvFault, list_gflops_columns, list_plain, raise_faults, read_csv, write_csv
from keisan.wire.facility import FACILITY_CSV, FacilityLine, check_plain
from keisan.wire.survey import SURVEY_CSV, SurveyLineWrite

COUNTS = st.none() | st.integers(min_value=0, max_value=INTEGER_MAX)
RATIOS = st.none() | st.integers(min_value=0, max_value=1_000_000)
NAMES = st.from_regex(r"[a-zA-Z0-9][a-z0-9 .:/@+-]{0,20}[a-z0-9]", fullmatch=True)


def is_plain(text: str) -> bool:
    try:
        return bool(check_plain(text).strip()) and check_plain(text.strip()) != ""
    except ValueError:
        return False


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40).filter(is_plain)
GFLOPS = st.dictionaries(st.sampled_from(Precision), st.integers(min_value=0, max_value=INTEGER_MAX))
FACILITIES = st.builds(
    FacilityLine,
    site=NAMES,
    measured_at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # bounds
    address=st.none() | TEXTS,
    latitude_microdegrees=st.none() | st.integers(min_value=-90_000_000, max_value=90_000_000),
    longitude_microdegrees=st.none() | st.integers(min_value=-180_000_000, max_value=180_000_000),
    standard_racks=COUNTS,
    pue_permille=RATIOS,
    ports=st.none()
    | st.dictionaries(st.sampled_from([str(speed) for speed in PORT_GBPS]), COUNTS.filter(bool), min_size=1),
    latency_hub_us=COUNTS,
    storage_bytes=COUNTS,
)
CLAIMS = st.builds(
    ClaimLine,
    site=NAMES,
    chip=NAMES,
    device_count=st.integers(min_value=0, max_value=INTEGER_MAX),
    standard_racks=COUNTS,
    memory_bytes=COUNTS,
    gflops=GFLOPS,
)
SURVEYS = st.builds(
    SurveyLineWrite,
    region=st.sampled_from(["CN-SX", "JP-13"]),
    owner=TEXTS,
    vendor=st.none() | TEXTS,
    chip=st.none() | NAMES,
    device_count=COUNTS,
    gflops=GFLOPS,
    source=TEXTS,
    date=st.dates(),
    grade=st.sampled_from(Grade),
)


@given(bodies=st.lists(FACILITIES, max_size=4))
def test_facilities_come_back_as_they_were_written(bodies: list[FacilityLine]) -> None:
    lines, faults = read_csv(write_csv(FACILITY_CSV, bodies).encode(), FACILITY_CSV)
    assert ([line.body for line in lines], faults) == (bodies, ())


@given(bodies=st.lists(CLAIMS, max_size=4))
def test_claims_come_back_as_they_were_written(bodies: list[ClaimLine]) -> None:
    lines, faults = read_csv(write_csv(CLAIM_CSV, bodies).encode("utf-8-sig"), CLAIM_CSV)
    assert ([line.body for line in lines], faults) == (bodies, ())


# Most of any text is refused as a name, and a line has four of them.
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(bodies=st.lists(SURVEYS, max_size=4))
def test_surveys_come_back_as_they_were_written(bodies: list[SurveyLineWrite]) -> None:
    lines, faults = read_csv(write_csv(SURVEY_CSV, bodies).encode(), SURVEY_CSV)
    assert ([line.body for line in lines], faults) == (bodies, ())


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_lines_or_faults(content: bytes) -> None:
    lines, faults = read_csv(content, CLAIM_CSV)
    assert not lines or not faults or all(fault.line > 1 for fault in faults)


@given(cells=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=10), min_size=3, max_size=3))
def test_any_cells_are_a_line_or_told_with_their_column(cells: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["site", "chip", "device_count"], cells])
    lines, faults = read_csv(file.getvalue().encode(), CLAIM_CSV)
    assert len(lines) <= 1
    assert all(fault.line == 2 and fault.column in ("site", "chip", "device_count") for fault in faults)
    assert bool(lines) is not bool(faults) or not any(cell.strip() for cell in cells)


def read_faults(text: str) -> list[tuple[int, str, str]]:
    _, faults = read_csv(text.encode(), CLAIM_CSV)
    return [(fault.line, fault.column, fault.text) for fault in faults]


def test_every_bad_line_is_told() -> None:
    text = (
        "site,chip,device_count,pflops_fp16\r\n"
        "a,x,1,2.5\r\n"
        "\r\n"
        "a,x,many,2\r\n"
        ",x,-1,0.0000001\r\n"
        "a,x\r\n"
        '"a","x",3,"one\nand a half"\r\n'
        "a,x,2,NaN\r\n"
    )
    assert read_faults(text) == [
        (4, "device_count", "expected a valid integer, unable to parse string as an integer, got 'many'"),
        (5, "pflops_fp16", "expected PFLOPS with at most 6 decimals, got '0.0000001'"),
        (5, "device_count", "expected greater than or equal to 0, got '-1'"),
        (5, "site", "expected a value, got nothing"),
        (6, "", "expected 4 cells, got 2"),
        (7, "pflops_fp16", "expected PFLOPS with at most 6 decimals, got 'one\nand a half'"),
        (9, "pflops_fp16", "expected PFLOPS with at most 6 decimals, got 'NaN'"),
    ]
    lines, _ = read_csv(text.encode(), CLAIM_CSV)
    assert [(line.number, line.body.gflops) for line in lines] == [(2, {Precision.FP16: 2_500_000})]


def test_header_is_told_before_lines() -> None:
    known = ", ".join(column.name for column in CLAIM_CSV.columns)
    assert read_faults("site,chip,color,chip\nx\n") == [
        (1, "chip", "expected each column once"),
        (1, "color", f"there is no such column; there are {known}"),
        (1, "device_count", "expected this column"),
    ]
    assert [fault[1] for fault in read_faults("")] == ["site", "chip", "device_count"]


def test_other_encodings_and_long_files_and_cells_are_refused() -> None:
    _, faults = read_csv("site\n大同\n".encode("gb18030"), CLAIM_CSV)
    assert faults == (CsvFault(2, "", "expected UTF-8"),)
    long = "site,chip,device_count\n" + "a,x,1\n" * (CSV_LINES_MAX + 1)
    assert read_faults(long) == [(CSV_LINES_MAX + 2, "", f"expected at most {CSV_LINES_MAX} lines")]
    assert read_faults(f"site,chip,device_count\n{'a' * 513},x,1\n")[0][2].startswith(
        "expected at most 512 characters, got 'aaaa"
    )
    assert read_faults("site,chip,device_count\n" + "a" * 200_000 + ",x,1\n") == [
        (2, "", "expected a line of CSV: field larger than field limit (131072)")
    ]


def test_faults_are_raised_in_order_of_lines() -> None:
    raise_faults([])
    with pytest.raises(TableInvalid) as refusal:
        raise_faults([CsvFault(3, "", "worse"), CsvFault(2, "site", "bad")])
    assert refusal.value.outside == "line 2, site: bad\nline 3: worse"
    assert refusal.value.faults == (("lines[2].site", "bad"), ("lines[3]", "worse"))
    assert refusal.value.field == "lines[2].site"


def test_columns_that_nobody_uses_are_left_out_but_an_empty_table_has_all() -> None:
    assert (
        write_csv(CLAIM_CSV, [ClaimLine(site="a", chip="x", device_count=1)]) == "site,chip,device_count\r\na,x,1\r\n"
    )
    assert write_csv(CLAIM_CSV, []).strip().split(",") == [column.name for column in CLAIM_CSV.columns]
    assert [column.name for column in list_plain(ClaimLine, {"gflops": list_gflops_columns()[:1]})][-2:] == [
        "pflops_fp64",
        "site",
    ]
