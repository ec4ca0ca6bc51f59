"""`keisan ledger retention`: what would be deleted, and why what is held is held. It changes nothing."""

import json

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.control.retention import ExaminedDay, RetentionPlan, plan_retention
from keisan.daemon.opening import open_view
from keisan.daemon.settings import Settings
from keisan.domain.retention import RetentionMark
from keisan.kit.clock import SystemClock
from keisan.ledger.rule_retention import RetentionStep

STEPS = {
    RetentionStep.REST: "nothing to do now",
    RetentionStep.CLOSE: "will be closed to new records",
    RetentionStep.BEGIN_CHECK: "will be compared with the archive",
    RetentionStep.CHECK: "is being compared with the archive",
    RetentionStep.DELETE: "will be deleted from the database",
}


async def run_retention(settings: Settings, *, is_json: bool) -> ExitCode:
    """Print what retention would do by these settings.

    Raises NotFound without a platform here, StorageUnavailable if its database cannot be read.
    """
    clock = SystemClock()
    async with open_view(settings, clock) as view:
        plan = await plan_retention(view, settings.platform.retention.terms, clock.now())
    told = json.dumps(describe_plan(plan)) if is_json else "\n".join(write_plan(plan))
    Console(soft_wrap=True).print(told, markup=False, highlight=False)
    return ExitCode.OK


def describe_plan(plan: RetentionPlan) -> dict[str, object]:
    """Return a plan as JSON shows it."""
    return {
        "usage": {
            "days": plan.terms.usage_days,
            "step": str(plan.step),
            **_describe_mark(plan.mark),
            "oldest": None if plan.day is None else _describe_day(plan.day),
        },
        "kinds": [
            {"kind": str(each.kind), "days": each.days, "expired_count": each.expired_count} for each in plan.kinds
        ],
    }


def _describe_mark(mark: RetentionMark) -> dict[str, str | None]:
    days = {
        "closed_through": mark.closed_through,
        "archived_through": mark.archived_through,
        "deleted_through": mark.deleted_through,
    }
    return {name: str(day) if day else None for name, day in days.items()} | {"fault": mark.fault or None}


def _describe_day(day: ExaminedDay) -> dict[str, object]:
    hold = None if day.hold is None else {"code": str(day.hold.code), "text": day.hold.text}
    counts = {"stored_count": day.facts.stored_count, "archived_count": day.facts.archived_count}
    return {"day": str(day.facts.day), **counts, "hold": hold}


def write_plan(plan: RetentionPlan) -> list[str]:
    """Return the lines that tell a plan."""
    mark, kept = plan.mark, _name_days(plan.terms.usage_days)
    lines = [f"usage: kept {kept}; in the archive alone through {mark.deleted_through or 'no day'}"]
    if mark.archived_through != mark.deleted_through:
        lines.append(f"  {mark.archived_through} is read from the archive and will be deleted from the database")
    if plan.day is not None:
        facts, hold = plan.day.facts, plan.day.hold
        fate = STEPS[plan.step] if hold is None else f"is held: {hold.text} [{hold.code}]"
        counts = f"{facts.stored_count:,} records stored, {facts.archived_count:,} archived"
        lines.append(f"  the oldest day, {facts.day} ({counts}), {fate}")
    lines += [f"{each.kind}: kept {_name_days(each.days)}; {each.expired_count:,} would go now" for each in plan.kinds]
    return lines


def _name_days(days: int) -> str:
    return f"{days} days" if days else "for ever"
