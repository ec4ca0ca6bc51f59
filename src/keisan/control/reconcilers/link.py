"""Links to a parent: ask to join until a person there has approved, renew the certificate, leave step by step.

The child dials, so the parent needs no way in. Both letters of an exchange are signed: what way they go is not trusted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.departure import DepartureWorks, has_waited
from keisan.control.fence import follow_link
from keisan.control.name import tell_names
from keisan.domain.access import PlatformScope
from keisan.domain.departure import StepName, StepState, find_next_step, is_goodbye_owed, mark_step, say_goodbye
from keisan.domain.errors import InvalidInput, KeisanError, NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import LetterId, LinkId
from keisan.domain.key_chain import check_key_chain
from keisan.domain.letter import Letter
from keisan.domain.limits import (
    EPOCH_MAX,
    GRANT_EPOCH_JUMP_MAX,
    LINK_CERTIFICATE_S,
    LINK_LOOK_S,
    LINK_REVIEW_S_MAX,
    NAME_CHARACTERS_MAX,
    URL_CHARACTERS_MAX,
)
from keisan.domain.link import OPEN_STATES, Link, LinkSide, LinkState
from keisan.domain.platform import Platform, PlatformKind
from keisan.federation.certificate import parse_certificate, read_authority_key
from keisan.kit.clock import to_milliseconds
from keisan.kit.ids import create_id
from keisan.kit.signature import is_signed_by
from keisan.storage.base import Transaction
from keisan.wire.base import replace_nul
from keisan.wire.invitation import prove_invitation
from keisan.wire.letter import LetterDraft, decode_letter, encode_letter, sign_letter
from keisan.wire.link_ask import ASK_KIND, TOLD_KIND, AskStep, LinkAskBody, LinkToldBody, encode_body, read_told_body
from keisan.wire.name import decode_key_chain, encode_key_chain
from keisan.wire.usage_record import INSTANT_MS_MAX

# Sends a letter to the API of a platform, and returns the one that answers; raises KeisanError.
AskPlatform = Callable[[str, bytes], Awaitable[bytes]]

LOOK = timedelta(seconds=LINK_LOOK_S)
RETRY = timedelta(seconds=LINK_REVIEW_S_MAX)
REVIEW_LEAST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LinkWork:
    """A link to a parent as it is, what to ask now (None: nothing), when to look again, and what came of asking."""

    link: Link
    platform: Platform
    step: AskStep | None = None
    look_again_at: datetime | None = None
    told: LinkToldBody | None = None
    offset_ms: int | None = None
    asked_ms: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class LinkReconciler:
    """Asks through `ask`; `departures` do what a departure's steps are."""

    control: Control
    ask: AskPlatform
    departures: DepartureWorks = field(default_factory=DepartureWorks)

    async def load(self, transaction: Transaction, noun_id: UUID) -> LinkWork | None:
        """Return the link, None if there is none."""
        try:
            link = await transaction.links.get(PlatformScope(), LinkId(noun_id))
        except NotFound:
            return None
        return LinkWork(link, await transaction.platform.get())

    def decide(self, state: LinkWork, now: datetime) -> LinkWork:
        """Ask what is due: of a parent only, and while the link lives."""
        link = state.link
        if link.side is not LinkSide.PARENT:
            return state
        match link.state:
            case LinkState.REQUESTED:
                return replace(state, step=AskStep.JOIN)
            case LinkState.JOINED:
                due_at = find_renewal(link)
                # By a clock that was set back nothing would be due before it is where it was.
                is_set_back = (link.heard_at or link.created_at) > now
                is_due = due_at <= now or is_set_back
                return replace(state, step=AskStep.RENEW) if is_due else replace(state, look_again_at=due_at)
            case LinkState.LEAVING:
                step = find_next_step(link.departure)
                is_last = step is None or step.name is StepName.SAY_GOODBYE
                return replace(state, step=AskStep.LEFT if is_last else AskStep.LEAVE)
            case LinkState.LEFT if is_goodbye_owed(link.departure):
                return replace(state, step=AskStep.LEFT)
            case _:
                return state

    async def perform(self, change: LinkWork) -> LinkWork:
        """Ask the parent, and return what it told; whatever it does not tell in a signed letter changes nothing here."""
        if change.step is None:
            return change
        asked_at, asked_ms = self.control.clock.now(), 0
        try:
            question = self._build_question(change, change.step, asked_at)
            # Also where no answer comes: the parent may have it, and takes none after it that is older.
            asked_ms = question.made_at_ms
            letter = decode_letter(await self.ask(change.link.url, encode_letter(question)))
            told = self._read_answer(change.link, question, letter)
            # Whatever is wrong with it is found here, and changes nothing.
            self._take_answer(change.link, told, asked_at)
        except KeisanError as fault:
            return replace(change, fault=fault.outside, asked_ms=asked_ms)
        middle_ms = (to_milliseconds(asked_at) + to_milliseconds(self.control.clock.now())) // 2
        return replace(change, told=told, offset_ms=told.now_ms - middle_ms, asked_ms=asked_ms)

    async def apply(self, transaction: Transaction, change: LinkWork, now: datetime) -> datetime | None:
        """Write what the parent told; look again when the next question is due.

        Raises VersionMismatch if the link was changed since the load.
        """
        link = change.link
        if change.step is None:
            return change.look_again_at
        if change.told is not None:
            await transaction.links.note_heard(link.id, now, change.offset_ms)
        after = replace(self._take_answer(link, change.told, now), fault=change.fault)
        if change.step is not AskStep.JOIN:
            after = replace(after, asked_ms=max(link.asked_ms, change.asked_ms))
        if after.state is LinkState.LEAVING:
            after = await self._depart(transaction, change, after, now)
        elif link.state is LinkState.LEFT and change.told is not None:
            after = replace(after, departure=say_goodbye(link.departure))
        if after != link:
            await transaction.links.update(replace(after, version=link.version + 1))
        has_moved = link.state is not after.state is LinkState.LEFT and after.successor_id is not None
        if has_moved and self.departures.end_move is not None:
            await self.departures.end_move(transaction, self.control)
        if after.state is LinkState.JOINED:
            await follow_link(transaction, self.control, after, f"the link to {after.name} is of a later life")
        if (after.state, after.keys, after.epoch) != (link.state, link.keys, link.epoch):
            await tell_names(transaction, self.control)
        if after.state is not link.state:
            detail = {"neighbour_id": link.neighbour_id, "prefix": after.prefix, "epoch": str(after.epoch)}
            await transaction.events.append(EventDraft(CONTROL_ACTOR, f"link.{after.state}", link.id, detail))
        return _find_next_look(after, now, has_failed=change.told is None)

    async def _depart(self, transaction: Transaction, change: LinkWork, link: Link, now: datetime) -> Link:
        """Do the steps that can be done; the last is said to the parent, or kept in suspense if it cannot be reached."""
        link = await self.departures.advance(transaction, self.control, link)
        step = find_next_step(link.departure)
        if change.step is not AskStep.LEFT or step is None or step.name is not StepName.SAY_GOODBYE:
            return link
        if change.told is None and not has_waited(link, now):
            return link
        state = StepState.SUSPENSE if change.told is None else StepState.DONE
        departure = mark_step(link.departure, StepName.SAY_GOODBYE, state, change.fault)
        return replace(link, state=LinkState.LEFT, departure=departure, ended_at=now)

    async def ask_certificate(self, link: Link, platform: Platform, gateway_key: bytes) -> LinkToldBody:
        """Ask the parent for a certificate of a gateway, and return its answer; raises KeisanError, and changes nothing."""
        work = LinkWork(link, platform)
        question = self._build_question(work, AskStep.CERTIFY, self.control.clock.now(), gateway_key)
        letter = decode_letter(await self.ask(link.url, encode_letter(question)))
        return self._read_answer(link, question, letter)

    def _build_question(self, change: LinkWork, step: AskStep, now: datetime, gateway_key: bytes = b"") -> Letter:
        own, link = self.control.get_identity(), change.link
        proof = prove_invitation(link.digest, own.platform_id, link.neighbour_id) if step is AskStep.JOIN else b""
        body = LinkAskBody(
            step=step,
            title=change.platform.name,
            kind=change.platform.kind,
            keys=encode_key_chain(own.keys),
            link_key=own.link_key,
            epoch=link.epoch,
            invitation_id=link.invitation_id if step is AskStep.JOIN else None,
            proof=proof,
            gateway_key=gateway_key,
        )
        # A clock that was set back must not make every question a replay.
        made_at_ms = max(to_milliseconds(now), link.asked_ms + 1)
        draft = LetterDraft(
            LetterId(create_id()), ASK_KIND, made_at_ms, audience=link.neighbour_id, body=encode_body(body)
        )
        return sign_letter(draft, own.platform_id, own.signer)

    def _read_answer(self, link: Link, question: Letter, letter: Letter) -> LinkToldBody:
        """Return what a parent told; raises InvalidInput unless it is the parent's word, to this question."""
        if letter.kind != TOLD_KIND or letter.author != link.neighbour_id or letter.audience != question.author:
            raise InvalidInput("what answered is not the parent's word to this platform", "letter")
        told = read_told_body(letter)
        keys = decode_key_chain(told.keys)
        check_key_chain(keys, link.neighbour_id, is_signed_by)
        is_signed = letter.public_key == keys.newest_key and is_signed_by(
            letter.public_key, letter.content, letter.signature
        )
        if told.answers != question.id or not is_signed:
            raise InvalidInput("what answered is not the parent's word to this question", "letter")
        if link.keys.first_key and not link.keys.is_continued_by(keys):
            raise InvalidInput("the parent's keys do not follow those that are known of it", "letter")
        if not _is_known(told) or told.epoch > link.epoch + GRANT_EPOCH_JUMP_MAX:
            raise InvalidInput("this platform does not know what the parent told", "letter")
        return told

    def _take_answer(self, link: Link, told: LinkToldBody | None, now: datetime) -> Link:
        """Return the link after an answer; raises InvalidInput for a certificate that is not for this platform."""
        if told is None or link.state is LinkState.LEFT:
            # Of a parent that was left, nothing counts but that it has heard of it.
            return link
        known = replace(
            link,
            name=replace_nul(told.title)[:NAME_CHARACTERS_MAX],
            kind=PlatformKind(told.kind),
            keys=decode_key_chain(told.keys),
            reviewer=replace_nul(told.reviewer)[:NAME_CHARACTERS_MAX],
            link_url=replace_nul(told.link_url)[:URL_CHARACTERS_MAX],
        )
        state = LinkState(told.state)
        if state in OPEN_STATES and told.certificate:
            # A parent that was restored from an old disk may not know of the departure any more.
            kept = LinkState.LEAVING if link.state is LinkState.LEAVING else LinkState.JOINED
            return replace(
                self._take_certificate(known, told), state=kept, digest="", epoch=max(link.epoch, told.epoch)
            )
        if state is LinkState.REQUESTED or link.state is LinkState.LEAVING:
            return known
        return replace(known, state=state, ended_at=now)

    def _take_certificate(self, link: Link, told: LinkToldBody) -> Link:
        """Return the link with what was issued: region and prefix are what the certificate says."""
        own = self.control.get_identity()
        found = parse_certificate(told.certificate, link.keys.keys)
        if found.holder.platform_id != own.platform_id or found.holder.public_key != own.link_key:
            raise InvalidInput("the certificate that the parent issued is not this platform's", "certificate")
        if read_authority_key(told.ca) not in link.keys.keys:
            raise InvalidInput("the authority that the parent named is not its own", "ca")
        return replace(
            link,
            region=found.holder.region,
            prefix=found.holder.prefix,
            certificate=told.certificate,
            certificate_ends_at=found.ends_at,
            ca=told.ca,
        )


