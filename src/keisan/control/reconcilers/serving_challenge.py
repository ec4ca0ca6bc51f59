"""Serving challenges: a key is made, step after step is run and its records are awaited, then all is judged and the key ends.

The key's secret, and what was seen of a step whose records are awaited, are in this process alone. Where they are gone, as
after a restart, the challenge proves nothing; its key ends in any case, at its deadline at the latest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR, Control
from keisan.control.key import build_key, end_key, insert_key
from keisan.control.machine import is_connected
from keisan.control.serving_challenge import settle_site_policy
from keisan.control.serving_load import LoadStep, run_step
from keisan.domain.access import MachineKind, PlatformScope, Role
from keisan.domain.errors import NotFound
from keisan.domain.event import EventDraft
from keisan.domain.ids import RecordId, ServingChallengeId
from keisan.domain.key import Secret, create_secret, digest_secret
from keisan.domain.limits import PAGE_ITEMS_MAX, SERVING_RECORDS_S_MAX
from keisan.domain.page import PageRequest
from keisan.domain.serving_challenge import SeenCall, ServingChallenge, ServingFlag, ServingState
from keisan.domain.serving_challenge_rule import (
    CUT,
    StepSeen,
    find_concurrency,
    find_deadline,
    is_recorded,
    judge_serving,
    measure_step,
)
from keisan.domain.usage import UsageRecord
from keisan.domain.usage_sum import UsageFilter
from keisan.storage.base import Transaction
from keisan.wire.key import KeyCreate

EVERYTHING = PlatformScope()
LOOK_AGAIN = timedelta(seconds=0.25)
RECORDS_WAIT = timedelta(seconds=SERVING_RECORDS_S_MAX)
DAY = timedelta(days=1)
NO_GATEWAY = "gateway_unknown"
RESTARTED = "the platform was restarted meanwhile"
OVERDUE = "it was not done in its time"


class ServingAction(StrEnum):
    """What is done next for a serving challenge."""

    BEGIN = "begin"
    RUN = "run"
    WAIT = "wait"
    NOTE = "note"
    JUDGE = "judge"


@dataclass(slots=True)
class ServingRun:
    """What only this process knows of a challenge under way; `seen` is the step whose records are awaited."""

    secret: Secret
    snapshot_version: int
    seen: StepSeen | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServingSight:
    """A challenge that is not judged; `is_known` tells whether all gateways know its key, `records` are those of the key."""

    challenge: ServingChallenge
    model: str
    run: ServingRun | None
    is_known: bool
    records: Mapping[RecordId, UsageRecord]


@dataclass(frozen=True, slots=True)
class ServingChange:
    """The challenge as it is to be written; `step` is what is to be run, `secret` that of the key to be made."""

    action: ServingAction
    challenge: ServingChallenge
    step: LoadStep | None = None
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class ServingChallengeReconciler:
    """Runs one challenge at a time; `runs` are those under way."""

    control: Control
    runs: dict[ServingChallengeId, ServingRun] = field(default_factory=dict)

    async def load(self, transaction: Transaction, noun_id: UUID) -> ServingSight | None:
        """Return the challenge, None if there is none or it was judged."""
        try:
            found = await transaction.serving_challenges.get(EVERYTHING, ServingChallengeId(noun_id))
        except NotFound:
            return None
        if found.state is ServingState.JUDGED:
            # Not when it is judged, for that may be done again.
            self.runs.pop(found.id, None)
            return None
        run = self.runs.get(found.id)
        model = await transaction.models.get(EVERYTHING, found.model_id)
        now = self.control.clock.now()
        gateways = await transaction.machines.list_kind(EVERYTHING, MachineKind.GATEWAY)
        connected = [each for each in gateways if is_connected(each, now)]
        is_known = run is not None and all(each.acknowledged_version >= run.snapshot_version for each in connected)
        records = {} if run is None or run.seen is None else await list_records(transaction, found, now)
        return ServingSight(found, model.facts.name, run, bool(connected) and is_known, records)

    def decide(self, state: ServingSight, now: datetime) -> ServingChange:
        """Go on with the ladder, or judge: at its end, at the deadline, or when this process knows nothing of it."""
        found, run = state.challenge, state.run
        if found.state is ServingState.RUNNING and run is None:
            return self._interrupt(found, RESTARTED, now)
        if now >= found.due_at:
            return self._interrupt(found, OVERDUE, now)
        if run is None or found.state is ServingState.PLANNED:
            return ServingChange(ServingAction.BEGIN, found)
        if run.seen is None or run.seen_at is None:
            return self._go_on(state)
        if not is_recorded(run.seen, state.records) and now < run.seen_at + RECORDS_WAIT:
            return ServingChange(ServingAction.WAIT, found)
        noted = note_step(found, run.seen, state.records)
        if find_concurrency(noted.work, noted.steps) is None:
            return ServingChange(ServingAction.JUDGE, judge_serving(noted, now, self.control.challenge_terms))
        return ServingChange(ServingAction.NOTE, replace(noted, version=found.version + 1))

    def _go_on(self, state: ServingSight) -> ServingChange:
        found = state.challenge
        concurrency = find_concurrency(found.work, found.steps)
        if concurrency is None or not state.is_known:
            return ServingChange(ServingAction.WAIT, found)
        step = LoadStep(found.work, state.model, len(found.steps), concurrency)
        return ServingChange(ServingAction.RUN, found, step)

    def _interrupt(self, found: ServingChallenge, why: str, now: datetime) -> ServingChange:
        flagged = replace(found, flags=(*found.flags, ServingFlag.INTERRUPTED), message=found.message or why)
        return ServingChange(ServingAction.JUDGE, judge_serving(flagged, now, self.control.challenge_terms))

    async def perform(self, change: ServingChange) -> ServingChange:
        """Make the key's secret, or run a step and keep what was seen of it."""
        if change.action is ServingAction.BEGIN:
            return replace(change, secret=create_secret())
        run = self.runs.get(change.challenge.id)
        if change.step is None or run is None:
            return change
        target = self.control.find_gateway()
        if target is None:
            run.seen = StepSeen(change.step.concurrency, 0, (SeenCall(None, None, 0, 0, 0, NO_GATEWAY),))
        else:
            bearer = replace(target, bearer=run.secret.reveal())
            run.seen = await run_step(bearer, change.step, self.control.clock)
        run.seen_at = self.control.clock.now()
        return change

    async def apply(self, transaction: Transaction, change: ServingChange, now: datetime) -> datetime | None:
        """Write where the challenge is; with its judgement its key ends. Look again at once, or a little later to wait."""
        if change.action is ServingAction.BEGIN:
            await self._begin(transaction, change, now)
        elif change.action is ServingAction.NOTE:
            await transaction.serving_challenges.update(change.challenge)
            self.runs[change.challenge.id].seen = None
        elif change.action is ServingAction.JUDGE:
            await self._judge(transaction, change.challenge, now)
        return now + LOOK_AGAIN if change.action is ServingAction.WAIT else now

    async def _begin(self, transaction: Transaction, change: ServingChange, now: datetime) -> None:
        found = change.challenge
        assert change.secret is not None
        project = await transaction.projects.get(EVERYTHING, found.project_id)
        model = await transaction.models.get(EVERYTHING, found.model_id)
        body = KeyCreate(
            name=f"serving challenge {found.id}",
            project_id=project.id,
            role=Role.DEVELOPER,
            models=(model.facts.name,),
            policy=await settle_site_policy(self.control, transaction, project, found.site_id),
        )
        key = build_key(self.control, project, body, digest_secret(change.secret))
        snapshot_version = await insert_key(transaction, CONTROL_ACTOR, key)
        running = replace(
            found,
            state=ServingState.RUNNING,
            key_id=key.id,
            due_at=now + find_deadline(found.work),
            version=found.version + 1,
        )
        await transaction.serving_challenges.update(running)
        self.runs[found.id] = ServingRun(change.secret, snapshot_version)

    async def _judge(self, transaction: Transaction, judged: ServingChallenge, now: datetime) -> None:
        await transaction.serving_challenges.update(judged)
        detail = {
            "site_id": str(judged.site_id),
            "deployment_id": str(judged.deployment_id),
            "verdict": str(judged.verdict),
            "flags": ",".join(judged.flags),
        }
        await transaction.events.append(EventDraft(CONTROL_ACTOR, "serving_challenge.judged", judged.id, detail))
        if judged.key_id is not None:
            key = await transaction.keys.get(EVERYTHING, judged.key_id)
            if key.revoked_at is None:
                await end_key(transaction, CONTROL_ACTOR, key, now)


