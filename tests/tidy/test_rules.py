"""Every house rule over the repository, and over its planted violations: a rule that finds nothing planted is none."""

from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.tidy.rule import Files, Rule
from tests.tidy.tree import Tree, load_tree

ROOT = Path(__file__).parents[2]
# Found by folder, so that a new file of rules cannot be forgotten.
ROOMS = [import_module(f"tests.tidy.rules.{path.stem}") for path in sorted(ROOT.glob("tests/tidy/rules/*.py"))]
RULES: list[Rule] = [rule for room in ROOMS for rule in room.RULES]
PLANTED = [pytest.param(rule, plant, id=f"{rule.name} {n}") for rule in RULES for n, plant in enumerate(rule.planted)]
ALLOWED = [pytest.param(rule, plant, id=f"{rule.name} {n}") for rule in RULES for n, plant in enumerate(rule.allowed)]


@cache
def load_repository() -> Tree:
    return load_tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_repository_keeps(rule: Rule) -> None:
    found = rule.check(load_repository())
    assert not found, "\n" + "\n".join(str(violation) for violation in found)


@pytest.mark.parametrize(("rule", "plant"), PLANTED)
def test_planted_violation_is_found(rule: Rule, plant: Files) -> None:
    assert rule.check(Tree(plant)), f"{rule.name} did not see it"


@pytest.mark.parametrize(("rule", "plant"), ALLOWED)
def test_what_is_allowed_passes(rule: Rule, plant: Files) -> None:
    found = rule.check(Tree(plant))
    assert not found, "\n".join(str(violation) for violation in found)


def test_every_rule_has_a_name_and_a_planted_violation() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if not rule.planted] == []
