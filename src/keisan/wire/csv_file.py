"""Tables as CSV (RFC 4180, UTF-8, a first line of names): read whole, every bad line told with its column, and written back.

Each line is a body as the API's JSON has it, with its groups flat: `ports_400g` is `ports.400`. An empty cell says nothing.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Generic, TypeVar

from pydantic import ValidationError

from keisan.domain.errors import TableInvalid
from keisan.domain.figure import Precision
from keisan.domain.limits import CSV_CELL_CHARACTERS_MAX, CSV_LINES_MAX
from keisan.wire.base import WireInput, describe_expectation

CSV_TYPE = "text/csv"
GFLOPS_PER_PFLOPS = 1_000_000
SHOWN_CHARACTERS_MAX = 40

Line = TypeVar("Line", bound=WireInput)


@dataclass(frozen=True, slots=True)
class CsvFault:
    """What is wrong at one place: `column` is empty where the whole line is meant, line 1 has the names."""

    line: int
    column: str
    text: str

    @property
    def field(self) -> str:
        """The place as a path."""
        return f"lines[{self.line}]" + (f".{self.column}" if self.column else "")


class _RowUnreadable(ValueError):
    """A line that is no CSV; nothing after it can be read."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class CsvColumn:
    """`path` is where a cell's value stands in the body; `read` and `write` go to and from what the body holds there."""

    name: str
    path: tuple[str, ...]
    read: Callable[[str], object] = str
    write: Callable[[object], str] = str


@dataclass(frozen=True, slots=True)
class CsvShape(Generic[Line]):
    """What a line is, and its columns in the order in which they are written."""

    line_type: type[Line]
    columns: tuple[CsvColumn, ...]


@dataclass(frozen=True, slots=True)
class NumberedLine(Generic[Line]):
    """A line that is right in itself; `number` is where it begins in its file, from 1."""

    number: int
    body: Line


def list_plain(line_type: type[WireInput], groups: Mapping[str, Sequence[CsvColumn]]) -> tuple[CsvColumn, ...]:
    """Return a column for each field of a line's type, and where it is a group, the group's columns."""
    columns: list[CsvColumn] = []
    for name in line_type.model_fields:
        columns += groups.get(name, (CsvColumn(name, (name,)),))
    return tuple(columns)


def list_gflops_columns() -> tuple[CsvColumn, ...]:
    """Return the columns of throughput, in PFLOPS, decimals allowed, for what bodies have in GFLOPS."""
    return tuple(
        CsvColumn(f"pflops_{precision}", ("gflops", precision), _read_pflops, _write_pflops) for precision in Precision
    )


