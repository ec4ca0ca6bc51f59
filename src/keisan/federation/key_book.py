"""Who may speak for whom: a book of the keys of all platforms of the tree, made of links and of what platforms say of each other.

A platform's keys follow from its id (a chain from the first key, of which the id is the hash). That it is in the tree at all, its
parent vouches for: this platform for its own children, a child for those below it, the parent for its parent and its children.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.ids import PlatformId, parse_platform_id
from keisan.domain.key_chain import KeyChain, Verify, check_key_chain
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.limits import TREE_LEVELS_MAX
from keisan.domain.link import ENDED_STATES, Link, LinkSide, LinkState
from keisan.domain.name import is_prefix_below
from keisan.kit.clock import to_milliseconds
from keisan.kit.signature import is_signed_by
from keisan.wire.name import (
    NameBody,
    decode_key_chain,
    parse_name_body,
    parse_platform_body,
    read_name_body,
    read_platform_body,
    read_revocation_body,
)

# What registers say is read, and rotations in them are verified, once: a book is made anew with whatever changes.
READ_MAX = 4_096

# Who is who comes before what they say, in this order.
_RANKS: Mapping[str, int] = {LetterKind.NAME: 0, LetterKind.PLATFORM: 1, LetterKind.REVOCATION: 2}

# What a platform that was revoked has signed is taken all the same if it is of these kinds: what was before the revocation is
# settled, what was after goes to suspense. That is decided by whoever applies it, with find_revocation.
SETTLED_KINDS = frozenset(
    {
        LetterKind.USAGE,
        LetterKind.TOTALS,
        LetterKind.CREDIT_RETURN,
        LetterKind.PERIOD_END,
        LetterKind.COUNTERSIGNATURE,
        LetterKind.COMPARISON,
    }
)


@dataclass(frozen=True, slots=True)
class KnownPlatform:
    """A platform of the tree. `parent` is who vouched for it, None for the topmost known and where it is not known.

    `region` (empty for an industry platform), `prefix` and `epoch` are as its parent issued them, never as it says itself.
    `revoked_at_ms` is when it was revoked, or the platform above it by which it is here; `revoked_keys` are single keys, with when.
    """

    id: PlatformId
    keys: KeyChain
    parent: PlatformId | None
    region: str
    prefix: str
    epoch: int
    revoked_at_ms: int | None = None
    revoked_keys: Mapping[bytes, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class _Claim:
    """That a platform, as its parent says, is below that parent. `known` is what is known of it, if nobody says more."""

    parent: PlatformId
    child: PlatformId
    body: NameBody
    prefix: str
    keys: KeyChain
    known: KnownPlatform


@dataclass(frozen=True, slots=True)
class KeyBook:
    """All platforms that may speak here. `claims` are what parents say of children, also where it does not count yet."""

    own_id: PlatformId
    platforms: Mapping[PlatformId, KnownPlatform]
    claims: Mapping[PlatformId, tuple[_Claim, ...]] = field(default_factory=dict)
    verify: Verify = is_signed_by

    def find(self, platform_id: PlatformId) -> KnownPlatform | None:
        """Return what is known of a platform, None for one that nobody vouches for."""
        return self.platforms.get(platform_id)

    def find_revocation(self, letter: Letter) -> int | None:
        """Return when the letter's author, or the key that signed it, was revoked (milliseconds since 1970), None if neither."""
        known = self.platforms.get(letter.author)
        if known is None:
            return None
        found = [each for each in (known.revoked_at_ms, known.revoked_keys.get(letter.public_key)) if each is not None]
        return min(found, default=None)

    def list_path(self, platform_id: PlatformId) -> tuple[PlatformId, ...]:
        """Return a platform and those above it, from the lowest to the topmost that is known."""
        path: list[PlatformId] = []
        at: PlatformId | None = platform_id
        while at is not None and at not in path and (known := self.platforms.get(at)):
            path.append(at)
            at = known.parent
        return tuple(path)