def find_renewal(link: Link) -> datetime:
    """Return when a joined link asks next: when a third of its certificate is left, or to hear how it stands."""
    heard_at = link.heard_at or link.created_at
    if link.certificate_ends_at is None:
        return heard_at
    due_at = link.certificate_ends_at - timedelta(seconds=LINK_CERTIFICATE_S) / 3
    return min(heard_at + LOOK, max(due_at, heard_at + RETRY))


def _find_next_look(link: Link, now: datetime, *, has_failed: bool) -> datetime | None:
    """Return when to ask again: soon for what a person has just asked for, ever more rarely while nobody answers."""
    match link.state:
        case LinkState.REQUESTED:
            return now + min(max((now - link.created_at) / 10, REVIEW_LEAST), RETRY)
        case LinkState.LEAVING:
            step = find_next_step(link.departure)
            is_waiting = has_failed or step is None or step.name is not StepName.SAY_GOODBYE
            return now + (RETRY / 6 if is_waiting else timedelta())
        case LinkState.JOINED:
            return now + RETRY if has_failed else max(find_renewal(replace(link, heard_at=now)), now + RETRY)
        case LinkState.LEFT if is_goodbye_owed(link.departure):
            return now + min(max((now - (link.ended_at or now)) / 10, RETRY), LOOK)
        case _:
            return None


def _is_known(told: LinkToldBody) -> bool:
    """Tell whether an answer is of the words and sizes that this platform knows and can keep."""
    is_sized = 0 <= told.epoch <= EPOCH_MAX and 0 <= told.now_ms <= INSTANT_MS_MAX
    return is_sized and told.state in set(LinkState) and told.kind in set(PlatformKind)
