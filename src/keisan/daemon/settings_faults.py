"""Faults of settings in words: "gateway.listen: expected HOST:PORT ..., got 'x'". Values that may be secret are not shown."""

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_CUTS = ("Input should be ", "Value error, ", "String should match ", "String should have ")
_MASKED = frozenset({"database_url"})


def list_faults(error: ValidationError) -> Iterator[str]:
    """Yield one line per fault, in the order of the settings."""
    for fault in error.errors(include_url=False):
        yield _format_fault(fault)


def _format_fault(fault: ErrorDetails) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: expected a known key, got one that names no setting"
    if fault["type"] == "missing":
        return f"{path}: expected a value, got nothing"
    expected = fault["msg"].partition(", unable to")[0]
    for cut in _CUTS:
        expected = expected.removeprefix(cut)
    got = fault["input"]
    is_masked = not _MASKED.isdisjoint(fault["loc"])
    # A fault of a whole table (two fields that do not go together) already says what was given.
    shown = "" if not isinstance(got, str | int | float | None) else ", got " + ("a text" if is_masked else repr(got))
    return f"{path}: expected {expected}{shown}"
