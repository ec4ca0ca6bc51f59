"""What all commands that hand in a table have: the file, and what became of its lines."""

from pathlib import Path
from typing import Annotated

import typer

from keisan.domain.errors import InvalidInput
from keisan.sdk import UploadAnswer

FileArgument = Annotated[Path, typer.Argument(help="A table as CSV in UTF-8, with a first line of names.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print a table that `upload` takes.")]


def read_table(path: Path) -> bytes:
    """Return a file's bytes; raises InvalidInput if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as fault:
        raise InvalidInput(f"expected a file that can be read: {fault.strerror}", "FILE") from fault


def describe_upload(answer: UploadAnswer) -> str:
    """Return what became of a table's lines, in words."""
    words = ("created", "changed", "unchanged", "older", "deleted")
    counts = [(word, getattr(answer, f"{word}_count")) for word in words]
    return ", ".join(f"{count} {word}" for word, count in counts if count) or "no lines"
