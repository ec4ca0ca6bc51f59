"""What a Markdown page says that can be checked: its links, headings, paths, commands and make targets."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
LIST_S_MAX = 30
ROOMS = ("src/", "crates/", "tests/", "docs/", "bench/", "make/", "requirements/", ".ci/")
FENCE = re.compile(r"^(```|~~~).*?^\1[ ]*$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
# A how-to names an example, and its own paths then hold for it: "`<noun>` = `project`".
EXAMPLE = re.compile(r"`<(\w+)>` = `([\w.-]+)`")
TYPED = re.compile(r"^(?:\$ |    )((?:make|keisan) .*)$", re.MULTILINE)
MAKE = re.compile(r"^make ([a-z-]+)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page by its path from the repository's root."""

    path: str
    text: str

    @property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return FENCE.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """What stands between single backticks in the prose."""
        return SPAN.findall(self.prose)

    @property
    def examples(self) -> dict[str, str]:
        """The page's placeholders and what it fills them with."""
        return dict(EXAMPLE.findall(self.prose))

    @property
    def anchors(self) -> set[str]:
        """The headings, as links name them."""
        return {_name_anchor(heading) for heading in HEADING.findall(self.prose)}

    def find_links(self) -> list[str]:
        """Return the targets of links that lead to a file or a heading here."""
        return [link for link in LINK.findall(self.prose) if not re.match(r"[a-z]+:", link)]

    def find_paths(self) -> list[str]:
        """Return the paths that the prose names, with the page's examples filled in.

        A page without examples may speak of a path in general.
        """
        paths = [span for span in self.spans if span.startswith(ROOMS) and " " not in span]
        if not self.examples:
            return [path for path in paths if "<" not in path]
        for placeholder, example in self.examples.items():
            paths = [path.replace(f"<{placeholder}>", example) for path in paths]
        return paths

    def find_commands(self) -> list[str]:
        """Return the keisan commands that the page names: in the prose, and typed in its blocks."""
        return [span for span in [*self.spans, *self._find_typed()] if span.startswith("keisan ")]

    def find_targets(self) -> list[str]:
        """Return the make targets that the page names."""
        return [target for span in [*self.spans, *self._find_typed()] for target in MAKE.findall(span)]

    def _find_typed(self) -> list[str]:
        """Return the lines of blocks that are typed: behind a prompt, or in an indented block."""
        return TYPED.findall(self.text)


def _name_anchor(heading: str) -> str:
    """Return the anchor that a repository page gives to a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.replace(" ", "-")


@cache
def list_files() -> tuple[str, ...]:
    """Return the repository's files: tracked ones, and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LIST_S_MAX)
    return tuple(path for path in listed.stdout.splitlines() if (ROOT / path).exists())


@cache
def load_pages() -> tuple[Page, ...]:
    """Return every Markdown page of the repository."""
    return tuple(Page(path, (ROOT / path).read_text()) for path in list_files() if path.endswith(".md"))


def load_page(path: str) -> Page:
    """Return one page."""
    return Page(path, (ROOT / path).read_text())


def load_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(TARGET.findall((ROOT / "Makefile").read_text()))


def check_links(page: Page, files: tuple[str, ...]) -> list[str]:
    """Return the links that lead nowhere."""
    broken = []
    for link in page.find_links():
        target, _, anchor = link.partition("#")
        path = _resolve(page.path, target) if target else page.path
        if not _has_path(path, files) or (anchor and anchor not in _open_page(path, page).anchors):
            broken.append(link)
    return broken


def check_paths(page: Page, files: tuple[str, ...]) -> list[str]:
    """Return the named paths that do not exist; a path with a star needs at least one file."""
    return [path for path in page.find_paths() if not _has_path(path, files)]


def _open_page(path: str, page: Page) -> Page:
    return page if path == page.path else load_page(path)


def _resolve(page_path: str, target: str) -> str:
    parts: list[str] = []
    for part in PurePosixPath(page_path).parent.joinpath(target).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _has_path(path: str, files: tuple[str, ...]) -> bool:
    folder = path.rstrip("/") + "/"
    return any(
        file == path or file.startswith(folder) or ("*" in path and PurePosixPath(file).match(path)) for file in files
    )
