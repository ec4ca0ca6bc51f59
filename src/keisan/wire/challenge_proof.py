"""A commitment to a result: one hash over all of its parts, given before anybody says which of them are wanted."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from keisan.domain.merkle import build_path, compute_root, follow_path, hash_leaf


class Commitment:
    """The tree over a result's parts; `read_leaf` returns one of them."""

    def __init__(self, count: int, read_leaf: Callable[[int], bytes], executor: Executor | None = None) -> None:
        """Hash all parts, side by side if there is an executor for it."""
        self._read_leaf = read_leaf
        walk = map if executor is None else executor.map
        self._hashes = list(walk(lambda index: hash_leaf(read_leaf(index)), range(count)))

    def build_root(self) -> str:
        """Return the root, hex."""
        return compute_root(self._hashes).hex()

    def open(self, index: int) -> tuple[bytes, tuple[str, ...]]:
        """Return a part and the path from it to the root, hex."""
        return self._read_leaf(index), tuple(step.hex() for step in build_path(self._hashes, index))


def is_opening(root: str, count: int, index: int, leaf: bytes, path: Sequence[str]) -> bool:
    """Tell whether a part is the one at `index` of `count` under a root."""
    try:
        steps = [bytes.fromhex(step) for step in path]
    except ValueError:
        return False
    reached = follow_path(hash_leaf(leaf), index, count, steps)
    return reached is not None and reached.hex() == root
