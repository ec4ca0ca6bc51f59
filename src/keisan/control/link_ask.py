"""The parent's side of a join: answers what children ask, in letters that both sign, each question having its effect once.

Nothing is believed of what a child says of its place: region and prefix are what a person approved, and are in its certificate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from keisan.control.context import Control
from keisan.control.link_place import load_neighbourhood
from keisan.control.name import tell_names
from keisan.domain.access import PlatformScope
from keisan.domain.errors import InvalidInput, StateConflict, Unauthenticated
from keisan.domain.event import EventDraft
from keisan.domain.ids import PUBLIC_KEY_BYTES, InvitationId, LetterId, LinkId
from keisan.domain.key_chain import KeyChain, check_key_chain
from keisan.domain.letter import Letter
from keisan.domain.limits import EPOCH_MAX, NAME_CHARACTERS_MAX
from keisan.domain.link import LIVE_STATES, Link, LinkSide, LinkState, check_link_transition, is_certificate_due
from keisan.domain.platform import PlatformKind
from keisan.federation.certificate import (
    CertificateHolder,
    build_authority,
    issue_certificate,
    parse_certificate,
    read_authority_key,
)
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.signature import is_signed_by
from keisan.storage.base import Transaction
from keisan.wire.base import replace_nul
from keisan.wire.invitation import prove_invitation
from keisan.wire.letter import LetterDraft, decode_letter, encode_letter, sign_letter
from keisan.wire.link_ask import ASK_KIND, TOLD_KIND, AskStep, LinkAskBody, LinkToldBody, encode_body, read_ask_body
from keisan.wire.name import decode_key_chain, encode_key_chain
from keisan.wire.usage_record import INSTANT_MS_MAX

EVERYTHING = PlatformScope()
AUTHORITY_SERIAL = 1


@dataclass(frozen=True, slots=True)
class Question:
    """What a child asked, with its keys, which vouch for the letter."""

    letter: Letter
    body: LinkAskBody
    keys: KeyChain

    @property
    def actor(self) -> str:
        """Return how the audit log names the child."""
        return f"platform:{self.letter.author}"


async def answer_question(control: Control, encoded: bytes) -> bytes:
    """Answer a letter of a child with another letter.

    Raises InvalidInput for what is no such letter, Unauthenticated for an invitation that is unknown, expired or not proven and for
    a platform that has no link, StateConflict where another platform used the invitation, the child has a link already, or the letter
    is older than one that was answered.
    """
    question = read_question(control, encoded)
    async with control.storage.write() as transaction:
        if question.body.step == AskStep.JOIN:
            link = await _take_join(transaction, control, question)
        else:
            link = await _take_other(transaction, control, question)
        await transaction.links.note_heard(
            link.id, control.clock.now(), question.letter.made_at_ms - to_milliseconds(control.clock.now())
        )
        platform = await transaction.platform.get()
        parent = (await load_neighbourhood(transaction)).parent
    told = _tell(control, question, link, (platform.name, platform.kind))
    if question.body.step == AskStep.CERTIFY and link.is_open:
        told = _certify(control, question, link, told, parent)
    return _sign_told(control, question, told)


def read_question(control: Control, encoded: bytes) -> Question:
    """Return what a letter asks, checked to be its author's and for this platform; raises InvalidInput."""
    letter = decode_letter(encoded)
    is_timed = 0 <= letter.made_at_ms <= INSTANT_MS_MAX
    if letter.kind != ASK_KIND or letter.audience != control.platform_id or not is_timed:
        raise InvalidInput("this letter asks this platform nothing", "letter")
    body = read_ask_body(letter)
    keys = decode_key_chain(body.keys)
    check_key_chain(keys, letter.author, is_signed_by)
    if letter.public_key != keys.newest_key or not is_signed_by(letter.public_key, letter.content, letter.signature):
        raise InvalidInput("this letter is not signed by its author's newest key", "letter.signature")
    if len(body.link_key) != PUBLIC_KEY_BYTES or not 0 <= body.epoch <= EPOCH_MAX or not body.title:
        raise InvalidInput("a child names itself, its epoch and the key of its connections", "letter.body")
    if body.step not in set(AskStep) or body.kind not in set(PlatformKind):
        raise InvalidInput("this platform does not know what is asked", "letter.body")
    return Question(letter, body, keys)