def check_letter(letter: Letter, book: KeyBook) -> None:
    """Check that a letter's signature holds and that its key may speak for its author.

    Raises InvalidInput for a signature that does not hold, or keys that are not the author's; PermissionDenied where nobody
    vouches for the author, or it (or this key of it) was revoked.
    """
    if not book.verify(letter.public_key, letter.content, letter.signature):
        raise InvalidInput("the signature of this letter does not hold", "letter.signature")
    if letter.public_key not in _list_keys(letter, book):
        raise InvalidInput("this letter was signed by a key that its author never vouched for", "letter.public_key")
    if letter.kind not in SETTLED_KINDS and book.find_revocation(letter) is not None:
        raise PermissionDenied("the author of this letter was revoked, or the key that signed it")
    if letter.kind == LetterKind.NAME and not letter.is_deleted:
        read_name_body(letter)
    if letter.kind == LetterKind.REVOCATION and not letter.is_deleted:
        read_revocation_body(letter)


def order_for_book(letters: Iterable[Letter]) -> list[Letter]:
    """Return letters with those first that say who is who, parents before those they vouch for as far as that can be seen."""
    return sorted(letters, key=lambda each: (_RANKS.get(each.kind, len(_RANKS)), len(each.name)))


def build_key_book(
    own: KnownPlatform, links: Iterable[Link], letters: Iterable[Letter], verify: Verify = is_signed_by
) -> KeyBook:
    """Return the book of a platform: itself, its neighbours by their links, and all others by registers that were checked.

    `letters` are the PLATFORM, NAME and REVOCATION registers that are kept, not deleted; what is no such thing is passed over.
    """
    by_kind: dict[str, list[Letter]] = {}
    for letter in letters:
        by_kind.setdefault(letter.kind, []).append(letter)
    claims = _read_claims(by_kind.get(LetterKind.NAME, ()), verify)
    builder = _Builder(own.id, {own.id: own}, claims, verify)
    builder.add_told(by_kind.get(LetterKind.PLATFORM, ()))
    # Of two parents while it moves, the one that it moves to is above it.
    given = sorted(links, key=lambda each: each.state is LinkState.JOINED)
    for link in given:
        if link.is_open:
            builder.add_neighbour(link)
    builder.add_above()
    builder.add_below()
    # One that has left, or was revoked here, may have come back below another; else what it signed is known by its ended link.
    for link in given:
        if link.state in ENDED_STATES and link.neighbour_id not in builder.platforms:
            builder.add_neighbour(link)
    builder.apply_revocations(by_kind.get(LetterKind.REVOCATION, ()))
    return KeyBook(own.id, builder.platforms, claims, verify)


def _list_keys(letter: Letter, book: KeyBook) -> tuple[bytes, ...]:
    """Return the keys that may sign for a letter's author; those that it tells of itself only with its own chain from the first."""
    known = book.platforms.get(letter.author)
    if letter.kind != LetterKind.PLATFORM or letter.is_deleted:
        if known is None:
            raise PermissionDenied("nobody in this tree vouches for the author of this letter")
        return known.keys.keys
    body = read_platform_body(letter)
    told = decode_key_chain(body.keys)
    check_key_chain(told, letter.author, book.verify)
    vouched = _find_vouched(letter.author, body.parent_id, known, book)
    return told.keys if vouched.is_continued_by(told) else vouched.keys


def _find_vouched(author: PlatformId, told_parent: str | None, known: KnownPlatform | None, book: KeyBook) -> KeyChain:
    """Return the keys by which somebody of the tree knows the author: one who has moved is known by its new parent first."""
    for claim in book.claims.get(author, ()):
        if claim.parent == told_parent and claim.parent in book.platforms:
            return claim.keys
    if known is None:
        raise PermissionDenied("nobody in this tree vouches for the author of this letter")
    return known.keys


def _read_claims(letters: Iterable[Letter], verify: Verify) -> dict[PlatformId, tuple[_Claim, ...]]:
    """Return what parents say of children, by child: NAME registers of prefixes that are not forwarded."""
    claims: dict[PlatformId, tuple[_Claim, ...]] = {}
    for letter in letters:
        claim = _read_claim(letter.author, letter.name, letter.body, verify)
        if claim is not None:
            claims[claim.child] = (*claims.get(claim.child, ()), claim)
    return claims


