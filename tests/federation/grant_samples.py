"""A small world of grants: one parent, one child, some devices."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from keisan.domain.grant import (
    Grant,
    GrantAnswer,
    GrantScope,
    GrantState,
    GrantTerms,
    GrantWant,
    GrantWork,
    OnExpiry,
    Sending,
    WantArrival,
    WantState,
    WantWord,
)
from keisan.domain.ids import DeviceId, GrantId, GrantWantId, PlatformId
from keisan.federation.grant_book import BookDevice, open_book
from keisan.federation.grant_desk import GrantDesk

START = datetime(2026, 11, 27, tzinfo=UTC)
PARENT, CHILD = PlatformId("a" * 64), PlatformId("b" * 64)
WANT_ID = GrantWantId(UUID("01900000-0000-7000-8000-000000000b01"))
DEVICE_IDS = tuple(DeviceId(UUID(f"01900000-0000-7000-8000-000000000c{number:02}")) for number in range(6))
DEVICES = tuple(
    BookDevice(device_id, ("chip-a", "chip-b")[number % 2], is_usable=True, is_busy=False)
    for number, device_id in enumerate(DEVICE_IDS)
)
SCOPE = GrantScope("chip-a", 2, 3600, OnExpiry.HOLD)
WORK = GrantWork("model", "ab" * 32, "llama_cpp", 4, 2)
TERMS = GrantTerms(CHILD, epoch=3, last_number=7, automatic_count=4, version=9)
ARRIVAL = WantArrival(START, 0)


def build_grant_id(number: int) -> GrantId:
    return GrantId(UUID(int=0x0190000000007000800000000000D000 + number))


def build_grant(**changes: Any) -> Grant:
    grant = Grant(
        id=build_grant_id(1),
        platform_id=CHILD,
        parent_id=PARENT,
        want_id=WANT_ID,
        epoch=3,
        number=7,
        scope=SCOPE,
        renewal=1,
        reckoned_from=START,
        offset_ms=0,
        device_ids=DEVICE_IDS[0:3:2],
        work=None,
        deployment_id=None,
        state=GrantState.ISSUED,
        reason="",
        version=2,
        created_at=START,
    )
    return replace(grant, **changes)


def build_word(**changes: Any) -> WantWord:
    return replace(WantWord(PARENT, WANT_ID, 3, 7, 1, is_ended=False, scope=SCOPE, work=None), **changes)


def build_want(**changes: Any) -> GrantWant:
    want = GrantWant(
        id=WANT_ID,
        platform_id=PARENT,
        child_id=CHILD,
        epoch=3,
        scope=SCOPE,
        renewal=1,
        sendings={1: Sending(3, START, 0)},
        work=None,
        state=WantState.OPEN,
        answer=None,
        version=1,
        created_at=START,
    )
    return replace(want, **changes)


def build_answer(**changes: Any) -> GrantAnswer:
    return replace(GrantAnswer(3, 7, 1, GrantState.ISSUED, 1, ""), **changes)


def build_desk(last: Grant | None = None, *holding: Grant, terms: GrantTerms = TERMS) -> GrantDesk:
    return GrantDesk(CHILD, terms, holding, open_book(DEVICES, holding), last)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
