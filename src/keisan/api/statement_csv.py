"""A statement as CSV (RFC 4180): one line for each of its lines, and one for each adjustment.

Amounts and unit prices (per 1,000,000 tokens) are decimal numbers of the currency with all nine decimals.
"""

import csv
import io
from collections.abc import Sequence

from keisan.domain.price import COUNT_NAMES, TokenClass
from keisan.domain.statement import Adjustment, StatementContent, StatementLine, name_period
from keisan.kit.units import format_exact_nano

# What makes a spreadsheet take a cell for a formula, in half and in full width.
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # see above
PLACES = ("project", "key", "site", "chip", "model", "price_version")
COLUMNS = (
    "period",
    "line",
    *PLACES,
    "calls",
    *COUNT_NAMES.values(),
    *(f"{token_class}_price" for token_class in TokenClass),
    "amount",
    "tax",
    "currency",
)


def write_csv(content: StatementContent) -> bytes:
    """Return the file's bytes, with a first line of names."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    shared = (name_period(content.period), content.holder.currency)
    for line in content.lines:
        writer.writerow([_escape(cell) for cell in _list_cells(line, *shared)])
    for adjustment in content.adjustments:
        writer.writerow([_escape(cell) for cell in _list_adjustment(adjustment, *shared)])
    return file.getvalue().encode()


def _escape(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_BEGINNINGS) else cell


def _list_cells(line: StatementLine, period: str, currency: str) -> Sequence[str]:
    own, prices = line.sum, line.nano_per_million or {}
    version = "" if line.price_version is None else str(line.price_version)
    return (
        period,
        "late" if own.is_late else "usage",
        line.project_name,
        line.key_name,
        line.site_name,
        own.chip or "",
        line.model_name,
        version,
        str(own.record_count),
        *(str(own.quantities.get(token_class, 0)) for token_class in TokenClass),
        *(format_exact_nano(prices[word]) if word in prices else "" for word in TokenClass),
        format_exact_nano(own.amount_nano),
        format_exact_nano(own.tax_nano),
        currency,
    )


def _list_adjustment(adjustment: Adjustment, period: str, currency: str) -> Sequence[str]:
    empty = [""] * (len(PLACES) + 1 + 2 * len(TokenClass))
    return (period, "adjustment", *empty, format_exact_nano(adjustment.amount_nano), "", currency)