async def _take_join(transaction: Transaction, control: Control, question: Question) -> Link:
    """Note a request once; whoever asks again is told how it stands."""
    body, child = question.body, question.letter.author
    invitation_id = InvitationId(body.invitation_id) if body.invitation_id else None
    invitation = await transaction.invitations.find(EVERYTHING, invitation_id) if invitation_id else None
    if invitation is None or body.proof != prove_invitation(invitation.digest, child, control.platform_id):
        raise Unauthenticated("this invitation is unknown")
    links = await transaction.links.list_neighbour(EVERYTHING, child)
    asked = next((link for link in links if link.invitation_id == invitation.id), None)
    if asked is not None:
        return asked
    if invitation.expires_at <= control.clock.now():
        raise Unauthenticated("this invitation has expired")
    if child == control.platform_id:
        raise StateConflict("a platform is not its own child")
    await transaction.invitations.use(invitation.id, child)
    if any(link.state in LIVE_STATES for link in links):
        raise StateConflict("this platform has a link here already")
    link = _build_link(control, question, links)
    await transaction.links.insert(link)
    detail = {"neighbour_id": child, "name": link.name, "invitation_id": str(invitation.id)}
    await transaction.events.append(EventDraft(question.actor, "link.requested", link.id, detail))
    return link


def _build_link(control: Control, question: Question, before: Sequence[Link]) -> Link:
    """Return the link of a child that asks; its epoch is above all that either side remembers."""
    body = question.body
    return Link(
        id=LinkId(create_id()),
        platform_id=control.platform_id,
        neighbour_id=question.letter.author,
        side=LinkSide.CHILD,
        state=LinkState.REQUESTED,
        name=replace_nul(body.title)[:NAME_CHARACTERS_MAX],
        kind=PlatformKind(body.kind),
        region=None,
        prefix="",
        epoch=max(body.epoch, *(link.epoch + 1 for link in before), 1),
        keys=question.keys,
        url="",
        invitation_id=InvitationId(body.invitation_id) if body.invitation_id else None,
        certificate="",
        certificate_ends_at=None,
        ca="",
        offset_ms=None,
        heard_at=None,
        reviewer="",
        reviewed_at=None,
        ended_at=None,
        version=1,
        created_at=control.clock.now(),
        link_key=body.link_key,
    )


async def _take_other(transaction: Transaction, control: Control, question: Question) -> Link:
    """Take a question of a child that has a link: renew what it holds, or note that it leaves."""
    links = await transaction.links.list_neighbour(EVERYTHING, question.letter.author)
    link = next((link for link in reversed(links) if link.side is LinkSide.CHILD), None)
    if link is None:
        raise Unauthenticated("this platform has no link here")
    if not link.is_open:
        return link
    if not link.keys.is_continued_by(question.keys):
        raise InvalidInput("these keys do not follow those that are known of this platform", "letter.body")
    if question.body.step == AskStep.CERTIFY:
        # Nothing is kept of it: asked again it makes another certificate for the same key.
        return link
    if question.letter.made_at_ms <= link.asked_ms:
        raise StateConflict("a later letter of this platform was answered already")
    match AskStep(question.body.step):
        case AskStep.LEAVE:
            after = link if link.state is LinkState.LEAVING else _move_to(link, LinkState.LEAVING)
        case AskStep.LEFT:
            after = replace(_move_to(link, LinkState.LEFT), ended_at=control.clock.now())
        case _:
            after = renew_link(control, _note_epoch(link, question.body.epoch), question.keys, question.body.link_key)
    after = replace(after, asked_ms=question.letter.made_at_ms, version=link.version + 1)
    await transaction.links.update(after)
    if action := _name_change(link, after):
        detail = {"neighbour_id": link.neighbour_id, "epoch": str(after.epoch)}
        await transaction.events.append(EventDraft(question.actor, action, link.id, detail))
        await tell_names(transaction, control)
    return after


