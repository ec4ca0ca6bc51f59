"""Grants on the wire: bodies of the letters between parent and child, and what the API takes and shows.

Letters are read as views are: fields that only a newer platform knows are passed over.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.deployment import REPLICA_COUNT_MAX, SLOTS_MAX
from keisan.domain.grant import (
    Grant,
    GrantAnswer,
    GrantScope,
    GrantState,
    GrantTerms,
    GrantWant,
    GrantWork,
    OnExpiry,
    WantState,
    WantWord,
)
from keisan.domain.ids import GrantWantId, PlatformId
from keisan.domain.limits import GRANT_DEVICES_MAX, GRANT_DURATION_S_MAX, GRANT_DURATION_S_MIN
from keisan.wire.base import ForeignText, Name, WireInput, WireView, explain_refusal

# What every language's JSON reads exactly.
NUMBER_MAX = 2**53
GrantNumber = Annotated[int, Field(ge=0, le=NUMBER_MAX)]
DeviceCount = Annotated[int, Field(ge=1, le=GRANT_DEVICES_MAX)]
DurationS = Annotated[int, Field(ge=GRANT_DURATION_S_MIN, le=GRANT_DURATION_S_MAX)]
PlatformText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
WeightsText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ReplicaCount = Annotated[int, Field(ge=0, le=REPLICA_COUNT_MAX)]
Slots = Annotated[int, Field(ge=1, le=SLOTS_MAX)]
REASON_CHARACTERS_MAX = 1024


class WorkView(WireView):
    """What a parent wants to run."""

    model_name: Name
    weights_sha256: WeightsText
    engine: Name
    slots: Slots
    replica_count: ReplicaCount


class WantBody(WireView):
    """The body of a want's letter: see domain.grant.WantWord."""

    want_id: UUID
    epoch: GrantNumber
    heard_number: GrantNumber
    renewal: GrantNumber
    is_ended: bool
    chip: Name | None
    count: DeviceCount
    duration_s: DurationS
    on_expiry: OnExpiry
    work: WorkView | None = None


class GrantBody(WireView):
    """The body of a grant's letter; which devices it holds stays with the child."""

    want_id: UUID
    epoch: GrantNumber
    number: GrantNumber
    state: GrantState
    renewal: GrantNumber
    reason: Annotated[ForeignText, Field(max_length=REASON_CHARACTERS_MAX)] = ""


class GrantAsk(WireInput):
    """What to ask a child for: `count` devices of a chip, of any for null, for a time."""

    child_id: PlatformText
    chip: Name | None = None
    count: DeviceCount
    duration_s: DurationS
    on_expiry: OnExpiry


class WorkUpdate(WireInput):
    """What to run on what is granted: copies of a model of this platform's; none ends it."""

    model_id: UUID
    engine: Name = "llama_cpp"
    slots: Slots = 4
    replica_count: ReplicaCount = 1


class GrantTermsUpdate(WireInput):
    """Up to how many devices in all are granted without a person."""

    automatic_count: Annotated[int, Field(ge=0, le=NUMBER_MAX)]


class GrantEnd(WireInput):
    """Why a grant is refused, or ended before its time."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=REASON_CHARACTERS_MAX, pattern=r"^[^\x00]*$")]


class GrantTermsView(WireView):
    """The epoch of this platform's word to its parent, and its policy."""

    epoch: int
    last_number: int
    automatic_count: int
    version: int


class GrantView(WireView):
    """A grant as its child shows it; `ends_at` is when it ends here, none before it is issued or once it is over."""

    id: UUID
    platform_id: str
    parent_id: str
    want_id: UUID
    epoch: int
    number: int
    chip: str | None
    count: int
    duration_s: int
    on_expiry: OnExpiry
    state: GrantState
    reason: str
    device_ids: tuple[UUID, ...]
    work: WorkView | None
    deployment_id: UUID | None
    ends_at: datetime | None
    version: int
    created_at: datetime


class AnswerView(WireView):
    """What the child last said."""

    epoch: int
    number: int
    state: GrantState
    renewal: int
    reason: str


class WantView(WireView):
    """A want as its parent shows it; `ends_at` is until when new work may begin, none where nothing is granted."""

    id: UUID
    platform_id: str
    child_id: str
    chip: str | None
    count: int
    duration_s: int
    on_expiry: OnExpiry
    renewal: int
    state: WantState
    answer: AnswerView | None
    work: WorkView | None
    ends_at: datetime | None
    version: int
    created_at: datetime


def encode_want(want: GrantWant, heard_number: int) -> bytes:
    """Return the body of a want's letter."""
    body = WantBody(
        want_id=want.id,
        epoch=want.epoch,
        heard_number=heard_number,
        renewal=want.renewal,
        is_ended=want.state is WantState.ENDED,
        work=None if want.work is None else WorkView.model_validate(want.work),
        chip=want.scope.chip,
        count=want.scope.count,
        duration_s=want.scope.duration_s,
        on_expiry=want.scope.on_expiry,
    )
    return body.model_dump_json().encode()


def decode_want(body: bytes, parent_id: PlatformId) -> WantWord:
    """Return what a parent says; raises InvalidInput for what is no want."""
    with explain_refusal():
        told = WantBody.model_validate_json(body)
    return WantWord(
        parent_id=parent_id,
        want_id=GrantWantId(told.want_id),
        epoch=told.epoch,
        heard_number=told.heard_number,
        renewal=told.renewal,
        is_ended=told.is_ended,
        scope=GrantScope(told.chip, told.count, told.duration_s, told.on_expiry),
        work=None if told.work is None else GrantWork(**told.work.model_dump()),
    )


def encode_answer(want_id: GrantWantId, answer: GrantAnswer) -> bytes:
    """Return the body of a grant's letter; its version is the letter's own."""
    return (
        GrantBody(
            want_id=want_id,
            epoch=answer.epoch,
            number=answer.number,
            state=answer.state,
            renewal=answer.renewal,
            reason=answer.reason,
        )
        .model_dump_json()
        .encode()
    )


def decode_answer(body: bytes, version: int) -> tuple[GrantWantId, GrantAnswer]:
    """Return what a child says, and of which want; raises InvalidInput for what is no grant."""
    with explain_refusal():
        told = GrantBody.model_validate_json(body)
    answer = GrantAnswer(told.epoch, told.number, version, told.state, told.renewal, told.reason)
    return GrantWantId(told.want_id), answer


def show_grant(grant: Grant, ends_at: datetime | None) -> GrantView:
    """Return a grant as the API shows it."""
    return GrantView.model_validate(_read_fields(grant, GrantView) | {"ends_at": ends_at})


def show_want(want: GrantWant, ends_at: datetime | None) -> WantView:
    """Return a want as the API shows it."""
    return WantView.model_validate(_read_fields(want, WantView) | {"ends_at": ends_at})


def show_terms(terms: GrantTerms) -> GrantTermsView:
    """Return terms as the API shows them."""
    return GrantTermsView.model_validate(terms)


def _read_fields(noun: Grant | GrantWant, view: type[WireView]) -> dict[str, object]:
    scope = {"chip": noun.scope.chip, "count": noun.scope.count, "duration_s": noun.scope.duration_s}
    names = view.model_fields.keys() - {"ends_at", "on_expiry", *scope}
    return {name: getattr(noun, name) for name in names} | scope | {"on_expiry": noun.scope.on_expiry}
