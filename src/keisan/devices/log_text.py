"""Texts in which each line is "name : value", and lines that stand further in belong to the heading above them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LogBlock:
    """What a log says of one device: values by "heading/name", each heading that of its own line's indentation."""

    title: str
    fields: Mapping[str, str] = field(default_factory=dict)

    def find(self, *names: str) -> str:
        """Return the first of these fields that there is, by its whole path or by its end; empty if there is none."""
        for name in names:
            if name in self.fields:
                return self.fields[name]
            ending = next((path for path in self.fields if path.endswith(f"/{name}")), None)
            if ending is not None:
                return self.fields[ending]
        return ""


def read_log(text: str, start: re.Pattern[str]) -> tuple[LogBlock, tuple[LogBlock, ...]]:
    """Return what stands before the first device, and a block for each line that `start` matches."""
    head: dict[str, str] = {}
    blocks: list[LogBlock] = []
    fields = head
    headings: list[tuple[int, str]] = []
    for depth, line in _walk_lines(text):
        if start.match(line):
            fields = {}
            blocks.append(LogBlock(line, fields))
            headings = []
            continue
        while headings and headings[-1][0] >= depth:
            headings.pop()
        name, colon, value = line.partition(":")
        if not colon:
            headings.append((depth, line))
            continue
        path = "/".join([*(title for _, title in headings), name.strip()])
        if not value.strip():
            headings.append((depth, name.strip()))
        fields.setdefault(path, value.strip())
    return LogBlock("", head), tuple(blocks)


def _walk_lines(text: str) -> Iterator[tuple[int, str]]:
    for raw in text.splitlines():
        line = raw.expandtabs(4)
        if line.strip():
            yield len(line) - len(line.lstrip()), line.strip()