def read_csv(content: bytes, shape: CsvShape[Line]) -> tuple[tuple[NumberedLine[Line], ...], tuple[CsvFault, ...]]:
    """Return the lines that are right in themselves, and what is wrong with all others."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        line = content[: failure.start].count(b"\n") + 1
        return (), (CsvFault(line, "", "expected UTF-8"),)
    try:
        rows = list(_walk_rows(text))
    except _RowUnreadable as failure:
        return (), (CsvFault(failure.line, "", f"expected a line of CSV: {failure}"),)
    header = rows[0][1] if rows else []
    faults = tuple(_check_header(header, shape))
    if faults:
        return (), faults
    if len(rows) - 1 > CSV_LINES_MAX:
        return (), (CsvFault(rows[CSV_LINES_MAX + 1][0], "", f"expected at most {CSV_LINES_MAX} lines"),)
    return _read_rows(rows[1:], header, shape)


def raise_faults(faults: Iterable[CsvFault]) -> None:
    """Raise TableInvalid with all faults in order of their lines, if there are any."""
    ordered = sorted(faults, key=lambda fault: (fault.line, fault.column))
    if ordered:
        texts = [f"line {fault.line}{fault.column and f', {fault.column}'}: {fault.text}" for fault in ordered]
        told = tuple((fault.field, fault.text) for fault in ordered)
        raise TableInvalid("\n".join(texts), ordered[0].field, faults=told)


def write_csv(shape: CsvShape[Line], bodies: Iterable[Line]) -> str:
    """Return a table that `read_csv` reads back to the same bodies; columns that nobody uses are left out."""
    rows = [_write_cells(body, shape.columns) for body in bodies]
    required = {name for name, field in shape.line_type.model_fields.items() if field.is_required()}
    used = [
        column
        for column in shape.columns
        if column.path[0] in required or not rows or any(column.name in row for row in rows)
    ]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([column.name for column in used])
    writer.writerows([row.get(column.name, "") for column in used] for row in rows)
    return file.getvalue()


def _walk_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that is not empty with the number of its first line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""))
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, [cell.strip() for cell in cells]
            begins = reader.line_num + 1
    except csv.Error as failure:
        raise _RowUnreadable(begins, str(failure)) from failure


def _check_header(header: Sequence[str], shape: CsvShape[Line]) -> Iterator[CsvFault]:
    known = [column.name for column in shape.columns]
    for name in dict.fromkeys(header):
        if name not in known:
            yield CsvFault(1, _shorten(name), f"there is no such column; there are {', '.join(known)}")
        elif header.count(name) > 1:
            yield CsvFault(1, name, "expected each column once")
    for column in shape.columns:
        is_required = len(column.path) == 1 and shape.line_type.model_fields[column.path[0]].is_required()
        if is_required and column.name not in header:
            yield CsvFault(1, column.name, "expected this column")


def _read_rows(
    rows: Sequence[tuple[int, list[str]]], header: Sequence[str], shape: CsvShape[Line]
) -> tuple[tuple[NumberedLine[Line], ...], tuple[CsvFault, ...]]:
    columns = {column.name: column for column in shape.columns}
    own = [columns[name] for name in header]
    lines: list[NumberedLine[Line]] = []
    faults: list[CsvFault] = []
    for number, cells in rows:
        if len(cells) != len(own):
            faults.append(CsvFault(number, "", f"expected {len(own)} cells, got {len(cells)}"))
            continue
        found = _read_line(number, list(zip(own, cells, strict=True)), shape.line_type)
        if isinstance(found, NumberedLine):
            lines.append(found)
        else:
            faults += found
    return tuple(lines), tuple(faults)


def _read_line(
    number: int, cells: Sequence[tuple[CsvColumn, str]], line_type: type[Line]
) -> NumberedLine[Line] | list[CsvFault]:
    body: dict[str, object] = {}
    faults = []
    for column, cell in cells:
        try:
            _put(body, column.path, column.read(_check_cell(cell)) if cell else None)
        except ValueError as failure:
            faults.append(CsvFault(number, column.name, f"{failure}, got '{_shorten(cell)}'"))
    try:
        line = line_type.model_validate(body)
    except ValidationError as refusal:
        names = {column.path: (column.name, cell) for column, cell in cells}
        told = {fault.column for fault in faults}
        for fault in refusal.errors(include_url=False, include_input=False):
            path = tuple(str(part) for part in fault["loc"])
            name, cell = names.get(path) or names.get(path[:2]) or names.get(path[:1]) or (".".join(path), "")
            if name not in told:
                got = f"got '{_shorten(cell)}'" if cell else "got nothing"
                is_missing = fault["type"] == "missing"
                text = "expected a value" if is_missing else describe_expectation(fault["msg"])
                faults.append(CsvFault(number, name, f"{text}, {got}"))
        return faults
    return faults or NumberedLine(number, line)


def _put(body: dict[str, object], path: tuple[str, ...], value: object) -> None:
    if value is None:
        return
    if len(path) == 1:
        body[path[0]] = value
    else:
        group = body.setdefault(path[0], {})
        assert isinstance(group, dict)
        group[path[1]] = value


def _check_cell(cell: str) -> str:
    if len(cell) > CSV_CELL_CHARACTERS_MAX:
        raise ValueError(f"expected at most {CSV_CELL_CHARACTERS_MAX} characters")
    return cell


def _write_cells(body: WireInput, columns: Sequence[CsvColumn]) -> dict[str, str]:
    told = body.model_dump(mode="json", exclude_none=True)
    cells = {}
    for column in columns:
        value = told.get(column.path[0])
        if len(column.path) > 1:
            value = (value or {}).get(column.path[1])
        if value is not None:
            cells[column.name] = column.write(value)
    return cells


def _read_pflops(cell: str) -> int:
    try:
        gflops = Decimal(cell) * GFLOPS_PER_PFLOPS
    except InvalidOperation:
        gflops = Decimal("NaN")
    if not gflops.is_finite() or gflops < 0 or gflops != gflops.to_integral_value():
        raise ValueError("expected PFLOPS with at most 6 decimals")
    return int(gflops)


def _write_pflops(gflops: object) -> str:
    assert isinstance(gflops, int)
    whole, rest = divmod(gflops, GFLOPS_PER_PFLOPS)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."
