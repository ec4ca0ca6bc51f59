"""Verify a keisan receipt without keisan: python verify_receipt.py FILE [PLATFORM_ID]. Needs only `cryptography`.

A call across platforms has two signers, of the same bytes: the header then names its audience.
"""

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


def check(key: str, signature: str, signer: str) -> None:
    """Require that a platform signed the header: its id is the hash of its key."""
    require(hashlib.sha256(bytes.fromhex(key)).hexdigest() == signer, "the key is not the platform's")
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), receipt["header"].encode())


receipt = json.loads(Path(sys.argv[1]).read_bytes())
header = json.loads(receipt["header"])
signers = [header["platform_id"]] + ([header["audience_id"]] if "audience_id" in header else [])
require(not sys.argv[2:] or sys.argv[2] in signers, "another platform signed it")
check(receipt["public_key"], receipt["signature"], signers[0])
if len(signers) > 1:
    require(receipt["countersignature"], "the other platform has not signed yet")
    check(receipt["counter_key"], receipt["countersignature"], signers[1])
root = climb(receipt["leaf"].encode(), receipt["index"], header["record_count"] - 1, receipt["path"])
require(root == header["records_root"], "the record is not among those that were signed")
sys.stdout.write(receipt["leaf"] + "\n")
