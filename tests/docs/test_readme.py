"""What the README and the changelog say of versions and tools is what the project's own files say."""

import re
import tomllib

from tests.docs.page import ROOT, load_page, load_targets

README = "README.md"


def read_table(path: str) -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((ROOT / path).read_text())


def test_the_two_commands_are_there() -> None:
    assert {"up", "test"} <= set(load_page(README).find_targets()) & load_targets()


def test_what_make_needs_is_said_as_make_says_it() -> None:
    text = load_page(README).text
    rust = read_table("Cargo.toml")["workspace"]["package"]["rust-version"]
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    install = re.search(r"apt install [\w -]+", (ROOT / "make/tools.sh").read_text())
    assert install is not None
    assert f"Rust >= {rust}" in text
    assert f"Python >= {python}" in text
    assert f"    {install.group()}\n" in text


def test_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version}" in load_page("CHANGELOG.md").text
