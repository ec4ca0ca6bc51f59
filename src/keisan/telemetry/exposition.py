"""Series as text for Prometheus: its format 0.0.4, or OpenMetrics 1.0.

Names are what OpenTelemetry's translation makes of them (docs/compatibility/prometheus_and_openmetrics.md of its
specification), so that a dashboard works for what is scraped here and for what a collector passes on.
"""

from collections.abc import Iterator
from enum import StrEnum

from keisan.telemetry.series import Attributes, Column, Family, SeriesKind, SeriesTable

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_UNIT_WORDS = {
    "1": "ratio",
    "By": "bytes",
    "W": "watts",
    "J": "joules",
    "Cel": "celsius",
    "s": "seconds",
    "Hz": "hertz",
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class TextForm(StrEnum):
    """The two forms, by their content types."""

    PROMETHEUS = TEXT_TYPE
    OPENMETRICS = OPENMETRICS_TYPE


def write_table(table: SeriesTable, form: TextForm) -> Iterator[str]:
    """Yield the text of a table, a piece for each family."""
    labels = [_format_labels(owner) for owner in table.owners]
    # A family is described once, and all of its lines follow.
    by_family: dict[Family, list[Column]] = {}
    for column in table.columns:
        by_family.setdefault(column.family, []).append(column)
    for family, columns in by_family.items():
        lines = [line for column in columns for line in _list_lines(column, labels)]
        if lines:
            yield "\n".join([*_describe_family(family, form), *lines, ""])
    if form is TextForm.OPENMETRICS:
        yield "# EOF\n"


def name_series(family: Family) -> str:
    """Return the name of a family's series: the unit in words at its end, `_total` after a counter's."""
    return name_family(family) + ("_total" if family.kind is SeriesKind.COUNTER else "")


def name_family(family: Family) -> str:
    """Return the name of a family as OpenMetrics describes it, without `_total`."""
    name = family.name.replace(".", "_")
    unit = _name_unit(family)
    return name if not unit or name.endswith(f"_{unit}") else f"{name}_{unit}"


def name_label(attribute: str) -> str:
    """Return the label that an attribute becomes."""
    return attribute.replace(".", "_")


def _name_unit(family: Family) -> str:
    what, _, time = family.unit.partition("/")
    # What has braces is a word about the unit and no unit; only a gauge's 1 is a ratio.
    word = _UNIT_WORDS.get(what, "") if what != "1" or family.kind is SeriesKind.GAUGE else ""
    return f"{word}_per_second".removeprefix("_") if time else word


def _describe_family(family: Family, form: TextForm) -> Iterator[str]:
    is_open = form is TextForm.OPENMETRICS
    name = name_family(family) if is_open else name_series(family)
    kind = SeriesKind.COUNTER if family.kind is SeriesKind.COUNTER else SeriesKind.GAUGE
    yield f"# HELP {name} {family.text}"
    yield f"# TYPE {name} {kind}"
    unit = _name_unit(family)
    if is_open and unit:
        yield f"# UNIT {name} {unit}"


def _list_lines(column: Column, labels: list[str]) -> Iterator[str]:
    name, extra = name_series(column.family), _format_labels(column.extra)
    ending = f",{extra}}} " if extra else "} "
    start = f"{name}{{"
    for owner, value in zip(column.owners, column.values, strict=True):
        yield f"{start}{labels[owner]}{ending}{value!r}"


def _format_labels(attributes: Attributes) -> str:
    return ",".join(f'{name_label(name)}="{text.translate(_ESCAPES)}"' for name, text in attributes.items())
