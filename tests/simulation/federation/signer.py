"""A signer of tests: Ed25519 takes longer than all the rest. What was not signed, or was changed since, is found just the same."""

from hashlib import blake2b, sha256

SECRETS: dict[bytes, bytes] = {}
_MADE: dict[int, "TestSigner"] = {}


class TestSigner:
    """Signs by a keyed hash; who knows the public key can look its secret up here, and nowhere else."""

    __test__ = False

    def __init__(self, number: int) -> None:
        self._secret = sha256(b"secret %d" % number).digest()
        self.public_key = sha256(b"public" + self._secret).digest()
        SECRETS[self.public_key] = self._secret

    def sign(self, content: bytes) -> bytes:
        return blake2b(content, key=self._secret).digest()


def get_signer(number: int) -> TestSigner:
    """Return the signer of a number; schedules use the same few, so they are made once a process."""
    if number not in _MADE:
        _MADE[number] = TestSigner(number)
    return _MADE[number]


def is_signed_by_test(public_key: bytes, content: bytes, signed: bytes) -> bool:
    """Tell whether a test signer made a signature, as kit.signature.is_signed_by does of Ed25519."""
    secret = SECRETS.get(public_key)
    return secret is not None and blake2b(content, key=secret).digest() == signed
