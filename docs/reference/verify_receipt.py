"""Verify a keisan receipt without keisan: python verify_receipt.py FILE [PLATFORM_ID]. Needs only `cryptography`."""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def require(fact: object, fault: str) -> None:
    if not fact:
        sys.exit(f"this receipt is not good: {fault}")


def climb(leaf: bytes, index: int, last: int, path: list[str]) -> str:
    """Return the root that a path leads to (RFC 9162, section 2.1.3.2)."""
    root = hashlib.sha256(b"\x00" + leaf).digest()
    require(0 <= index <= last, "there is no such leaf")
    for beside in map(bytes.fromhex, path):
        require(last > 0, "the path is too long")
        is_right = index % 2 == 1 or index == last
        root = hashlib.sha256(b"\x01" + (beside + root if is_right else root + beside)).digest()
        while is_right and index % 2 == 0 and index > 0:
            index, last = index // 2, last // 2
        index, last = index // 2, last // 2
    require(last == 0, "the path is too short")
    return root.hex()


receipt = json.loads(Path(sys.argv[1]).read_bytes())
header, key = json.loads(receipt["header"]), bytes.fromhex(receipt["public_key"])
require(hashlib.sha256(key).hexdigest() == header["platform_id"], "the key is not the platform's")
require(header["platform_id"] in (sys.argv[2:] or [header["platform_id"]]), "another platform signed it")
Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(receipt["signature"]), receipt["header"].encode())
root = climb(receipt["leaf"].encode(), receipt["index"], header["record_count"] - 1, receipt["path"])
require(root == header["records_root"], "the record is not among those that were signed")
sys.stdout.write(receipt["leaf"] + "\n")