@lru_cache(READ_MAX)
def _read_claim(author: PlatformId, name: str, content: bytes, verify: Verify) -> _Claim | None:
    if ":" in name:
        return None
    try:
        body = parse_name_body(content)
        if body.keys is None or body.forward_to:
            return None
        child, keys = parse_platform_id(body.platform_id), decode_key_chain(body.keys)
        check_key_chain(keys, child, verify)
    except InvalidInput:
        return None
    known = KnownPlatform(child, keys, author, body.region, name, body.epoch)
    return _Claim(author, child, body, name, keys, known)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a platform says of itself."""

    parent: PlatformId | None
    parent_keys: KeyChain | None
    keys: KeyChain


@dataclass(slots=True)
class _Builder:
    """A book as it is being made. `above` are the platforms on the way to the root, nearest first."""

    own_id: PlatformId
    platforms: dict[PlatformId, KnownPlatform]
    claims: Mapping[PlatformId, tuple[_Claim, ...]]
    verify: Verify
    told: dict[PlatformId, _Told] = field(default_factory=dict)
    above: list[PlatformId] = field(default_factory=list)

    def add_told(self, letters: Iterable[Letter]) -> None:
        """Read what platforms say of themselves."""
        for letter in letters:
            told = _read_told(letter.author, letter.body, self.verify)
            if told is not None:
                self.told[letter.author] = told

    def add_neighbour(self, link: Link) -> None:
        """Add the neighbour of a link."""
        is_parent = link.side is LinkSide.PARENT
        revoked_at = link.ended_at if link.state is LinkState.REVOKED else None
        self.platforms[link.neighbour_id] = KnownPlatform(
            id=link.neighbour_id,
            keys=self._extend(link.neighbour_id, link.keys),
            parent=None if is_parent else self.own_id,
            region="" if is_parent else link.region or "",
            prefix=link.prefix.rpartition(".")[0] if is_parent else link.prefix,
            epoch=0 if is_parent else link.epoch,
            revoked_at_ms=None if revoked_at is None else to_milliseconds(revoked_at),
        )
        if is_parent and link.is_open:
            self.above = [link.neighbour_id]
            own = self.platforms[self.own_id]
            self.platforms[self.own_id] = replace(
                own, parent=link.neighbour_id, region=link.region or "", prefix=link.prefix, epoch=link.epoch
            )

    def add_above(self) -> None:
        """Add the way to the root: each platform on it says who its parent is, with its keys."""
        at = self.above[0] if self.above else None
        while at is not None and len(self.above) < TREE_LEVELS_MAX:
            told = self.told.get(at)
            if told is None or told.parent is None or told.parent_keys is None or told.parent in self.platforms:
                return
            below = self.platforms[at]
            self.platforms[at] = replace(below, parent=told.parent)
            keys = self._extend(told.parent, told.parent_keys)
            # Prefixes are issued from the top down, so the one above is known by this one's own.
            prefix = below.prefix.rpartition(".")[0]
            self.platforms[told.parent] = KnownPlatform(told.parent, keys, None, "", prefix, 0)
            self.above.append(told.parent)
            at = told.parent

    def add_below(self) -> None:
        """Add, level by level, whom those that are known vouch for: nobody may vouch for one that somebody nearer knows."""
        by_parent: dict[PlatformId, list[_Claim]] = {}
        for child, claims in self.claims.items():
            claim = self._choose(child, claims)
            if claim is not None:
                by_parent.setdefault(claim.parent, []).append(claim)
        # Children of this one are known by links alone.
        level = [each for each in self.platforms if each != self.own_id]
        for _ in range(TREE_LEVELS_MAX):
            found: list[PlatformId] = []
            for parent in level:
                for claim in by_parent.get(parent, ()):
                    known = self.platforms.get(claim.child)
                    if known is not None:
                        self._name_known(claim, known)
                    elif _is_within(claim, self.platforms[parent]):
                        self.platforms[claim.child] = self._build_known(claim)
                        found.append(claim.child)
            level = found

    def apply_revocations(self, letters: Iterable[Letter]) -> None:
        """Note what was revoked: by a platform above it, never by one beside or below; a platform may revoke a key of its own."""
        for letter in letters:
            try:
                revoked = read_revocation_body(letter).revoked
            except InvalidInput:
                continue
            for each in revoked:
                known = self.platforms.get(PlatformId(each.platform_id))
                if known is None or letter.author not in self._list_path(known.id):
                    continue
                if each.public_key:
                    known = replace(known, revoked_keys={**known.revoked_keys, each.public_key: each.revoked_at_ms})
                elif letter.author != known.id:
                    known = replace(known, revoked_at_ms=_find_earlier(known.revoked_at_ms, each.revoked_at_ms))
                self.platforms[known.id] = known
        self._inherit_revocations()

    def _inherit_revocations(self) -> None:
        """Let what is below a revoked platform be revoked with it: it is here by that one's word alone."""
        if all(known.revoked_at_ms is None for known in self.platforms.values()):
            return
        for known in list(self.platforms.values()):
            for above in self._list_path(known.id)[1:]:
                at_ms = self.platforms[above].revoked_at_ms
                if at_ms is not None:
                    here = self.platforms[known.id]
                    self.platforms[known.id] = replace(here, revoked_at_ms=_find_earlier(here.revoked_at_ms, at_ms))

    def _choose(self, child: PlatformId, claims: tuple[_Claim, ...]) -> _Claim | None:
        """Return the claim that counts: of whom the child itself says that it is its parent, or the only one while it says nothing."""
        told = self.told.get(child)
        if told is None or told.parent is None:
            return claims[0] if len(claims) == 1 else None
        for claim in claims:
            if claim.parent == told.parent:
                return claim
        return None

    def _name_known(self, claim: _Claim, known: KnownPlatform) -> None:
        """Note what the parent of a platform on the way to the root says of it."""
        if known.parent == claim.parent and claim.child in self.above:
            self.platforms[claim.child] = replace(known, region=claim.body.region, epoch=claim.body.epoch)

    def _build_known(self, claim: _Claim) -> KnownPlatform:
        keys = self._extend(claim.child, claim.keys)
        return claim.known if keys is claim.keys else replace(claim.known, keys=keys)

    def _extend(self, platform_id: PlatformId, vouched: KeyChain) -> KeyChain:
        """Return the keys of a platform: those that were vouched for, and later ones that it tells of itself after them."""
        told = self.told.get(platform_id)
        if told is None or len(told.keys.rotations) <= len(vouched.rotations):
            return vouched
        return told.keys if vouched.is_continued_by(told.keys) else vouched

    def _list_path(self, platform_id: PlatformId) -> tuple[PlatformId, ...]:
        return KeyBook(self.own_id, self.platforms).list_path(platform_id)


@lru_cache(READ_MAX)
def _read_told(author: PlatformId, content: bytes, verify: Verify) -> _Told | None:
    try:
        body = parse_platform_body(content)
        keys = decode_key_chain(body.keys)
        check_key_chain(keys, author, verify)
        parent = None if body.parent_id is None else parse_platform_id(body.parent_id)
        parent_keys = None if body.parent_keys is None else decode_key_chain(body.parent_keys)
        if parent is not None and parent_keys is not None:
            check_key_chain(parent_keys, parent, verify)
    except InvalidInput:
        return None
    return _Told(parent, parent_keys, keys)


def _is_within(claim: _Claim, parent: KnownPlatform) -> bool:
    """Tell whether what a parent issued was its to issue: a prefix below its own, and its own region if it has one."""
    is_region_good = not parent.region or claim.body.region in ("", parent.region)
    return is_prefix_below(claim.prefix, parent.prefix) and is_region_good


def _find_earlier(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)
