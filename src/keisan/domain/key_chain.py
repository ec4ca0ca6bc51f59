"""The keys of a platform: the first, of which its id is the hash, and each later one with a rotation that the one before signed."""

from collections.abc import Callable
from dataclasses import dataclass

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PUBLIC_KEY_BYTES, PlatformId, hash_public_key
from keisan.domain.limits import KEY_ROTATIONS_MAX

# Tells whether a signature (last) of some bytes (second) was made with the key of a public key (first).
Verify = Callable[[bytes, bytes, bytes], bool]

_PURPOSE = b"keisan key rotation 1\0"


@dataclass(frozen=True, slots=True)
class Rotation:
    """A later key, vouched for by the one before: `signature` is over build_rotation_content. `number` counts from 1."""

    number: int
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class KeyChain:
    """All keys of a platform, oldest first."""

    first_key: bytes
    rotations: tuple[Rotation, ...] = ()

    @property
    def platform_id(self) -> PlatformId:
        """Return whose keys they are; raises InvalidInput for a first key that is none."""
        return hash_public_key(self.first_key)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the public keys, oldest first."""
        return (self.first_key, *(each.public_key for each in self.rotations))

    @property
    def newest_key(self) -> bytes:
        """Return the key that signs now."""
        return self.keys[-1]

    def is_continued_by(self, other: "KeyChain") -> bool:
        """Tell whether the other is this chain with rotations of the same keys after it, or the same."""
        return other.keys[: len(self.keys)] == self.keys


def build_rotation_content(platform_id: PlatformId, number: int, public_key: bytes) -> bytes:
    """Return what the key before signs to vouch for the next: fixed fields, so that there is one way to write them."""
    return _PURPOSE + bytes.fromhex(platform_id) + number.to_bytes(4) + public_key


def check_key_chain(chain: KeyChain, platform_id: PlatformId, verify: Verify) -> None:
    """Raise InvalidInput unless every key from the first on was vouched for by the one before it."""
    if chain.platform_id != platform_id:
        raise InvalidInput("a platform's id is the hash of its first public key, and this is another's", "keys")
    if len(chain.rotations) > KEY_ROTATIONS_MAX:
        raise InvalidInput(f"a platform's keys are replaced at most {KEY_ROTATIONS_MAX} times", "keys")
    before = chain.first_key
    for number, rotation in enumerate(chain.rotations, start=1):
        content = build_rotation_content(platform_id, number, rotation.public_key)
        is_vouched = verify(before, content, rotation.signature)
        if rotation.number != number or len(rotation.public_key) != PUBLIC_KEY_BYTES or not is_vouched:
            raise InvalidInput(f"the platform's key {number} was not vouched for by the one before it", "keys")
        before = rotation.public_key
