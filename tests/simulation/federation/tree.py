"""Trees of platforms: random ones of three to seven, and a nation of 31 regions on three levels."""

import random
from dataclasses import dataclass

REGIONS = [
    "BJ",
    "TJ",
    "HE",
    "SX",
    "NM",
    "LN",
    "JL",
    "HL",
    "SH",
    "JS",
    "ZJ",
    "AH",
    "FJ",
    "JX",
    "SD",
    "HA",
    "HB",
    "HN",
    "GD",
    "GX",
    "HI",
    "CQ",
    "SC",
    "GZ",
    "YN",
    "XZ",
    "SN",
    "GS",
    "QH",
    "NX",
    "XJ",
]
INDUSTRIES = 6
NATIONAL = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """Platforms by number, 0 the root; `parents[n]` is the parent of n, and `regions[n]` its region, empty for an industry."""

    parents: tuple[int | None, ...]
    regions: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.parents)

    def list_pairs(self) -> list[tuple[int, int]]:
        """Return every link as (child, parent)."""
        return [(child, parent) for child, parent in enumerate(self.parents) if parent is not None]

    def list_ancestors(self, number: int) -> list[int]:
        """Return the platforms above one, the nearest first."""
        found = []
        parent = self.parents[number]
        while parent is not None:
            found.append(parent)
            parent = self.parents[parent]
        return found

    def list_below(self, number: int) -> list[int]:
        """Return the platforms below one, at any depth."""
        return [other for other in range(self.size) if number in self.list_ancestors(other)]

    def find_path(self, start: int, end: int) -> list[int]:
        """Return the way from one platform to another, both included."""
        up, down = [start, *self.list_ancestors(start)], [end, *self.list_ancestors(end)]
        meeting = next(each for each in up if each in down)
        return up[: up.index(meeting) + 1] + down[: down.index(meeting)][::-1]

    def move(self, child: int, parent: int) -> "Tree":
        """Return the tree after a platform has moved to another parent."""
        parents = list(self.parents)
        parents[child] = parent
        return Tree(tuple(parents), self.regions)


def grow_tree(chance: random.Random) -> Tree:
    """Return a tree of three to seven platforms, more often of few, of any shape: a chain, a star, or between the two."""
    size = min(chance.randint(3, 7), chance.randint(3, 7))
    parents: list[int | None] = [NATIONAL if number else None for number in range(size)]
    regions = [""]
    for number in range(1, size):
        parents[number] = chance.randrange(max(0, number - 3), number) if chance.random() < 0.6 else NATIONAL
        regions.append(f"CN-{chance.choice(REGIONS)}" if chance.random() < 0.8 else "")
    return Tree(tuple(parents), tuple(regions))


def build_nation() -> Tree:
    """Return a nation: 31 regions below it, and industry platforms below some of those."""
    parents: list[int | None] = [None, *([NATIONAL] * len(REGIONS))]
    regions = ["", *(f"CN-{region}" for region in REGIONS)]
    for number in range(INDUSTRIES):
        parents.append(1 + number * 5)
        regions.append("")
    return Tree(tuple(parents), tuple(regions))
