"""What a house rule is: a pure check, files that break it, and files that keep it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.tidy.tree import Tree, Violation

Files = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`planted` and `allowed` are small trees: each planted one must be reported, each allowed one must not."""

    name: str
    check: Callable[[Tree], list[Violation]]
    planted: tuple[Files, ...]
    allowed: tuple[Files, ...] = ()