async def list_records(
    transaction: Transaction, challenge: ServingChallenge, now: datetime
) -> dict[RecordId, UsageRecord]:
    """Return the usage records of a challenge's calls that have come, by id."""
    since = challenge.created_at.date() - DAY
    wanted = UsageFilter(since, now.date() + DAY, key_id=challenge.key_id)
    found: dict[RecordId, UsageRecord] = {}
    page = PageRequest(limit=PAGE_ITEMS_MAX)
    while True:
        part = await transaction.usage.list(EVERYTHING, wanted, page)
        found |= {each.record.id: each.record for each in part.items}
        if part.next_after is None:
            return found
        page = PageRequest(part.next_after, PAGE_ITEMS_MAX)


def note_step(challenge: ServingChallenge, seen: StepSeen, records: Mapping[RecordId, UsageRecord]) -> ServingChallenge:
    """Return a challenge with one step more, the replicas that served it, and what the first failed call said."""
    own = [records[call.record_id] for call in seen.calls if call.record_id is not None and call.record_id in records]
    served = {record.context.replica_id for record in own}
    codes = [call.code for call in seen.calls if call.code not in ("", CUT)]
    return replace(
        challenge,
        steps=(*challenge.steps, measure_step(challenge, seen, records)),
        replica_ids=tuple(sorted({*challenge.replica_ids, *served})),
        message=challenge.message or next(iter(codes), ""),
    )
