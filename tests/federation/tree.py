"""A tree of platforms with real keys, what they say of each other, and the links between them, for tests of the federation's rules."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.domain.ids import InvitationId, LetterId, LinkId, PlatformId
from keisan.domain.key_chain import KeyChain, Rotation, build_rotation_content
from keisan.domain.letter import Letter
from keisan.domain.link import Link, LinkSide, LinkState
from keisan.domain.name import issue_prefix
from keisan.domain.platform import PlatformKind
from keisan.federation.key_book import KeyBook, KnownPlatform, build_key_book
from keisan.kit.ids import create_id
from keisan.kit.signature import KeySigner
from keisan.wire.letter import LetterDraft, sign_letter
from keisan.wire.name import (
    PLATFORM_REGISTER,
    REVOCATION_REGISTER,
    NameBody,
    PlatformBody,
    RevocationBody,
    RevokedBody,
    encode_body,
    encode_key_chain,
)

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def make_signer() -> KeySigner:
    return KeySigner(Ed25519PrivateKey.generate())


@dataclass
class Person:
    """A platform of the tree, with all its keys."""

    prefix: str = ""
    region: str = ""
    parent: "Person | None" = None
    epoch: int = 1
    signers: list[KeySigner] = field(default_factory=lambda: [make_signer()])
    chain: KeyChain = field(init=False)

    def __post_init__(self) -> None:
        self.chain = KeyChain(self.signers[0].public_key)

    @property
    def id(self) -> PlatformId:
        return self.chain.platform_id

    def bear(self, label: str, region: str = "", epoch: int = 1) -> "Person":
        return Person(issue_prefix(self.prefix, label), region, self, epoch)

    def rotate(self, signer: KeySigner | None = None) -> None:
        after, number = signer or make_signer(), len(self.chain.rotations) + 1
        signature = self.signers[-1].sign(build_rotation_content(self.id, number, after.public_key))
        rotation = Rotation(number, after.public_key, signature)
        self.chain = replace(self.chain, rotations=(*self.chain.rotations, rotation))
        self.signers.append(after)

    def write(self, kind: str, name: str = "", body: bytes = b"{}", signer: KeySigner | None = None) -> Letter:
        draft = LetterDraft(LetterId(create_id()), kind, 1, name=name, version=1 if name else 0, body=body)
        return sign_letter(draft, self.id, signer or self.signers[-1])

    def tell(self, **changes: object) -> Letter:
        """Return what it says of itself."""
        parent = self.parent
        body = {
            "title": self.prefix,
            "kind": "regional",
            "keys": encode_key_chain(self.chain),
            "parent_id": parent and parent.id,
            "parent_keys": parent and encode_key_chain(parent.chain),
            **changes,
        }
        return self.write("platform", PLATFORM_REGISTER, encode_body(PlatformBody(**body)))  # type: ignore[arg-type]  # by name

    def vouch(self, child: "Person", **changes: object) -> Letter:
        """Return what it says of a child."""
        keys = encode_key_chain(child.chain)
        body = {"platform_id": child.id, "region": child.region, "epoch": child.epoch, "keys": keys, **changes}
        return self.write("name", child.prefix, encode_body(NameBody(**body)))  # type: ignore[arg-type]  # by name

    def revoke(self, *platforms: "Person", at_ms: int = 1000, key: bytes = b"") -> Letter:
        """Return its list of revocations."""
        revoked = tuple(RevokedBody(platform_id=each.id, public_key=key, revoked_at_ms=at_ms) for each in platforms)
        return self.write(
            "revocation", REVOCATION_REGISTER, encode_body(RevocationBody(proved_at_ms=1, revoked=revoked))
        )

    def link(self, neighbour: "Person", state: LinkState = LinkState.JOINED) -> Link:
        """Return its link to its parent or to a child."""
        is_parent = self.parent is neighbour
        child = self if is_parent else neighbour
        return Link(
            id=LinkId(create_id()),
            platform_id=self.id,
            neighbour_id=neighbour.id,
            side=LinkSide.PARENT if is_parent else LinkSide.CHILD,
            state=state,
            name=neighbour.prefix,
            kind=PlatformKind.REGIONAL,
            region=child.region or None,
            prefix=child.prefix,
            epoch=child.epoch,
            keys=neighbour.chain,
            url="https://parent" if is_parent else "",
            invitation_id=InvitationId(create_id()),
            certificate="",
            certificate_ends_at=None,
            ca="",
            offset_ms=None,
            heard_at=None,
            reviewer="",
            reviewed_at=None,
            ended_at=NOW if state in (LinkState.REVOKED, LinkState.LEFT) else None,
            version=1,
            created_at=NOW,
        )

    def know(self) -> KnownPlatform:
        """Return itself as its own book has it."""
        return KnownPlatform(self.id, self.chain, None, self.region, self.prefix, self.epoch)

    def build_book(self, links: list[Link], letters: list[Letter]) -> KeyBook:
        return build_key_book(self.know(), links, letters)
