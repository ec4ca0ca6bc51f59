"""Letters of some platforms, for tests."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.domain.ids import LetterId, PlatformId, hash_public_key
from keisan.domain.letter import Letter
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner
from keisan.wire.letter import LetterDraft, sign_letter

_MADE = [KeySigner(Ed25519PrivateKey.generate()) for _ in range(3)]
SIGNERS = {hash_public_key(signer.public_key): signer for signer in _MADE}
NORTH, SOUTH, EAST = sorted(SIGNERS)


def write_letter(author: PlatformId = NORTH, **changes: Any) -> Letter:
    """Return a letter of one of these platforms: an item of a log, unless it is given a name."""
    given: dict[str, Any] = {"id": LetterId(create_id()), "kind": "usage", "made_at_ms": 5, "body": b"{}", **changes}
    return sign_letter(LetterDraft(**given), author, SIGNERS[author])


def write_register(author: PlatformId = NORTH, **changes: Any) -> Letter:
    """Return a register of one of these platforms."""
    return write_letter(author, **{"kind": "offer", "name": "one", "version": 1, **changes})
