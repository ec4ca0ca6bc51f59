"""A receipt: the proof of one usage record, whose leaf (wire/leaf.py) stands in the Merkle tree of its journal entry."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """`leaf` is number `index` of the `header`'s records, in order of record id; `path` its Merkle path, lowest first.

    `signature` is of the header's bytes, by the key whose hash is the platform's id.
    """

    leaf: bytes
    index: int
    path: Sequence[bytes]
    header: bytes
    signature: bytes
    public_key: bytes