def _move_to(link: Link, state: LinkState) -> Link:
    check_link_transition(link, state)
    return replace(link, state=state)


def _note_epoch(link: Link, told: int) -> Link:
    """Return a link after its child told its epoch: if either side was restored from an old disk, one above both holds."""
    return link if told == link.epoch else replace(link, epoch=max(told, link.epoch) + 1)


def _name_change(before: Link, after: Link) -> str | None:
    if before.state is not after.state:
        return f"link.{after.state}"
    if before.keys != after.keys:
        return "link.keys_rotated"
    if before.epoch != after.epoch:
        return "link.epoch_raised"
    return "link.renewed" if before.certificate != after.certificate else None


def renew_link(control: Control, link: Link, keys: KeyChain, link_key: bytes) -> Link:
    """Return a child's link with a certificate for its key that has more than a third of its life before it."""
    now, own = control.clock.now(), control.get_identity()
    kept = replace(link, keys=keys, link_key=link_key)
    # One of an authority that is not the newest, whatever became of that, is replaced.
    if link.certificate and link.link_key == link_key and read_authority_key(link.ca) == own.keys.newest_key:
        found = parse_certificate(link.certificate, [own.keys.newest_key])
        if not is_certificate_due(found.starts_at, found.ends_at, now):
            return kept
    holder = CertificateHolder(link.neighbour_id, link.region, link.prefix, link_key)
    certificate = issue_certificate(own.signer, own.platform_id, holder, create_id().int, now)
    ends_at = parse_certificate(certificate, own.keys.keys).ends_at
    ca = build_authority(own.signer, own.platform_id, AUTHORITY_SERIAL)
    return replace(kept, certificate=certificate, certificate_ends_at=ends_at, ca=ca)


def _tell(control: Control, question: Question, link: Link, own_name: tuple[str, PlatformKind]) -> LinkToldBody:
    """Return what is answered: a link that is not open has no certificate in it."""
    own, now_ms = control.get_identity(), to_milliseconds(control.clock.now())
    title, kind = own_name
    return LinkToldBody(
        answers=question.letter.id,
        state=link.state,
        title=title,
        kind=kind,
        keys=encode_key_chain(own.keys),
        now_ms=now_ms,
        epoch=link.epoch,
        certificate=link.certificate if link.is_open else "",
        ca=link.ca if link.is_open else "",
        reviewer=link.reviewer,
        link_url=control.link_url,
    )


def _certify(control: Control, question: Question, link: Link, told: LinkToldBody, parent: Link | None) -> LinkToldBody:
    """Return the answer with a certificate for a gateway of a child, in the child's name, and who stands for own gateways."""
    own = control.get_identity()
    holder = CertificateHolder(link.neighbour_id, link.region, link.prefix, question.body.gateway_key)
    certificate = issue_certificate(own.signer, own.platform_id, holder, create_id().int, control.clock.now())
    authority = build_authority(own.signer, own.platform_id, AUTHORITY_SERIAL)
    return structs.replace(
        told, gateway_certificate=certificate, gateway_ca=authority + (parent.ca if parent is not None else "")
    )


def _sign_told(control: Control, question: Question, told: LinkToldBody) -> bytes:
    own = control.get_identity()
    draft = LetterDraft(
        LetterId(create_id()), TOLD_KIND, told.now_ms, audience=question.letter.author, body=encode_body(told)
    )
    return encode_letter(sign_letter(draft, own.platform_id, own.signer))
