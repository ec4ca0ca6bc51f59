"""Links, paths and make targets in every page lead to something; each check is tried on a page that is wrong."""

import pytest

from tests.docs.page import Page, check_links, check_paths, list_files, load_page, load_pages, load_targets

FILES = ("README.md", "docs/a.md", "src/keisan/domain/price.py", "src/keisan/storage/versions/0001_start.py")


@pytest.mark.parametrize("page", load_pages(), ids=lambda page: page.path)
def test_links_lead_somewhere(page: Page) -> None:
    broken = check_links(page, list_files())
    assert not broken, "\n".join(broken)


# A decision and a release keep the names of their day: both are superseded, never edited.
LIVING = [page for page in load_pages() if not page.path.startswith(("docs/decisions/", "CHANGELOG"))]


@pytest.mark.parametrize("page", LIVING, ids=lambda page: page.path)
def test_named_paths_exist(page: Page) -> None:
    missing = check_paths(page, list_files())
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("page", load_pages(), ids=lambda page: page.path)
def test_named_make_targets_exist(page: Page) -> None:
    assert set(page.find_targets()) - load_targets() == set()


def test_every_room_is_on_the_map() -> None:
    named = {path.rstrip("/") for path in load_page("docs/ARCHITECTURE.md").find_paths()}
    rooms = {"/".join(path.split("/")[:3]) for path in list_files() if path.startswith("src/keisan/")}
    crates = {"/".join(path.split("/")[:2]) for path in list_files() if path.startswith("crates/")}
    assert {room for room in rooms | crates if "." not in room} - named == set()


def test_every_decision_is_listed_in_the_architecture() -> None:
    linked = set(load_page("docs/ARCHITECTURE.md").find_links())
    decisions = {path.removeprefix("docs/") for path in list_files() if path.startswith("docs/decisions/")}
    assert decisions - linked == set()


def test_every_how_to_walks_an_example() -> None:
    walked = [page.path for page in load_pages() if page.path.startswith("docs/how-to/") and page.examples]
    assert walked == [path for path in list_files() if path.startswith("docs/how-to/")]


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](b.md)", ["b.md"]),
        ("[a](../src/keisan/domain/cost.py)", ["../src/keisan/domain/cost.py"]),
        ("![a](picture.svg)", ["picture.svg"]),
        ("# One\n[a](#two)", ["#two"]),
        ("# One `thing`, two\n[a](#one-thing-two) [b](../README.md) [c](../src/keisan) [d](https://x.example)", []),
        ("```\n[a](b.md)\n```\n", []),
    ],
)
def test_broken_links_are_found(text: str, broken: list[str]) -> None:
    assert check_links(Page("docs/a.md", text), FILES) == broken


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`src/keisan/domain/cost.py`", ["src/keisan/domain/cost.py"]),
        ("`src/keisan/storage/*.sql`", ["src/keisan/storage/*.sql"]),
        ("`<noun>` = `cost`: `src/keisan/domain/<noun>.py`", ["src/keisan/domain/cost.py"]),
        ("`<room>` = `x`: `src/keisan/domain/<noun>.py`", ["src/keisan/domain/<noun>.py"]),
        ("`src/keisan/domain/<noun>.py`", []),
        ("`<noun>` = `price`: `src/keisan/domain/<noun>.py`, `src/keisan/storage/versions/*.py`, `src/keisan`", []),
    ],
)
def test_missing_paths_are_found(text: str, missing: list[str]) -> None:
    assert check_paths(Page("docs/a.md", text), FILES) == missing


def test_targets_and_commands_are_read_from_prose_and_from_blocks() -> None:
    page = Page("a.md", "`make up ARGS=--json`, `keisan up`\n```\n$ make test\nmake nothing\n```\n\n    keisan usage\n")
    assert page.find_targets() == ["up", "test"]
    assert page.find_commands() == ["keisan up", "keisan usage"]
