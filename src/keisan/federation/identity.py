"""What a platform is to others: its keys, what signs with the newest of them, and the key of its connections."""

from dataclasses import dataclass

from keisan.domain.ids import PlatformId
from keisan.domain.key_chain import KeyChain
from keisan.kit.signature import Signer


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """`signer` signs with the newest of `keys`. `link_key` is the public key of TLS connections (32 raw bytes of Ed25519)."""

    keys: KeyChain
    signer: Signer
    link_key: bytes

    @property
    def platform_id(self) -> PlatformId:
        """Return whose identity it is."""
        return self.keys.platform_id
